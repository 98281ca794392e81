import type { Command } from 'commander'
import { didYouMean } from '../core/nearest.js'
import type { FlowRun } from '../core/run.js'
import type { Store, StoredRun } from '../core/store.js'
import { flowRunJson } from './as-json.js'
import { meantBy } from './find-deployment.js'
import { repeatable, wholeNumber } from './options.js'
import { ago, clean, coloredState, colorsOf, durationOf, ownerNote, printJson, printLine, widthOf } from './print.js'
import { withScheduled } from './scheduled-runs.js'
import { checkStates } from './state-filter.js'
import { deploymentsIn, readStore } from './store.js'
import { type Column, table } from './table.js'

interface Options {
  readonly flowName: readonly string[]
  readonly state: readonly string[]
  readonly deployment: readonly string[]
  readonly limit: number
  readonly json?: true
}

export function define(command: Command): void {
  command
    .addOption(repeatable('--flow-name <name>', 'only runs of this flow'))
    .addOption(repeatable('--state <state>', 'only runs in this state, by type or name'))
    .addOption(repeatable('--deployment <id>', 'only runs of this deployment'))
    .addOption(wholeNumber('--limit <number>', 'how many', 1).default(15))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka flow-run ls --flow-name report --state failed --state crashed')
    .action(list)
}

async function list({ flowName, state, deployment, limit, json }: Options, command: Command): Promise<void> {
  checkStates(state, command)
  const { found, near } = await readStore(async store => {
    const ids = await deploymentIds(store, deployment)
    const filter = { flowName, state, deployment: ids, limit: limit + 1 } // one more, to know whether there are more
    const found = await withScheduled(store).listFlowRuns(filter)
    const near = found.length > 0 ? '' : `${await nearFlows(store, flowName)}${await nearDeployments(store, ids)}`
    return { found, near }
  })
  const newest = found.slice(0, limit)
  if (json) return printJson(newest.map(stored => flowRunJson(stored)))
  if (newest.length > 0) printLine(flowRunTable(newest))
  if (found.length > limit) process.stderr.write('There are more: --limit tells how many to list.\n')
  if (newest.length > 0) return
  const isFiltered = flowName.length + state.length + deployment.length > 0
  process.stderr.write(isFiltered ? `There are no such flow runs.${near}\n` : 'There are no flow runs yet.\n')
}

/** Ids by what was asked for; a deployment that is there no more may have runs. */
async function deploymentIds(store: Store, asked: readonly string[]): Promise<string[]> {
  const all = asked.length === 0 ? [] : await (await deploymentsIn(store)).list()
  return asked.flatMap(word => {
    const meant = meantBy(word, all).map(({ id }) => id)
    return meant.length > 0 ? meant : [word]
  })
}

/** What may be meant by names of flows that nothing has run of, among the newest runs. */
async function nearFlows(store: Store, asked: readonly string[]): Promise<string> {
  if (asked.length === 0) return ''
  const newest = await withScheduled(store).listFlowRuns({ limit: 1000 })
  return nearOf(
    asked,
    newest.map(({ run }) => run.flowName),
  )
}

async function nearDeployments(store: Store, asked: readonly string[]): Promise<string> {
  if (asked.length === 0) return ''
  const ids = (await (await deploymentsIn(store)).list()).map(({ id }) => id)
  return nearOf(asked, ids)
}

function nearOf(asked: readonly string[], known: readonly string[]): string {
  return asked
    .filter(word => !known.includes(word))
    .map(word => didYouMean(word, known))
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

/** Flow runs, a line each. */
export function flowRunTable(found: readonly StoredRun<FlowRun>[]): string {
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
