import { test } from 'tap'
import { shouldPause } from '../../../workers/dask/memory-pressure.js'

const reading = (process: number, more = {}) => ({ process, stored: 50, limit: 100, isBusy: true, ...more })

test('a worker rests above 80 % of its memory, and until there is a little more room', async t => {
  t.equal(shouldPause(false, reading(80)), false)
  t.equal(shouldPause(false, reading(81)), true)
  t.equal(shouldPause(true, reading(78)), true)
  t.equal(shouldPause(true, reading(75)), false)
})

test('it does not rest where that would free nothing', async t => {
  const idle = { isBusy: false, stored: 10 }
  t.equal(shouldPause(false, reading(95, idle)), false)
  t.equal(shouldPause(true, reading(95, idle)), false)
  t.equal(shouldPause(true, reading(95, { isBusy: false })), true, 'its values may be moved')
})

test('without a limit it never rests', async t => {
  t.equal(shouldPause(false, reading(1e15, { limit: 0 })), false)
})
