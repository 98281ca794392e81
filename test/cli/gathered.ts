import { test } from 'tap'
import { gathered } from '../../lib/cli/gathered.js'
import type { RunTree } from '../../lib/cli/run-tree.js'
import { type State, states } from '../../lib/core/state.js'

type TaskRunOfTree = RunTree['taskRuns'][number]

function taskRun(number: number, taskName: string, state: State, runCount = 1): TaskRunOfTree {
  const run = {
    kind: 'task-run',
    id: `flow-${number}`,
    name: `${taskName}-${number}`,
    flowRunId: 'flow',
    taskName,
    taskKey: taskName,
    dynamicKey: number,
    created: 0,
    tags: [],
    inputs: [],
    state,
    totalRunTimeMs: 0,
    runCount,
  } as const
  return { taskRun: { run, states: [state], owner: 'engine' }, child: undefined }
}

const completed = states.completed(2, undefined)

test('a thousand task runs are listed one by one', async t => {
  const few = Array.from({ length: 1000 }, (_, number) => taskRun(number, 'load', completed))
  t.equal(gathered(few), few)
})

test('of more, those that completed at once are gathered by task, and the others stay', async t => {
  const failed = taskRun(3, 'load', states.failed(2, new Error('no')))
  const retried = taskRun(4, 'load', completed, 2)
  const many = Array.from({ length: 1200 }, (_, number) => taskRun(number, number < 700 ? 'load' : 'store', completed))
  many[3] = failed
  many[4] = retried
  t.strictSame(gathered(many), [
    { taskName: 'load', count: 698, first: many[0] },
    failed,
    retried,
    { taskName: 'store', count: 500, first: many[700] },
  ])
})

test('what was taken over is told apart from what ran', async t => {
  const cached = states.cached(2, undefined, 'earlier-1')
  const many = Array.from({ length: 1200 }, (_, number) => taskRun(number, 'load', number < 10 ? cached : completed))
  t.match(gathered(many), [
    { taskName: 'load', count: 10 },
    { taskName: 'load', count: 1190 },
  ])
})
