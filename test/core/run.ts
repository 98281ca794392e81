import { test } from 'tap'
import { copyOf, enter, type TaskRun } from '../../lib/core/run.js'
import { type State, states } from '../../lib/core/state.js'

function newRun(): TaskRun {
  return {
    kind: 'task-run',
    id: 't',
    name: 't',
    flowRunId: 'f',
    taskName: 't',
    taskKey: 'k',
    dynamicKey: 0,
    inputs: [],
    created: 0,
    tags: [],
    state: states.pending(0),
    totalRunTimeMs: 0,
    runCount: 0,
  }
}

function after(...entered: State[]): TaskRun {
  const run = newRun()
  for (const state of entered) enter(run, state)
  return run
}

const error = new Error('no')

test('the start is the first RUNNING, the end is the terminal state', async t => {
  const run = after(
    states.running(10, 1),
    states.awaitingRetry(15, 20, 1, error),
    states.running(20, 2),
    states.completed(26, 1),
  )
  t.match(run, { startTime: 10, endTime: 26, runCount: 2, totalRunTimeMs: 5 + 6 })
})

test('a run that has not ended has no end, one that never ran no start', async t => {
  t.match(after(states.running(10, 1)), { startTime: 10, endTime: undefined })
  t.match(after(states.cancelled(10, error)), { startTime: undefined, endTime: 10, runCount: 0, totalRunTimeMs: 0 })
  t.match(after(states.notReady(10, 'up', error)), { startTime: undefined, endTime: undefined })
})

test('Cancelling is no other attempt, and its time counts as time spent running', async t => {
  const run = after(states.running(10, 1), states.cancelling(12, 1), states.cancelled(15, error))
  t.match(run, { runCount: 1, totalRunTimeMs: 5, startTime: 10, endTime: 15 })
})

test('a clock that steps back takes no time away', async t => {
  t.equal(after(states.running(10, 1), states.completed(5, 1)).totalRunTimeMs, 0)
})

test('a copy of a record is plain data of its own', async t => {
  const run = newRun()
  const copy = copyOf(run)
  enter(run, states.running(1, 1))
  t.equal(copy.state.name, 'Pending')
  t.equal(run.state.name, 'Running')
})
