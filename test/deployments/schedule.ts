import { test } from 'tap'
import { nextOccurrences, occurrencesOf, type Schedule } from '../../lib/deployments/schedule.js'

const timezone = 'America/New_York'
const next = (schedule: Schedule, at: string, count = 3) =>
  nextOccurrences(schedule, Date.parse(at), count).map(time => new Date(time).toISOString().slice(0, 16))

test('a time on which it is asked counts', async t => {
  for (const schedule of [{ intervalMs: 3_600_000 }, { cron: '0 * * * *' }, { rrule: 'FREQ=HOURLY' }]) {
    t.strictSame(next(schedule, '2026-05-05T12:00Z', 2), ['2026-05-05T12:00', '2026-05-05T13:00'])
    t.strictSame(next(schedule, '2026-05-05T12:00:00.001Z', 1), ['2026-05-05T13:00'])
  }
})

test('from a day on the local hour stays when clocks change', async t => {
  const daily = { intervalMs: 86_400_000, anchor: '2026-01-01T09:00', timezone }
  t.strictSame(next(daily, '2026-03-07T00:00Z'), ['2026-03-07T14:00', '2026-03-08T13:00', '2026-03-09T13:00'])
})

test('below a day the time between two stays', async t => {
  const hourly = { intervalMs: 3_600_000, timezone }
  t.strictSame(next(hourly, '2026-11-01T05:00Z'), ['2026-11-01T05:00', '2026-11-01T06:00', '2026-11-01T07:00'])
})

test('an anchor may be a local time, or one that says its offset, and lie in the future', async t => {
  t.strictSame(next({ intervalMs: 7_200_000, anchor: '2030-01-01T01:00Z' }, '2026-05-05T12:00Z', 1), [
    '2026-05-05T13:00',
  ])
  t.strictSame(next({ intervalMs: 7_200_000, anchor: '2030-01-01T01:00+01:00' }, '2026-05-05T12:00Z', 1), [
    '2026-05-05T12:00',
  ])
})

test('cron can ask for both the day of the month and of the week', async t => {
  const secondFriday = { cron: '0 0 8-14 * FRI', dayOr: false }
  t.strictSame(next(secondFriday, '2026-03-01T00:00Z', 2), ['2026-03-13T00:00', '2026-04-10T00:00'])
})

test('a rule may be lines of a calendar, with a beginning, an end and exceptions', async t => {
  const rrule = [
    'DTSTART;TZID=America/New_York:20260301T023000',
    'RRULE:FREQ=DAILY;COUNT=4',
    'EXDATE;TZID=America/New_York:20260302T023000',
    'RDATE;TZID=America/New_York:20260401T120000',
  ].join('\n')
  const times = ['2026-03-01T07:30', '2026-03-03T07:30', '2026-03-04T07:30', '2026-04-01T16:00']
  t.strictSame(next({ rrule }, '2026-01-01T00:00Z', 10), times)
  t.strictSame(next({ rrule: 'FREQ=DAILY;UNTIL=20260401T120000Z', timezone }, '2026-04-01T00:00Z', 10), [
    '2026-04-01T04:00',
  ])
})

test('a rule of every minute since 2020 costs nothing', async t => {
  t.strictSame(next({ rrule: 'FREQ=MINUTELY;INTERVAL=7' }, '2026-05-05T12:00Z', 1), ['2026-05-05T12:06'])
})

test('rare times are found', async t => {
  const monday29 = { rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO' }
  t.strictSame(next(monday29, '2026-01-01T00:00Z', 2), ['2044-02-29T00:00', '2072-02-29T00:00'])
})

test('a schedule that has ended has no more times', async t => {
  t.strictSame(next({ rrule: 'FREQ=DAILY;UNTIL=20200301T000000Z' }, '2026-01-01T00:00Z'), [])
})

test('a rule that comes once and then never again holds nobody up who asks for the next time', async t => {
  // The library would leave out minute after minute, until the year 9999.
  const rrule = 'DTSTART:20260505T120000\nRRULE:FREQ=MINUTELY\nEXRULE:FREQ=MINUTELY\nRDATE:20260505T120030'
  t.strictSame(next({ rrule }, '2026-05-05T12:00Z', 1), ['2026-05-05T12:00'])
  t.throws(() => next({ rrule }, '2026-05-05T12:01Z', 1), {
    code: 'INVALID_OPTION',
    message: /takes more than 2000 ms to tell when it comes next/,
  })
})

test('what is left out by a rule that never comes is nothing', async t => {
  const rrule = 'RRULE:FREQ=DAILY\nEXRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'
  t.strictSame(next({ rrule }, '2026-02-28T12:00Z', 1), ['2026-03-01T00:00'])
})

test('a rule with a COUNT ends after so many times that clocks show', async t => {
  const rrule = 'DTSTART:20260306T023000\nRRULE:FREQ=DAILY;COUNT=4'
  const times = ['2026-03-06T07:30', '2026-03-07T07:30', '2026-03-09T06:30', '2026-03-10T06:30']
  t.strictSame(next({ rrule, timezone }, '2026-01-01T00:00Z', 10), times)
  t.strictSame(next({ rrule, timezone }, '2026-03-08T00:00Z', 10), times.slice(2))
})

test('a rule may be in small letters', async t => {
  t.strictSame(next({ rrule: 'freq=weekly;byday=mo' }, '2026-05-05T12:00Z', 1), ['2026-05-11T00:00'])
})

test('a schedule that never comes is refused, and does not stop whoever asks', async t => {
  const never: Schedule[] = [
    { cron: '0 0 30 2 *' },
    { rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' },
    { rrule: 'FREQ=MONTHLY;BYMONTH=2;BYDAY=MO;BYSETPOS=6' },
    { rrule: 'FREQ=DAILY;UNTIL=20190101T000000Z' },
    // The library would look for these for minutes, or for ever.
    { rrule: 'FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30' },
    { rrule: 'FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1' },
    { rrule: 'FREQ=DAILY;BYSETPOS=5' },
    { rrule: 'FREQ=SECONDLY;COUNT=1000000000' },
    { rrule: 'RRULE:FREQ=MINUTELY\nEXRULE:FREQ=MINUTELY' },
    { rrule: 'DTSTART:20200101T000000\nRRULE:FREQ=DAILY\nEXRULE:FREQ=HOURLY;INTERVAL=2;BYHOUR=1' },
  ]
  for (const schedule of never)
    t.throws(
      () => occurrencesOf(schedule),
      { code: 'INVALID_OPTION', message: /never comes/ },
      JSON.stringify(schedule),
    )
})

test('a time that is none, or a number of times that is none, is refused', async t => {
  const daily = { cron: '0 0 * * *' }
  for (const at of [Number.NaN, Number.POSITIVE_INFINITY, undefined as unknown as number])
    t.throws(() => nextOccurrences(daily, at, 2), { code: 'INVALID_ARGUMENT', message: /epoch milliseconds, not / })
  for (const count of [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY])
    t.throws(() => nextOccurrences(daily, 0, count), {
      code: 'INVALID_ARGUMENT',
      message: /whole number of times, not /,
    })
  t.strictSame(nextOccurrences(daily, 0, 0), [])
})

test('what is wrong with a schedule is named', async t => {
  const wrong: [unknown, RegExp][] = [
    [undefined, /has one of intervalMs, cron, rrule/],
    [{ every: 5 }, /has one of intervalMs, cron, rrule/],
    [{ cron: '* * * * *', rrule: 'FREQ=DAILY' }, /has one of/],
    [{ cron: '* * * * *', anchor: '2020-01-01' }, /with cron may also have timezone, dayOr, but no 'anchor'/],
    [{ intervalMs: 10 }, /intervalMs is a whole number of milliseconds from 1000 on, not 10/],
    [{ intervalMs: '5m' }, /intervalMs is a whole number/],
    [{ intervalMs: 5000, anchor: 'monday' }, /anchor is a date and time, such as .*, not "monday"/],
    [{ cron: 'every day' }, /cron is five fields .* not "every day"/],
    [{ cron: 5 }, /cron is five fields .* not 5: It is no text\.$/],
    [{ cron: '0 0 1 1 * * 2027' }, /cron is five fields .*, or six with seconds first, .* not ".*": It has 7\.$/],
    [{ cron: ' * * ' }, /not " \* \* ": It has 2\.$/],
    [{ cron: '@often' }, /not "@often": There is no such word\.$/],
    [{ cron: '0 0 32 * *' }, /not "0 0 32 \* \*": Invalid value for day\.$/],
    [{ rrule: 'FREQ=WEEKLY;BYDAY=XX' }, /BYDAY has the days MO, .* not XX\.$/],
    [{ cron: '* * * * *', timezone: 'Vienna' }, /timezone is the name of a time zone, .*, not "Vienna"/],
    [{ rrule: 'every day' }, /rrule is a recurrence rule of RFC 5545/],
    [{ rrule: 'FREQ=DAILY;INTERVAL=0' }, /rrule is .*: INTERVAL is a whole number from 1 on, not 0\.$/],
    [{ rrule: 'FREQ=DAILY;INTERVAL=-2' }, /INTERVAL is a whole number from 1 on/],
    [{ rrule: 'FREQ=DAILY;INTERVAL=1.5' }, /INTERVAL is a whole number from 1 on/],
    [{ rrule: 7 }, /rrule is a recurrence rule of RFC 5545/],
    [{ rrule: 'DTSTART;TZID=Europe/Vienna:20260301T023000\nRRULE:FREQ=DAILY', timezone }, /Leave one of them out/],
  ]
  for (const [schedule, message] of wrong)
    t.throws(() => occurrencesOf(schedule as Schedule), { code: 'INVALID_OPTION', message })
})
