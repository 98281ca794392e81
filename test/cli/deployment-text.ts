import { test } from 'tap'
import { clockIn, scheduleText } from '../../lib/cli/deployment-text.js'
import type { Schedule } from '../../lib/deployments/schedule.js'

const words: [Schedule, string][] = [
  [{ intervalMs: 3_600_000 }, 'every 1 h'],
  [{ intervalMs: 5_400_500 }, 'every 1 h 30 m 500 ms'],
  [{ intervalMs: 604_800_000, timezone: 'Europe/Vienna' }, 'every 7 d (Europe/Vienna)'],
  [{ intervalMs: 86_400_000, anchor: '2026-10-01T09:00' }, 'every 1 d from 2026-10-01T09:00'],
  [{ cron: '0 9 * * 1-5', timezone: 'Europe/Vienna' }, 'cron 0 9 * * 1-5 (Europe/Vienna)'],
  [{ cron: '@daily' }, 'cron @daily'],
  [{ cron: '0 0 8-14 * FRI', dayOr: false }, 'cron 0 0 8-14 * FRI, day and weekday'],
  [{ rrule: 'FREQ=WEEKLY;BYDAY=MO' }, 'rrule FREQ=WEEKLY;BYDAY=MO'],
  [
    { rrule: 'DTSTART:20260101T090000\nRRULE:FREQ=DAILY\n', timezone: 'Asia/Tokyo' },
    'rrule DTSTART:20260101T090000 RRULE:FREQ=DAILY (Asia/Tokyo)',
  ],
]
for (const [schedule, text] of words)
  test(`a schedule in words: ${text}`, async t => t.equal(scheduleText(schedule), text))

test('a time is told on the clocks of its zone, with what they are ahead', async t => {
  const at = Date.UTC(2026, 2, 29, 0, 30)
  t.equal(clockIn(at), '2026-03-29 00:30:00 +00:00')
  t.equal(clockIn(at, 'Europe/Vienna'), '2026-03-29 01:30:00 +01:00')
  t.equal(clockIn(at + 3_600_000, 'Europe/Vienna'), '2026-03-29 03:30:00 +02:00')
  t.equal(clockIn(at, 'America/St_Johns'), '2026-03-28 22:00:00 -02:30')
})
