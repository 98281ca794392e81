import type { DeploymentRecord } from '../deployments/record.js'
import type { Schedule } from '../deployments/schedule.js'
import { type Colors, clean } from './print.js'

/** An id in the colours of a list. */
export function coloredId(
  { flowName, name }: Pick<DeploymentRecord, 'flowName' | 'name'>,
  { blue, bold }: Colors,
): string {
  return blue(`${clean(flowName)}/${bold(clean(name))}`)
}

/** A schedule in words: `every 1 h`, `cron 0 9 * * 1-5 (Europe/Vienna)`. */
export function scheduleText(schedule: Schedule): string {
  const zone = schedule.timezone === undefined ? '' : ` (${schedule.timezone})`
  return clean(rule(schedule)) + zone
}

function rule(schedule: Schedule): string {
  if ('cron' in schedule) return `cron ${schedule.cron}${schedule.dayOr === false ? ', day and weekday' : ''}`
  if ('rrule' in schedule) return `rrule ${schedule.rrule.trim()}`
  const { intervalMs, anchor } = schedule
  return `every ${intervalText(intervalMs)}${anchor === undefined ? '' : ` from ${anchor}`}`
}

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
  [1, 'ms'],
] as const

/** All of it: `1 h 30 m`, never rounded. */
function intervalText(ms: number): string {
  let rest = ms
  const parts: string[] = []
  for (const [size, unit] of units) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) parts.push(`${count} ${unit}`)
  }
  return parts.join(' ')
}

/** When a time is on the clocks of a time zone: `2026-03-29 09:00:00 +02:00`. */
export function clockIn(at: number, timezone = 'UTC'): string {
  const parts = clockOf(timezone).formatToParts(at)
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.find(part => part.type === type)?.value ?? ''
  const offset = of('timeZoneName').replace('GMT', '') || '+00:00'
  return `${of('year')}-${of('month')}-${of('day')} ${of('hour')}:${of('minute')}:${of('second')} ${offset}`
}

/** Making one takes far longer than asking it. */
const clocks = new Map<string, Intl.DateTimeFormat>()

function clockOf(timeZone: string): Intl.DateTimeFormat {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat('en-CA', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZoneName: 'longOffset',
    })
  clocks.set(timeZone, clock)
  return clock
}
