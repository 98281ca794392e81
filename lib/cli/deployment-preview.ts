import type { Command } from 'commander'
import type { DeploymentRecord } from '../deployments/record.js'
import { nextOccurrences, type Schedule } from '../deployments/schedule.js'
import { isoTime } from './deployment-json.js'
import { clockIn, scheduleText } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { wholeNumber } from './options.js'
import { ago, clean, colorsOf, printJson, printLine, widthOf } from './print.js'
import { deploymentsIn, readStore } from './store.js'
import { table } from './table.js'

interface Options {
  readonly limit: number
  readonly json?: true
}

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .addOption(wholeNumber('--limit <number>', 'how many', 1).default(10))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka deployment preview report/daily --limit 3')
    .action(preview)
}

/** The next times of its schedule, also while it is paused. */
async function preview(word: string, { limit, json }: Options): Promise<void> {
  const record = await readStore(async store => findDeployment(await deploymentsIn(store), word))
  const { schedule, paused } = record
  const now = Date.now()
  const times = schedule ? nextOccurrences(schedule, now, limit) : []
  if (json) return printJson(times.map(at => ({ scheduledTime: isoTime(at) })))
  tellWhy(record, times.length)
  if (!schedule || times.length === 0) return
  const note = paused ? ', if it were not paused' : ''
  process.stderr.write(`${clean(record.id)}: ${scheduleText(schedule)}${note}\n`)
  printLine(tableOf(times, schedule, now))
}

function tellWhy({ id, schedule }: DeploymentRecord, count: number): void {
  if (!schedule) process.stderr.write(`${clean(id)} has no schedule: it runs when it is asked to.\n`)
  else if (count === 0) process.stderr.write(`${clean(id)}: ${scheduleText(schedule)}, which never comes again.\n`)
}

function tableOf(times: readonly number[], { timezone = 'UTC' }: Schedule, now: number): string {
  const rows = times.map(at => [clockIn(at, timezone), ago(at, now)])
  return table([{ head: timezone }, { head: 'when' }], rows, widthOf(process.stdout), colorsOf(process.stdout))
}
