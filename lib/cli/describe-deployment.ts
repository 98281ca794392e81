import { inspect } from 'node:util'
import type { FlowRun } from '../core/run.js'
import type { StoredRun } from '../core/store.js'
import type { Limits } from '../deployments/deployment.js'
import type { DeploymentRecord } from '../deployments/record.js'
import { bytesText } from './bytes.js'
import { clockIn, coloredId, scheduleText } from './deployment-text.js'
import { flowRunTable } from './flow-run-ls.js'
import { ago, type Colors, clean, cleanLines, clock, colorsOf, span } from './print.js'

/** A deployment with what is known of its runs. */
export interface InspectedDeployment {
  readonly record: DeploymentRecord
  /** When it runs next, in epoch milliseconds. */
  readonly next: number | undefined
  /** The newest ones, with those that have not begun. */
  readonly flowRuns: readonly StoredRun<FlowRun>[]
}

/** All about a deployment, for people: what it is, when it runs, and its last runs. */
export function describeDeployment(found: InspectedDeployment): string {
  const palette = colorsOf(process.stdout)
  const parts = [facts(found, palette)]
  if (found.flowRuns.length > 0) parts.push(`${palette.bold('Flow runs')}\n${flowRunTable(found.flowRuns)}`)
  return parts.join('\n\n')
}

function facts({ record, next }: InspectedDeployment, palette: Colors): string {
  const { schedule, created, updated, tags } = record
  const lines: [string, string | undefined][] = [
    ['flow', clean(record.flowName)],
    ['file', record.file],
    ['description', record.description && below(cleanLines(record.description))],
    ['parameters', record.parameters === undefined ? undefined : valueText(record.parameters)],
    ['schedule', schedule ? scheduleText(schedule) : 'none: it runs when it is asked to'],
    ['paused', record.paused ? palette.yellow('yes') : 'no'],
    ['next', next === undefined ? undefined : `${clockIn(next, schedule?.timezone)}, ${ago(next)}`],
    ['overlap', schedule && record.overlap],
    ['catch up', schedule && record.catchUp],
    ['limits', record.limits && limitsText(record.limits)],
    ['tags', clean(tags.join(', '))],
    ['created', `${clock(created)}, ${ago(created)}`],
    ['updated', updated === created ? undefined : `${clock(updated)}, ${ago(updated)}`],
  ]
  const shown = lines.filter(([, text]) => text !== undefined && text !== '')
  return [
    coloredId(record, palette),
    ...shown.map(([name, text]) => `  ${palette.dim(name.padEnd(labelWidth))} ${text}`),
  ].join('\n')
}

const labelWidth = 11

function valueText(value: unknown): string {
  const text = inspect(value, { depth: 4, breakLength: 100, maxArrayLength: 20, maxStringLength: 200 })
  return below(cleanLines(text))
}

/** Lines that stand behind a label. */
function below(text: string): string {
  return text.split('\n').join(`\n${' '.repeat(labelWidth + 3)}`)
}

function limitsText({ timeoutMs, memoryBytes }: Limits): string {
  const time = timeoutMs === undefined ? '' : `time ${span(timeoutMs)}`
  const memory = memoryBytes === undefined ? '' : `memory ${bytesText(memoryBytes)}`
  return [time, memory].filter(Boolean).join(', ')
}
