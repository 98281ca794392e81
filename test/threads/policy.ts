import { test } from 'tap'
import {
  allowanceAfterDelay,
  allowanceAfterReturn,
  batchSize,
  firstAllowance,
  largestBatch,
  longestTail,
} from '../../lib/threads/policy.js'

test('a thread gets its share of half of what waits', async t => {
  for (const [waiting, threads, size] of [
    [0, 2, 0],
    [1, 2, 1],
    [4, 2, 1],
    [5, 2, 2],
    [64, 2, 16],
    [64, 8, 4],
    [60, 1, 30],
    [20_000, 2, largestBatch],
  ] as const) {
    t.equal(batchSize(waiting, threads), size, `${waiting} calls, ${threads} threads`)
  }
})

test('a code that comes back may come in larger batches, up to the largest', async t => {
  const allowances = [firstAllowance]
  for (let time = 0; time < 5; time++) allowances.push(allowanceAfterReturn(allowances.at(-1)!))
  t.strictSame(allowances, [1, 8, 64, 512, 512, 512])
})

test('a code that keeps others waiting gets no more than what was done before it', async t => {
  for (const [allowance, position, after] of [
    [512, 1, 1],
    [512, 20, 20],
    [8, 20, 8],
    [64, 0, 1],
  ] as const) {
    t.equal(allowanceAfterDelay(allowance, position), after)
  }
})

test('the longest tail is taken, if there is any', async t => {
  t.equal(longestTail([]), undefined)
  t.equal(longestTail([{ tail: 0 }, { tail: 0 }]), undefined)
  t.equal(longestTail([{ tail: 3 }, { tail: 7 }, { tail: 7 }, { tail: 1 }])?.tail, 7)
})
