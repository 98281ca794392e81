import { CronExpressionParser } from 'cron-parser'
import { RRuleTemporal } from 'rrule-temporal'
import { test } from 'tap'
import { nextOccurrences, occurrencesOf, type Schedule } from '../../../lib/deployments/schedule.js'
import { Random } from '../../fixtures/random.js'
import { walkedCron, walkedInterval } from './fixtures/walks.js'

// A thousand random schedules in five time zones, around the days when clocks change, against other implementations:
// rules against rrule-temporal, cron against cron-parser where clocks never change and against a walk over every minute
// where they do, intervals against a walk as well. Lord Howe changes by half an hour, Santiago at midnight.

const timezones = ['America/New_York', 'Europe/Vienna', 'Australia/Lord_Howe', 'America/Santiago', 'Asia/Kolkata']
const changes = [
  '2026-03-08', // New York, forward
  '2026-11-01', // back
  '2026-03-29', // Vienna, forward
  '2026-10-25', // back
  '2026-10-04', // Lord Howe, forward
  '2026-04-05', // back; Santiago, back
  '2026-09-06', // Santiago, forward
]
const hour = 60 * 60 * 1000
const day = 24 * hour
const seed = Number(process.env['SEED'] ?? 20_261_123)
const random = new Random(seed)
const below = (end: number) => random.below(end)
const oneOf = <T>(items: readonly T[]): T => random.of(items)
const some = (from: number, to: number, many: number) =>
  [...new Set(Array.from({ length: many }, () => from + below(to - from + 1)))].sort((a, b) => a - b)

/** All times of a schedule from `from` to before `until`. */
function timesOf(schedule: Schedule, from: number, until: number): number[] {
  const times: number[] = []
  for (const time of occurrencesOf(schedule).from(from)) {
    if (time >= until) break
    times.push(time)
  }
  return times
}

const show = (times: readonly number[]) => times.map(time => new Date(time).toISOString())

test(`400 random cron expressions (seed ${seed})`, async t => {
  for (let n = 0; n < 400; n += 1) {
    const timezone = oneOf(timezones)
    const cron = randomCron()
    const from = Date.parse(`${oneOf(changes)}T00:00:00Z`) - day - below(hour)
    const until = from + 3 * day
    const expected = walkedCron(cron, timezone, from, until)
    t.strictSame(show(timesOf({ cron, timezone }, from, until)), show(expected), `${cron} in ${timezone}`)
  }
})

test(`100 random cron expressions with days of months, where clocks never change (seed ${seed})`, async t => {
  for (let n = 0; n < 100; n += 1) {
    const timezone = oneOf(['UTC', 'Asia/Kolkata'])
    const cron = `${oneOf(['0', '30', '*/20'])} ${below(24)} ${oneOf(['*', '1', '1,15', '*/10', 'L'])} ${oneOf(['*', '2', '1-6/2', 'JAN,OCT'])} ${oneOf(['*', 'MON', '1-5', '0,6'])}`
    const from = Date.parse('2026-01-01T00:00:00Z') + below(300) * day
    const reference = CronExpressionParser.parse(cron, { currentDate: new Date(from - 1), tz: timezone })
    const expected = Array.from({ length: 10 }, () => reference.next().getTime())
    t.strictSame(show(nextOccurrences({ cron, timezone }, from, 10)), show(expected), `${cron} in ${timezone}`)
  }
})

test(`300 random recurrence rules (seed ${seed})`, async t => {
  for (let n = 0; n < 300; n += 1) {
    const timezone = oneOf(timezones)
    const rrule = randomRule(timezone)
    const from = Date.parse(`${oneOf(changes)}T00:00:00Z`) - 2 * day - below(hour)
    const until = from + oneOf([5, 60, 400]) * day
    const expected = new RRuleTemporal({ rruleString: rrule })
      .between(new Date(from), new Date(until - 1), true)
      .map(time => time.epochMilliseconds)
    t.strictSame(show(timesOf({ rrule }, from, until)), show(expected), rrule.replace('\n', ' '))
  }
})

test(`200 random intervals (seed ${seed})`, async t => {
  for (let n = 0; n < 200; n += 1) {
    const timezone = oneOf(timezones)
    const minutes = oneOf([7, 45, 60, 90, 6 * 60, 12 * 60, 24 * 60, 36 * 60, 48 * 60, 7 * 24 * 60])
    const anchor = `2026-0${1 + below(2)}-1${below(9)}T${String(below(24)).padStart(2, '0')}:${oneOf(['00', '15', '30'])}`
    const schedule = { intervalMs: minutes * 60_000, anchor, timezone }
    const from = Date.parse(`${oneOf(changes)}T00:00:00Z`) - day - below(hour)
    const until = from + 10 * day
    const expected = walkedInterval(schedule, from, until)
    t.strictSame(show(timesOf(schedule, from, until)), show(expected), JSON.stringify(schedule))
  }
})

// --- chance

function randomCron(): string {
  const minute = oneOf(['0', '30', '15', String(below(60)), '*/15', '*/7', '*', '5,35', '10-20/5'])
  const hours = oneOf(['*', '*', '0', '1', '2', '3', '*/2', '1-3', '0,2,12', String(below(24))])
  const weekday = oneOf(['*', '*', '*', '0', '6', 'SUN', '1-5', '0,3'])
  return `${minute} ${hours} * * ${weekday}`
}

const weekdays = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** Daily and rarer: in those more frequent, what becomes of the hour that comes twice is a matter of opinion. */
function randomRule(timezone: string): string {
  const freq = oneOf(['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'])
  const parts = [`FREQ=${freq}`]
  if (below(2)) parts.push(`INTERVAL=${1 + below(4)}`)
  if (below(2)) parts.push(`BYHOUR=${some(0, 5, 2).join(',')}`)
  if (below(3) === 0) parts.push(`BYMINUTE=${some(0, 59, 2).join(',')}`)
  if (freq === 'WEEKLY' && below(2))
    parts.push(
      `BYDAY=${some(0, 6, 3)
        .map(index => weekdays[index])
        .join(',')}`,
    )
  if (freq === 'MONTHLY')
    parts.push(oneOf([`BYDAY=${oneOf(['1', '2', '-1'])}${oneOf(weekdays)}`, `BYMONTHDAY=${some(1, 28, 3).join(',')}`]))
  if (freq === 'YEARLY') parts.push(`BYMONTH=${some(1, 12, 4).join(',')}`, `BYMONTHDAY=${some(1, 28, 2).join(',')}`)
  if (below(4) === 0) parts.push(oneOf([`COUNT=${20 + below(400)}`, 'UNTIL=20261101T070000Z']))
  const start = `2026010${1 + below(9)}T0${below(4)}${oneOf(['0000', '3000', '1500'])}`
  return `DTSTART;TZID=${timezone}:${start}\nRRULE:${parts.join(';')}`
}
