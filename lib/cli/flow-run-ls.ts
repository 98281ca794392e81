import type { Command } from 'commander'
import { didYouMean } from '../core/nearest.js'
import type { FlowRun } from '../core/run.js'
import type { Store, StoredRun } from '../core/store.js'
import { flowRunJson } from './as-json.js'
import { repeatable, wholeNumber } from './options.js'
import { ago, clean, coloredState, colorsOf, durationOf, ownerNote, printJson, printLine, widthOf } from './print.js'
import { checkStates } from './state-filter.js'
import { readStore } from './store.js'
import { type Column, table } from './table.js'

interface Options {
  readonly flowName: readonly string[]
  readonly state: readonly string[]
  readonly limit: number
  readonly json?: true
}

export function define(command: Command): void {
  command
    .addOption(repeatable('--flow-name <name>', 'only runs of this flow'))
    .addOption(repeatable('--state <state>', 'only runs in this state, by type or name'))
    .addOption(wholeNumber('--limit <number>', 'how many', 1).default(15))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka flow-run ls --flow-name report --state failed --state crashed')
    .action(list)
}

async function list({ flowName, state, limit, json }: Options, command: Command): Promise<void> {
  checkStates(state, command)
  const found = await readStore(store => store.listFlowRuns({ flowName, state, limit }))
  if (json) return printJson(found.map(stored => flowRunJson(stored)))
  if (found.length > 0) return printLine(tableOf(found))
  const isFiltered = flowName.length + state.length > 0
  const near = await readStore(store => nearFlows(store, flowName))
  process.stderr.write(isFiltered ? `There are no such flow runs.${near}\n` : 'There are no flow runs yet.\n')
}

/** What may be meant by names of flows that nothing has run of, among the newest runs. */
async function nearFlows(store: Store, asked: readonly string[]): Promise<string> {
  if (asked.length === 0) return ''
  const names = new Set((await store.listFlowRuns({ limit: 1000 })).map(({ run }) => run.flowName))
  return asked
    .filter(name => !names.has(name))
    .map(name => didYouMean(name, names))
    .join('')
}

const columns: readonly Column[] = [
  { head: 'flow', mayShrink: true },
  { head: 'name', mayShrink: true },
  { head: 'id' },
  { head: 'state' },
  { head: 'when' },
  { head: 'duration' },
]

function tableOf(found: readonly StoredRun<FlowRun>[]): string {
  const palette = colorsOf(process.stdout)
  const rows = found.map(({ run, ownerGone }) => [
    clean(run.flowName),
    clean(run.name),
    run.id,
    coloredState(run.state, palette, ownerNote({ ownerGone })),
    whenOf(run),
    durationOf(run),
  ])
  return table(columns, rows, widthOf(process.stdout), palette)
}

/** When it was made; of one that is scheduled, when it is to begin. */
function whenOf({ state, created }: Readonly<FlowRun>): string {
  return ago(state.type === 'SCHEDULED' ? state.scheduledTime : created)
}
