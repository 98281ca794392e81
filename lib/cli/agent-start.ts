import type { Command } from 'commander'
import { Agent, type AgentEvent } from '../deployments/agent.js'
import { deploymentsOf } from '../deployments/of-engine.js'
import { ChildLauncher } from './agent/child-launcher.js'
import { stopOnSignals } from './agent/stop-on-signals.js'
import { cliEngine } from './engine.js'
import { wholeNumber } from './options.js'
import { clean, coloredState, colorsOf, printLine } from './print.js'

interface Options {
  readonly concurrency: number
}

/** Each run is a process. */
const mostAtOnce = 1000

export function define(command: Command): void {
  command
    .addOption(wholeNumber('--concurrency <number>', 'how many runs go on at once', 1, mostAtOnce).default(10))
    .addHelpText('after', help)
    .action(start)
}

const help = `
Begins the runs of all deployments of the store when they are due, the earliest first, each in a process of its own, and
prints a line when one begins and when it ends. Several agents may share a store: each run happens once.
Ctrl-C lets what runs end, a second one cancels it, a third one kills it.

Examples:
  $ mintaka agent start
  $ mintaka agent start --concurrency 2
  $ mintaka --home /srv/flows agent start`

async function start({ concurrency }: Options): Promise<void> {
  const engine = cliEngine()
  await engine.ready
  const agent = new Agent({ engine, launcher: new ChildLauncher(), concurrency, tell })
  const signals = stopOnSignals(agent, line => process.stderr.write(`${line}\n`))
  try {
    const { length } = await deploymentsOf(engine).list()
    printLine(`Agent ${agent.id} is ready: ${length === 1 ? '1 deployment' : `${length} deployments`}.`)
    await agent.ended
    printLine(`Agent ${agent.id} has stopped.`)
  } finally {
    signals.stop()
    await engine.close({ timeoutMs: 0 })
  }
  process.exitCode = signals.exitCode ?? process.exitCode
}

/** A line per run that begins or ends. */
function tell(event: AgentEvent): void {
  const { id, name, deployment } = event.run
  const what = `${clean(deployment)}  ${clean(name)}  ${id}`
  if (event.type === 'begun') return printLine(`${time()}  begins  ${what}`)
  const { state } = event
  const how = state ? coloredState(state, colorsOf(process.stdout)) : 'ended'
  const why = state && state.type !== 'COMPLETED' && state.message ? `: ${clean(state.message)}` : ''
  printLine(`${time()}  ${how}  ${what}${why}`)
}

/** Local time, as `12:00:00`. */
function time(): string {
  return new Date().toTimeString().slice(0, 8)
}
