import { test } from 'tap'
import { delayAfter, exponential, mayRetry } from '../../lib/core/retry.js'

test('a run is tried again as often as its retries say', async t => {
  const policy = { retries: 2, retryDelayMs: 0 }
  t.equal(mayRetry(policy, 1, undefined), true)
  t.equal(mayRetry(policy, 2, undefined), true)
  t.equal(mayRetry(policy, 3, undefined), false)
})

test('retryIf ends a run early, and is asked with error and attempt', async t => {
  const asked: unknown[] = []
  const policy = {
    retries: 5,
    retryDelayMs: 0,
    retryIf: (error: unknown, attempt: number) => asked.push([error, attempt]) < 2,
  }
  t.equal(mayRetry(policy, 1, 'a'), true)
  t.equal(mayRetry(policy, 2, 'b'), false)
  t.strictSame(asked, [
    ['a', 1],
    ['b', 2],
  ])
})

test('a delay is a number, a list whose last entry repeats, or a function', async t => {
  t.equal(delayAfter(50, 3, undefined), 50)
  t.strictSame(
    [1, 2, 3, 4].map(attempt => delayAfter([10, 20, 30], attempt, undefined)),
    [10, 20, 30, 30],
  )
  t.equal(delayAfter([], 1, undefined), 0)
  t.equal(
    delayAfter((attempt, error) => attempt * 10 + Number(error), 2, 5),
    25,
  )
  t.equal(
    delayAfter(() => -1, 1, undefined),
    0,
    'never negative',
  )
  t.equal(
    delayAfter(() => Number.NaN, 1, undefined),
    0,
    'what is no number is no delay',
  )
})

test('an exponential delay grows to its maximum and is spread by its jitter', async t => {
  t.strictSame([1, 2, 3, 4].map(exponential({ initialMs: 100, maxMs: 500 })), [100, 200, 400, 500])
  t.equal(exponential({ initialMs: 100, jitter: 0.5, random: () => 0 })(1), 50)
  t.equal(exponential({ initialMs: 100, jitter: 0.5, random: () => 1 })(1), 150)
})
