import type { Command } from 'commander'
import { didYouMean } from '../core/nearest.js'
import type { DeploymentRecord, ScheduledRun } from '../deployments/record.js'
import { deploymentJson } from './deployment-json.js'
import { coloredId, scheduleText } from './deployment-text.js'
import { nextTime } from './next-time.js'
import { repeatable } from './options.js'
import { ago, clean, colorsOf, printJson, printLine, widthOf } from './print.js'
import { deploymentsIn, readStore } from './store.js'
import { type Column, table } from './table.js'

interface Options {
  readonly flowName: readonly string[]
  readonly byCreated?: true
  readonly json?: true
}

export function define(command: Command): void {
  command
    .addOption(repeatable('--flow-name <name>', 'only deployments of this flow'))
    .option('--by-created', 'the newest first, and not by name')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka deployment ls --flow-name report')
    .action(list)
}

async function list({ flowName, byCreated, json }: Options): Promise<void> {
  const { records, scheduled, near } = await readStore(async store => {
    const deployments = await deploymentsIn(store)
    const all = await deployments.list()
    const names = all.map(record => record.flowName)
    const records = flowName.length === 0 ? all : all.filter(record => flowName.includes(record.flowName))
    const near = flowName.map(name => didYouMean(name, names)).join('')
    return { records, scheduled: await deployments.scheduled(), near }
  })
  const now = Date.now()
  const all = byCreated ? records.toSorted((a, b) => b.created - a.created) : records
  if (json) return printJson(all.map(record => deploymentJson(record, nextTime(record, scheduled, now))))
  if (all.length > 0) return printLine(tableOf(all, scheduled, now))
  if (flowName.length > 0) process.stderr.write(`There are no such deployments.${near}\n`)
  else process.stderr.write('There are no deployments yet. mintaka deployment create FILE makes those of a file.\n')
}

const columns: readonly Column[] = [
  { head: 'deployment', mayShrink: true },
  { head: 'schedule', mayShrink: true },
  { head: 'next' },
  { head: 'paused' },
  { head: 'tags', mayShrink: true },
]

function tableOf(records: readonly DeploymentRecord[], scheduled: readonly ScheduledRun[], now: number): string {
  const palette = colorsOf(process.stdout)
  const rows = records.map(record => {
    const next = nextTime(record, scheduled, now)
    return [
      coloredId(record, palette),
      record.schedule ? scheduleText(record.schedule) : '',
      next === undefined ? '' : ago(next, now),
      record.paused ? palette.yellow('paused') : '',
      clean(record.tags.join(', ')),
    ]
  })
  return table(columns, rows, widthOf(process.stdout), palette)
}
