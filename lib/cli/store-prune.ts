import { type Command, InvalidArgumentError } from 'commander'
import { bytesText } from './bytes.js'
import { wholeNumber } from './options.js'
import { printJson, printLine } from './print.js'
import { changeStore } from './store.js'

interface Options {
  readonly keep?: number
  readonly olderThan?: number
  readonly dryRun?: true
  readonly json?: true
}

export function define(command: Command): void {
  command
    .addOption(wholeNumber('--keep <number>', 'keep so many of the newest flow runs', 0))
    .option('--older-than <age>', 'remove only what ended longer ago, such as 30d, 12h, 45m', age)
    .option('--dry-run', 'tell what would be removed, and remove nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Flow runs go that have ended, with their subflow runs, task runs, logs and results.
With both limits, those go to which both apply.

Example:
  $ mintaka store prune --keep 1000 --older-than 30d`,
    )
    .action(prune)
}

const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 }

function age(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([dhms])$/.exec(text)
  if (match) return Number(match[1]) * units[match[2]!]!
  throw new InvalidArgumentError('It should be a number with a unit, such as 30d, 12h, 45m or 90s.')
}

async function prune({ keep, olderThan, dryRun, json }: Options, command: Command): Promise<void> {
  if (keep === undefined && olderThan === undefined)
    command.error('error: say what to keep: --keep <number>, --older-than <age> or both')
  const pruned = await changeStore(store => store.prune({ keep, olderThanMs: olderThan, dryRun }))
  if (json) return printJson({ ...pruned, dryRun: dryRun ?? false })
  const { flowRuns, bytes, cacheEntries, claims, inboxes } = pruned
  if (dryRun) return printLine(`${flowRuns} flow runs would be removed.`)
  const others = [
    `${cacheEntries} expired entries of the cache`,
    `${claims} claims`,
    `${inboxes} inboxes of engines that are gone`,
  ]
  printLine(`${flowRuns} flow runs have been removed, ${bytesText(bytes)}; and ${others.join(', ')}.`)
}
