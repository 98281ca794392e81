import { setTimeout as wait } from 'node:timers/promises'
import type { Command } from 'commander'
import type { FlowRun } from '../core/run.js'
import { isTerminal } from '../core/state.js'
import type { Store, StoredRun } from '../core/store.js'
import { cancelScheduled } from '../deployments/cancel-scheduled.js'
import { flowRunJson } from './as-json.js'
import { findFlowRun } from './find-run.js'
import { seconds } from './options.js'
import { clean, coloredState, colorsOf, Failure, printJson, printLine } from './print.js'
import { printError } from './print-error.js'
import { withScheduled } from './scheduled-runs.js'
import { changeStore, cliOwner, readStore } from './store.js'

interface Options {
  readonly reason?: string
  readonly wait: boolean
  readonly timeout: number
  readonly json?: true
}

export function define(command: Command): void {
  command
    .argument('<run...>', 'ids of flow runs, or how these begin, or their names')
    .option('--reason <text>', 'why; it is told with the state')
    .option('--no-wait', 'do not wait until they have ended')
    .addOption(seconds('--timeout <seconds>', 'how long to wait').default(30))
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(cancel)
}

const help = `
The process that carries the flow run out is asked to end it, wherever it is: tasks that run are stopped, what has not
begun does not begin. The exit code is 1 if one is not Cancelled in the end.

Examples:
  $ mintaka flow-run cancel eager-otter
  $ mintaka flow-run cancel 9hx1k2 busy-bee --reason 'wrong year' --no-wait`

async function cancel(words: readonly string[], options: Options): Promise<void> {
  const runs = await readStore(async store => {
    const found: StoredRun<FlowRun>[] = []
    for (const word of words) found.push(await findFlowRun(withScheduled(store), word))
    return found
  })
  const going = runs.filter(({ run }) => !isTerminal(run.state))
  if (going.length > 0) await ask(going, options.reason)
  const ends = await endsOf(runs, options.wait ? options.timeout * 1000 : 0)
  const isAsked = ({ run }: StoredRun<FlowRun>) => going.some(({ run: { id } }) => id === run.id)
  const late = ends.filter(({ run }) => !isTerminal(run.state))
  if (options.json) printJson(ends.map(flowRunJson))
  else for (const end of ends) tell(end, isAsked(end))
  if (options.wait) for (const each of late) printError(stillGoing(each, options))
  const isDone = ({ run: { state } }: StoredRun<FlowRun>) =>
    state.type === 'CANCELLED' || (!options.wait && !isTerminal(state))
  if (!ends.every(isDone)) process.exitCode = 1
}

/** Opening the store ends the runs of processes that have died; the others find this in their inbox. */
function ask(runs: readonly StoredRun<FlowRun>[], reason: string | undefined): Promise<void> {
  return changeStore(async store => {
    for (const run of runs) await askOne(store, run, reason)
  })
}

/** One that is scheduled and has not begun needs nobody to end it. */
async function askOne(store: Store, before: StoredRun<FlowRun>, reason: string | undefined): Promise<void> {
  const { id } = before.run
  if (await cancelScheduled({ store, owner: cliOwner, now: Date.now }, id, reason)) return
  const { owner, ownerGone, run } = await again(store, before)
  if (!ownerGone && owner !== '' && !isTerminal(run.state))
    await store.post(owner, { type: 'cancel', runId: id, reason })
}

/** How they stand when all have ended, or time is out. One whose process dies meanwhile has ended. */
function endsOf(runs: readonly StoredRun<FlowRun>[], timeoutMs: number): Promise<StoredRun<FlowRun>[]> {
  const until = Date.now() + timeoutMs
  return readStore(async store => {
    for (;;) {
      const now = await Promise.all(runs.map(each => again(store, each)))
      const open = now.filter(({ run }) => !isTerminal(run.state))
      if (open.some(({ ownerGone }) => ownerGone)) await changeStore(store => store.recover())
      else if (open.length === 0 || Date.now() >= until) return now
      await wait(Math.min(lookEveryMs, Math.max(0, until - Date.now())))
    }
  })
}

/** An engine reads its inbox twice a second. */
const lookEveryMs = 100

async function again(store: Store, before: StoredRun<FlowRun>): Promise<StoredRun<FlowRun>> {
  return (await store.getFlowRun(before.run.id)) ?? before
}

function tell({ run: { name, state } }: StoredRun<FlowRun>, wasAsked: boolean): void {
  if (wasAsked && !isTerminal(state)) return printLine(`Flow run '${clean(name)}' has been asked to end.`)
  const text = coloredState(state, colorsOf(process.stdout))
  const why = state.type === 'CANCELLED' || state.message === undefined ? '' : `: ${clean(state.message)}`
  printLine(
    `Flow run '${clean(name)}' ${wasAsked ? 'is' : 'had ended before: it is'} ${text}${why}${why.endsWith('.') ? '' : '.'}`,
  )
}

function stillGoing({ run, owner }: StoredRun<FlowRun>, { timeout }: Options): Failure {
  const name = clean(run.name)
  const why =
    run.state.name === 'Cancelling'
      ? 'It has begun to end, and waits for tasks that do not stop by themselves.'
      : `Its process has not looked: it is busy, or stopped. mintaka store info tells which one that is (owner ${owner}); ` +
        `if it was on another machine and has died: mintaka store recover --owner ${owner} --force.`
  return new Failure(`Flow run '${name}' is ${run.state.name} after ${timeout} s. ${why}`)
}
