import { type Command, InvalidArgumentError } from 'commander'
import type { FlowRun } from '../core/run.js'
import type { StoredRun } from '../core/store.js'
import { flowRunJson } from './as-json.js'
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
    .option('--flow-name <name>', 'only runs of this flow (repeatable)', append, [])
    .option('--state <state>', 'only runs in this state, by type or name (repeatable)', append, [])
    .option('--limit <number>', 'how many', count, 15)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka flow-run ls --flow-name report --state failed --state crashed')
    .action(list)
}

const append = (word: string, before: readonly string[]) => [...before, word]

function count(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It should be a whole number from 1 on.')
}

async function list({ flowName, state, limit, json }: Options, command: Command): Promise<void> {
  checkStates(state, command)
  const found = await readStore(store => store.listFlowRuns({ flowName, state, limit }))
  if (json) return printJson(found.map(stored => flowRunJson(stored)))
  if (found.length > 0) return printLine(tableOf(found))
  const isFiltered = flowName.length + state.length > 0
  process.stderr.write(isFiltered ? 'There are no such flow runs.\n' : 'There are no flow runs yet.\n')
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
