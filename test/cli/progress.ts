import { stripVTControlCharacters } from 'node:util'
import { test } from 'tap'
import { colorsOf } from '../../lib/cli/print.js'
import { Board } from '../../lib/cli/progress.js'
import type { FlowRun, TaskRun } from '../../lib/core/run.js'
import { states } from '../../lib/core/state.js'

const palette = colorsOf(process.stderr)

const base = { created: 0, tags: [], totalRunTimeMs: 0, runCount: 1, startTime: 0 }
const flowRun = (id: string, parentFlowRunId?: string): FlowRun => ({
  ...base,
  kind: 'flow-run',
  id,
  name: `${id}-run`,
  flowName: `${id}-flow`,
  executor: 'concurrent',
  parentFlowRunId,
  state: states.running(0, 1),
})
const taskRun = (flowRunId: string): TaskRun => ({
  ...base,
  kind: 'task-run',
  id: 't',
  name: 't',
  flowRunId,
  taskName: 't',
  taskKey: 'k',
  dynamicKey: 0,
  inputs: [],
  state: states.pending(0),
})

function boardOf(runs: readonly FlowRun[]): Board {
  const board = new Board()
  for (const run of runs) board.hear({ type: 'flow-run-created', run, at: 0 })
  return board
}

const textOf = (board: Board, columns = 80, rows = 24) =>
  board.lines(1500, columns, rows, palette).map(stripVTControlCharacters)

test('a line per flow run has a bar with the share of each state', async t => {
  const board = boardOf([flowRun('a')])
  for (const to of [states.completed(1, 1), states.failed(1, 'no'), states.running(1, 1), undefined]) {
    const run = taskRun('a')
    board.hear({ type: 'task-run-created', run, at: 0 })
    if (to) board.hear({ type: 'state-changed', run, from: run.state, to, at: 1 })
  }
  const [line] = textOf(board)
  t.match(line, /^. a-flow a-run █{12}▒{6}░{6} 2\/4 1 failed 1\.5 s$/)
})

test('subflows stand below their parents, and all lines fit the terminal', async t => {
  const board = boardOf([flowRun('a'), flowRun('b'), flowRun('inner', 'a')])
  const lines = textOf(board)
  t.strictSame(
    lines.map(line => line.match(/^( *). (\w+)/)?.slice(1)),
    [
      ['', 'a'],
      ['  ', 'inner'],
      ['', 'b'],
    ],
  )
  for (const columns of [40, 80, 160]) for (const line of textOf(board, columns)) t.ok(line.length <= columns)
})

test('where there are more runs than lines, those that have ended make room', async t => {
  const runs = Array.from({ length: 30 }, (_, index) => flowRun(`r${index}`))
  for (const run of runs.slice(0, 25)) run.state = states.completed(1, 1)
  const lines = textOf(boardOf(runs), 80, 10)
  t.equal(lines.length, 9)
  t.match(lines.at(-1), '… and 22 more flow runs')
  t.match(lines.join(), 'r29-flow')
})
