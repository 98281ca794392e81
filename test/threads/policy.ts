import { test } from 'tap'
import { batchSize, largestBatch, longestTail, mayGather, mayRefill } from '../../lib/threads/policy.js'

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

test('a thread is sent more before it is through if it will be through by then, and never for long calls', async t => {
  for (const [left, meanMs, may] of [
    [100, 0.002, true],
    [256, 0.001, true],
    [257, 0.001, false],
    [100, 0.01, false],
    [1, 10, false],
    [1, Number.POSITIVE_INFINITY, false],
  ] as const) {
    t.equal(mayRefill(left, meanMs), may, `${left} calls of ${meanMs} ms`)
  }
})

test('ends are told together while there is enough else to do, and neither of very short nor of long calls', async t => {
  for (const [left, leastMs, may] of [
    [11, 0.1, true],
    [10, 0.1, false],
    [512, 0.03, true],
    [512, 0.02, false],
    [3, 1, true],
    [100, 2, false],
    [100, Number.POSITIVE_INFINITY, false],
    [0, 0.1, false],
  ] as const) {
    t.equal(mayGather(left, leastMs), may, `${left} calls of ${leastMs} ms`)
  }
})

test('the longest tail is taken, if there is any', async t => {
  t.equal(longestTail([]), undefined)
  t.equal(longestTail([{ tail: 0 }, { tail: 0 }]), undefined)
  t.equal(longestTail([{ tail: 3 }, { tail: 7 }, { tail: 7 }, { tail: 1 }])?.tail, 7)
})
