import { test } from 'tap'
import { decide, nextDue, type Standing } from '../../lib/deployments/decide.js'
import { occurrencesOf } from '../../lib/deployments/schedule.js'

const minute = 60_000
const noon = Date.UTC(2026, 4, 5, 12)
const at = (minutes: number) => noon + minutes * minute
const everyMinute = occurrencesOf({ intervalMs: minute })

/** Looked at a second after `now` minutes past noon. */
const standing = (now: number, some: Partial<Standing> = {}): Standing => ({
  now: at(now) + 1000,
  occurrences: everyMinute,
  overlap: 'allow',
  catchUp: 'last',
  lateAfterMs: 5000,
  decidedUntil: at(now - 1),
  running: 0,
  queued: [],
  ...some,
})
const starts = (...minutes: number[]) => minutes.map(each => ({ at: at(each), type: 'start' as const }))

test('what is due is started, once', async t => {
  const { decisions, decidedUntil, missed } = decide(standing(3))
  t.strictSame(decisions, starts(3))
  t.equal(missed, undefined)
  t.strictSame(decide(standing(3, { decidedUntil })).decisions, [])
  t.equal(nextDue({ occurrences: everyMinute, decidedUntil }), at(4))
})

test('of those that were missed, all are made up for, or the last, or none', async t => {
  const asleep = { decidedUntil: at(0), now: at(3) + 30_000 }
  t.strictSame(decide(standing(3, { ...asleep, catchUp: 'all' })).decisions, starts(1, 2, 3))
  const last = decide(standing(3, { ...asleep, catchUp: 'last' }))
  t.strictSame(last.decisions, starts(3))
  t.strictSame(last.missed, { count: 2, first: at(1), last: at(2) })
  const none = decide(standing(3, { ...asleep, catchUp: 'none' }))
  t.strictSame(none.decisions, [])
  t.strictSame(none.missed, { count: 3, first: at(1), last: at(3) })
  t.equal(none.decidedUntil, at(3))
})

test('one that is in time makes up for those that were missed', async t => {
  const { decisions, missed } = decide(standing(3, { decidedUntil: at(0) }))
  t.strictSame(decisions, starts(3))
  t.equal(missed?.count, 2)
})

test('what was missed for a long time is looked at by the hundred', async t => {
  let decidedUntil = at(-1000)
  let missed = 0
  const started: number[] = []
  for (let looks = 0; looks < 11; looks += 1) {
    const look = decide(standing(0, { decidedUntil, now: at(0) + 30_000 }))
    missed += look.missed?.count ?? 0
    started.push(...look.decisions.map(decision => decision.at))
    decidedUntil = look.decidedUntil
  }
  t.strictSame(started, [at(0)])
  t.equal(missed, 999)
  t.equal(decidedUntil, at(0))
})

test('while one runs the next one begins too, waits or is left out', async t => {
  const busy = { running: 1 }
  t.strictSame(decide(standing(3, { ...busy, overlap: 'allow' })).decisions, starts(3))
  t.strictSame(decide(standing(3, { ...busy, overlap: 'queue' })).decisions, [{ at: at(3), type: 'queue' }])
  t.strictSame(decide(standing(3, { ...busy, overlap: 'skip' })).decisions, [{ at: at(3), type: 'skip' }])
})

test('of several that are due at once, only the first begins if they must not overlap', async t => {
  const asleep = { decidedUntil: at(0), catchUp: 'all' as const }
  t.strictSame(decide(standing(3, { ...asleep, overlap: 'queue' })).decisions, [
    ...starts(1),
    { at: at(2), type: 'queue' },
    { at: at(3), type: 'queue' },
  ])
  t.strictSame(decide(standing(3, { ...asleep, overlap: 'skip' })).decisions, [
    ...starts(1),
    { at: at(2), type: 'skip' },
    { at: at(3), type: 'skip' },
  ])
})

test('those that wait begin one at a time, before what is due now', async t => {
  const waiting = { overlap: 'queue' as const, queued: [at(1), at(2)] }
  t.strictSame(decide(standing(3, waiting)).decisions, [...starts(1), { at: at(3), type: 'queue' }])
  t.strictSame(decide(standing(3, { ...waiting, running: 1 })).decisions, [{ at: at(3), type: 'queue' }])
})

test('a schedule that has ended has nothing due', async t => {
  const occurrences = occurrencesOf({ rrule: 'DTSTART:20200101T000000\nRRULE:FREQ=DAILY;COUNT=2' })
  t.strictSame(decide(standing(3, { occurrences })).decisions, [])
  t.equal(nextDue({ occurrences, decidedUntil: at(0) }), undefined)
})
