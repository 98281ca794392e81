import type { Command } from 'commander'
import type { FlowRun, TaskRun } from '../core/run.js'
import { isTerminal, type State } from '../core/state.js'
import type { Store } from '../core/store.js'
import { stateChangeJson } from './as-json.js'
import { findFlowRun } from './find-run.js'
import { lost } from './flow-run-logs.js'
import { RunFollower, type RunListener } from './follow/follow-run.js'
import { lookAgain } from './follow/look-again.js'
import { clean, clock, coloredState, colorsOf, printLine } from './print.js'
import { Board } from './progress/board.js'
import { isLive } from './progress/live-display.js'
import { showBoard } from './progress/show-progress.js'
import { followed, withScheduled } from './scheduled-runs.js'
import { readStore } from './store.js'

export function define(command: Command): void {
  command
    .argument('<run>', 'id of a flow run, or how its id begins, or its name')
    .option('--json', 'print JSON: an object a line for each change of a state')
    .addHelpText('after', help)
    .action(watch)
}

const help = `
Shows how a flow run goes on, in whatever process, until it has ended: on a terminal a live tree, elsewhere a line for
each change of a state. The exit code is 0 if it is Completed in the end, else 1. Ctrl-C ends the looking, not the run.

Examples:
  $ mintaka flow-run watch busy-bee
  $ mintaka flow-run watch 9hx1k2 --json`

async function watch(word: string, { json }: { json?: true }): Promise<void> {
  await readStore(async store => {
    const { run } = await findFlowRun(withScheduled(store), word)
    const isShown = isLive(process.stdout) && isLive(process.stderr) && !json
    const state = await (isShown ? watchLive(store, run) : watchLines(store, run, json))
    if (state?.type !== 'COMPLETED') process.exitCode = 1
  })
}

async function watchLive(store: Store, run: Readonly<FlowRun>): Promise<State | undefined> {
  const board = new Board()
  const display = showBoard(board)
  const stop = () => {
    display.end()
    process.stderr.write(`Flow run '${clean(run.name)}' goes on.\n`)
    process.exit(130)
  }
  process.once('SIGINT', stop)
  try {
    return await follow(store, run, {
      flowRun: run => board.flowRun(run),
      taskRun: (run, from, to) => board.taskRun(run, from, to, to.timestamp),
    })
  } finally {
    process.off('SIGINT', stop)
    display.end()
  }
}

interface Change {
  readonly flowRun: string
  readonly run: Readonly<FlowRun | TaskRun>
  readonly to: State
}

async function watchLines(store: Store, run: Readonly<FlowRun>, json: true | undefined): Promise<State | undefined> {
  const names = new Map<string, string>()
  let changes: Change[] = []
  const listener: RunListener = {
    flowRun(run, _, to) {
      names.set(run.id, run.name)
      changes.push({ flowRun: run.name, run, to })
    },
    taskRun(run, _, to) {
      changes.push({ flowRun: names.get(run.flowRunId) ?? run.flowRunId, run, to })
    },
  }
  return follow(store, run, listener, () => {
    changes.sort((a, b) => a.to.timestamp - b.to.timestamp)
    for (const change of changes) printLine(json ? JSON.stringify(stateChangeJson(change)) : lineOf(change))
    changes = []
  })
}

/** Gives the last state of the flow run; `undefined`: it has been removed meanwhile. */
async function follow(
  store: Store,
  { id, name }: Readonly<FlowRun>,
  { flowRun, taskRun }: RunListener,
  looked: () => void = () => {},
): Promise<State | undefined> {
  let last: State | undefined
  const follower = new RunFollower(followed(store), id, {
    flowRun(run, from, to) {
      if (run.id === id) last = to
      flowRun(run, from, to)
    },
    taskRun,
  })
  await lookAgain(async () => {
    const progress = await follower.look()
    looked()
    if (progress === 'lost') throw lost(name)
    return progress !== 'going on'
  })
  return last && isTerminal(last) ? last : undefined
}

function lineOf({ flowRun, run, to }: Change): string {
  const palette = colorsOf(process.stdout)
  const what =
    run.kind === 'flow-run'
      ? `${run.flowName} ${palette.bold(clean(run.name))}`
      : `${clean(flowRun)} ${clean(run.name)}`
  const message = to.message === undefined ? '' : `: ${clean(to.message)}`
  return `${palette.dim(clock(to.timestamp))}  ${what}  ${coloredState(to, palette)}${message}`
}
