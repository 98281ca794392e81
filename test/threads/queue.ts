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
