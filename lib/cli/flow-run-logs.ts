import type { Command } from 'commander'
import { logLevels } from '../core/logger.js'
import { fieldsText } from '../engine/logger.js'
import { logJson } from './as-json.js'
import { findBegunFlowRun, findFlowRun } from './find-run.js'
import { LogFollower, type LogLine } from './follow/follow-logs.js'
import { lookAgain } from './follow/look-again.js'
import { choice, wholeNumber } from './options.js'
import { type Colors, clean, cleanLines, clock, colorsOf, Failure, printLine } from './print.js'
import { followed, withScheduled } from './scheduled-runs.js'
import { readStore } from './store.js'

interface Options {
  readonly follow?: true
  readonly level: LogLine['level']
  readonly tail?: number
  readonly json?: true
}

export function define(command: Command): void {
  command
    .argument('<run>', 'id of a flow run, or how its id begins, or its name')
    .option('-f, --follow', 'print what comes, until the flow run has ended')
    .addOption(choice('--level <level>', 'only lines from this level on', logLevels).default('debug'))
    .addOption(wholeNumber('-n, --tail <number>', 'only so many of the last lines', 0))
    .option('--json', 'print JSON: an object a line')
    .addHelpText('after', help)
    .action(logs)
}

const help = `
What the flow and its tasks have logged, by log.info() and the like and, on threads, by console.log(); that of subflows
is among it. Lines are sorted by time.

Examples:
  $ mintaka flow-run logs eager-otter
  $ mintaka flow-run logs busy-bee -f --tail 20 --level warn`

async function logs(word: string, options: Options): Promise<void> {
  await readStore(async store => {
    const { run } = options.follow ? await findFlowRun(withScheduled(store), word) : await findBegunFlowRun(store, word)
    const follower = new LogFollower(followed(store), run.id)
    let isFirst = true
    await lookAgain(async () => {
      const { lines, progress } = await follower.look()
      const wanted = lines.filter(({ level }) => logLevels.indexOf(level) >= logLevels.indexOf(options.level))
      print(isFirst ? wanted.slice(firstOf(wanted, options)) : wanted, options)
      isFirst = false
      if (options.follow && progress === 'lost') throw lost(run.name)
      return !options.follow || progress !== 'going on'
    })
  })
}

function firstOf(lines: readonly unknown[], { tail }: Options): number {
  return tail === undefined ? 0 : Math.max(0, lines.length - tail)
}

function print(lines: readonly LogLine[], { json }: Options): void {
  const palette = colorsOf(process.stdout)
  for (const line of lines) printLine(json ? JSON.stringify(logJson(line)) : lineOf(line, palette))
}

function lineOf(line: LogLine, palette: Colors): string {
  const { level, message, fields, timestamp, flowRunName, taskRunName } = line
  const head = `${palette.dim(clock(timestamp))} | ${levelColor(level, palette)(level.toUpperCase().padEnd(5))} | `
  const [first = '', ...others] = cleanLines(`${message}${fieldsText(fields)}`).split('\n')
  const text = [first, ...others.map(other => `    ${other}`)].join('\n')
  return `${head}${palette.bold(clean(taskRunName ?? flowRunName))} | ${text}`
}

function levelColor(level: LogLine['level'], { dim, red, yellow, green }: Colors) {
  return { debug: dim, info: green, warn: yellow, error: red }[level]
}

/** Nothing more will come, though the run has not ended. */
export function lost(name: string): Failure {
  const fix = 'mintaka store recover makes it Crashed; then mintaka flow-run resume continues it.'
  return new Failure(`The process of flow run '${clean(name)}' has died. ${fix}`)
}
