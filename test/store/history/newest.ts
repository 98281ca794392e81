import { test } from 'tap'
import { Newest } from '../../../lib/store/history/newest.js'

const times = (created: readonly number[]) => created.map(time => ({ created: time }))

function newestOf(limit: number, known: readonly number[], created: readonly number[]) {
  const newest = new Newest<{ readonly created: number }>(limit, known)
  for (const entry of times(created)) newest.add(entry)
  return newest
}

test('as many as are wanted are kept, the newest first', async t => {
  t.strictSame(newestOf(2, [], [1, 5, 3, 4]).sorted(), times([5, 4]))
  t.strictSame(newestOf(Number.POSITIVE_INFINITY, [9], [1, 5, 3]).sorted(), times([5, 3, 1]))
})

test('those that others have take places', async t => {
  t.strictSame(newestOf(3, [9, 2], [1, 5, 3]).sorted(), times([5, 3]))
  t.strictSame(newestOf(2, [9, 8], [1, 5]).sorted(), [])
})

test('nothing older has a place once all are taken, and everything may have one again after a reset', async t => {
  const newest = newestOf(2, [], [7])
  const before = newest.copy()
  t.equal(newest.isBeyond(0), false)
  newest.add({ created: 6 })
  t.strictSame([newest.isBeyond(5), newest.isBeyond(6)], [true, false])
  newest.reset(before)
  t.equal(newest.isBeyond(5), false)
  t.strictSame(newest.sorted(), times([7]))
})
