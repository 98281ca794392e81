import { test } from 'tap'
import { checkParts } from '../../../lib/deployments/schedules/rrule-parts.js'

test('a part out of the ranges of RFC 5545 is named, and not taken for another hour or day', async t => {
  const wrong: [string, string][] = [
    ['FREQ=DAILY;BYHOUR=25', 'BYHOUR is a whole number from 0 to 23, not 25'],
    ['FREQ=DAILY;BYHOUR=-1', 'BYHOUR is a whole number from 0 to 23, not -1'],
    ['FREQ=DAILY;BYHOUR=9,9.5', 'BYHOUR is a whole number from 0 to 23, not 9.5'],
    ['FREQ=DAILY;BYHOUR=', 'BYHOUR is a whole number from 0 to 23, not nothing'],
    ['FREQ=DAILY;BYMINUTE=75', 'BYMINUTE is a whole number from 0 to 59, not 75'],
    ['FREQ=DAILY;BYSECOND=60', 'BYSECOND is a whole number from 0 to 59, not 60'],
    ['FREQ=MONTHLY;BYMONTHDAY=32', 'BYMONTHDAY is a whole number from 1 to 31, or from -31 to -1, not 32'],
    ['FREQ=MONTHLY;BYMONTHDAY=0', 'BYMONTHDAY is a whole number from 1 to 31, or from -31 to -1, not 0'],
    ['FREQ=YEARLY;BYYEARDAY=-367', 'BYYEARDAY is a whole number from 1 to 366, or from -366 to -1, not -367'],
    ['FREQ=MONTHLY;BYWEEKNO=60', 'BYWEEKNO is a whole number from 1 to 53, or from -53 to -1, not 60'],
    ['FREQ=YEARLY;BYMONTH=13', 'BYMONTH is a whole number from 1 to 12, not 13'],
    ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0', 'BYSETPOS is a whole number from 1 to 366, or from -366 to -1, not 0'],
    ['FREQ=DAILY;INTERVAL=0', 'INTERVAL is a whole number from 1 on, not 0'],
    ['FREQ=DAILY;INTERVAL=1,2', 'INTERVAL is a whole number from 1 on, not 1,2'],
    ['FREQ=DAILY;COUNT=-3', 'COUNT is a whole number from 1 on, not -3'],
    ['FREQ=MONTHLY;BYDAY=6MO', 'the number of a BYDAY is here from 1 to 5, or from -5 to -1, not 6'],
    ['FREQ=YEARLY;BYMONTH=2;BYDAY=-6MO', 'the number of a BYDAY is here from 1 to 5, or from -5 to -1, not -6'],
    ['FREQ=YEARLY;BYDAY=54MO', 'the number of a BYDAY is here from 1 to 53, or from -53 to -1, not 54'],
    ['FREQ=WEEKLY;BYDAY=1MO', 'BYDAY=1MO is for a FREQ of MONTHLY or YEARLY'],
    ['FREQ=WEEKLY;BYDAY=MO,XX', 'BYDAY has the days MO, TU, WE, TH, FR, SA, SU, as in MO,-1FR, and not XX'],
    ['FREQ=WEEKLY;WKST=1', 'WKST is one of MO, TU, WE, TH, FR, SA, SU, not 1'],
    ['FREQ=OFTEN', 'FREQ is one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY, not OFTEN'],
    ['FREQ', "'FREQ' is no part of a rule, such as BYHOUR=9"],
    ['FREQ=DAILY;UNTIL=20260230T000000Z', 'there is no 20260230T000000'],
    ['DTSTART:20261301\nRRULE:FREQ=DAILY', 'there is no 20261301'],
    ['RRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY;BYHOUR=24', 'BYHOUR is a whole number from 0 to 23, not 24'],
  ]
  for (const [text, message] of wrong) t.throws(() => checkParts(text), { message }, text)
})

test('what RFC 5545 knows is let in', async t => {
  const right = [
    'FREQ=DAILY;INTERVAL=86400000;COUNT=10000000',
    'FREQ=YEARLY;BYDAY=53MO,-53TU;WKST=SU',
    'FREQ=MONTHLY;BYDAY=+1MO,-5FR,SU;BYSETPOS=-366,366;BYMONTHDAY=-31,31',
    'FREQ=YEARLY;BYMONTH=1,12;BYWEEKNO=-53;BYYEARDAY=366;BYHOUR=0,23;BYMINUTE=59;BYSECOND=0',
    'DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;UNTIL=20280229T235959Z\nRDATE:20260505T120100Z,20260506',
  ]
  for (const text of right) t.doesNotThrow(() => checkParts(text), text)
})
