import { test } from 'tap'
import { PriorityQueue } from '../../lib/threads/queue.js'

test('first come, first served', async t => {
  const queue = new PriorityQueue<number>()
  const came: (number | undefined)[] = []
  for (let index = 0; index < 5000; index++) queue.push(index, 0)
  for (let index = 0; index < 2500; index++) came.push(queue.shift())
  queue.push(5000, 0)
  for (let index = 0; index < 2502; index++) came.push(queue.shift())
  t.strictSame(came, [...Array(5001).keys(), undefined])
})

test('a higher priority comes first, and equals stay in order', async t => {
  const queue = new PriorityQueue<string>()
  for (const [name, priority] of [
    ['a', 0],
    ['b', 5],
    ['c', -1.5],
    ['d', 5],
    ['e', 0],
    ['f', 100],
  ] as const)
    queue.push(name, priority)
  const order = Array.from({ length: 6 }, () => queue.shift())
  t.strictSame(order, ['f', 'b', 'd', 'a', 'e', 'c'])
  queue.push('again', 5)
  t.equal(queue.shift(), 'again')
  t.equal(queue.shift(), undefined)
})

test('what is put back has the place that it had', async t => {
  const queue = new PriorityQueue<number>()
  const isBefore = (one: number, other: number) => one < other
  for (let index = 0; index < 3000; index++) queue.push(index, 0)
  for (let index = 0; index < 2000; index++) queue.shift()
  queue.putBack([500, 501, 1999], 0, isBefore)
  queue.putBack([7, 502, 1998], 0, isBefore)
  queue.putBack([-1], 1, isBefore)
  const came = Array.from({ length: 1007 }, () => queue.shift())
  t.strictSame(came, [-1, 7, 500, 501, 502, 1998, 1999, ...Array.from({ length: 1000 }, (_, index) => 2000 + index)])
  t.equal(queue.shift(), undefined)
  queue.putBack([1, 2], 0, isBefore)
  t.equal(queue.shift(), 1)
})
