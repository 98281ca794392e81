import { test } from 'tap'
import { timeOption } from '../../lib/cli/time-option.js'

process.env.TZ = 'America/New_York'
const iso = (text: string) => new Date(timeOption(text)).toISOString()

test('a time is one of this machine unless it says its offset; a date alone is its midnight', async t => {
  t.equal(iso('2026-12-24'), '2026-12-24T05:00:00.000Z')
  t.equal(iso('2026-12-24T09:30'), '2026-12-24T14:30:00.000Z')
  t.equal(iso('2026-12-24 09:30:15.5'), '2026-12-24T14:30:15.500Z')
  t.equal(iso('2026-12-24t09:30z'), '2026-12-24T09:30:00.000Z')
  t.equal(iso('2026-12-24T09:30+0100'), '2026-12-24T08:30:00.000Z')
  t.equal(iso('2026-12-24T09:30-03:30'), '2026-12-24T13:00:00.000Z')
  t.equal(iso('2028-02-29T00:00Z'), '2028-02-29T00:00:00.000Z')
})

test('a day or time that there is not is refused, and not taken for another one', async t => {
  for (const text of ['2026-02-30T10:00', '2026-02-29', '2026-04-31T10:00Z', '2026-13-01', '2026-05-05T25:00'])
    t.throws(() => timeOption(text), { code: 'commander.invalidArgument', message: `There is no ${text}.` })
})

test('what is no date and time is told what one looks like', async t => {
  for (const text of ['tomorrow', '', '5', '1 Oct 2026', '2026-10-01T09'])
    t.throws(() => timeOption(text), { message: /should be a date and time, such as 2026-10-01T09:00/ })
})
