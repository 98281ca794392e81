import { test } from 'tap'
import { CallStats } from '../../lib/threads/call-stats.js'

const day = 1_767_225_600_000
const times = (queued: number, started: number, ended: number) => ({
  queuedAt: day + queued,
  startedAt: day + started,
  endedAt: day + ended,
})

test('a known load on two threads is told as it was', async t => {
  const stats = new CallStats(2)
  t.equal(stats.stats(), undefined)
  const found = [stats.came(), stats.came(), stats.came(), stats.came()]
  t.strictSame(found, [true, true, false, false])
  // Two threads, each with a call of 40 ms that begins after 10, and one of 45 right after it.
  stats.ended(times(0, 10, 50), true, day + 51)
  stats.ended(times(0, 10, 50), true, day + 53)
  stats.ended(times(0, 50, 95), false, day + 97)
  stats.ended(times(0, 55, 100), false, day + 101)
  const told = stats.stats()!
  t.match(told, { threads: 2, calls: 4, utilisation: 0.85 })
  t.match(told.queueWaitMs, { count: 4, mean: 31.25, max: 55 })
  t.match(told.runTimeMs, { count: 4, mean: 42.5, max: 45 })
  t.match(told.dispatchMs, { count: 4, mean: (11 + 13 + 2 + 1) / 4, max: 13 })
  t.ok(Math.abs(told.runTimeMs.p50 - 40) <= 40 / 64)
  t.equal(stats.came(), true, 'all have ended')
})

test('a call that never began counts in nothing but makes room', async t => {
  const stats = new CallStats(1)
  stats.came()
  stats.ended(undefined, true, day)
  t.equal(stats.stats(), undefined)
  t.equal(stats.came(), true)
})

test('a call that ends as it begins, and a clock that lags, do no harm', async t => {
  const stats = new CallStats(1)
  stats.came()
  stats.ended(times(5, 5, 5), true, day + 4)
  t.match(stats.stats(), { calls: 1, utilisation: 0, dispatchMs: { mean: 0 } })
})

test('it is small enough to be kept, and plain', async t => {
  const stats = new CallStats(4)
  for (let n = 0; n < 1000; n++) {
    const found = stats.came()
    stats.ended(times(n, n + Math.PI, n + 2 * Math.PI), found, day + n + 3 * Math.PI)
  }
  const text = JSON.stringify(stats.stats())
  t.ok(text.length < 400, text)
  t.strictSame(JSON.parse(text), stats.stats())
})
