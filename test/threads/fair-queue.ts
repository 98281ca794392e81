import { test } from 'tap'
import { FairQueue, type Queued } from '../../lib/threads/fair-queue.js'

interface Named extends Queued {
  readonly name: string
}

let count = 0
const item = (owner: string, priority = 0, order = count++): Named => ({
  owner,
  priority,
  order,
  name: `${owner}${order}`,
})
const shiftAll = <T extends Queued>(queue: FairQueue<T>): T[] => {
  const all: T[] = []
  for (let next = queue.shift(); next; next = queue.shift()) all.push(next)
  return all
}

test('first come, first served', async t => {
  const queue = new FairQueue<Named>()
  const items = Array.from({ length: 5000 }, () => item('a'))
  for (const each of items) queue.push(each)
  t.strictSame(shiftAll(queue), items)
  t.equal(queue.peek(), undefined)
})

test('a higher priority comes first, and equals stay in order', async t => {
  const queue = new FairQueue<Named>()
  const items = [0, 5, -1.5, 5, 0, 100].map(priority => item('a', priority))
  for (const each of items) queue.push(each)
  t.equal(queue.peek(), items[5])
  t.strictSame(
    shiftAll(queue).map(each => items.indexOf(each)),
    [5, 1, 3, 0, 4, 2],
  )
  const again = item('a', 5)
  queue.push(again)
  t.equal(queue.shift(), again)
})

test('owners are served in turn, whoever came first and however much they want', async t => {
  const queue = new FairQueue<Named>()
  for (let index = 0; index < 50_000; index++) queue.push(item('a', 0, index))
  t.equal(queue.shift()?.name, 'a0')
  for (let index = 0; index < 3; index++) queue.push(item('b', 0, 60_000 + index))
  queue.push(item('c', 0, 70_000))
  const next = Array.from({ length: 9 }, () => queue.shift()?.name)
  t.strictSame(next, ['a1', 'b60000', 'c70000', 'a2', 'b60001', 'a3', 'b60002', 'a4', 'a5'])
})

test('a more urgent call of anybody goes before the turns of others', async t => {
  const queue = new FairQueue<Named>()
  for (const each of [item('a', 0, 0), item('b', 0, 1), item('a', 1, 2), item('a', 1, 3)]) queue.push(each)
  t.strictSame(
    shiftAll(queue).map(({ name }) => name),
    ['a2', 'a3', 'a0', 'b1'],
  )
})

test('what is put back has the place that it had among those of its owner', async t => {
  const queue = new FairQueue<Named>()
  const items = Array.from({ length: 3000 }, (_, index) => item('a', 0, index))
  for (const each of items) queue.push(each)
  for (let index = 0; index < 2000; index++) queue.shift()
  queue.putBack([items[1999], items[500], items[501]] as typeof items)
  queue.putBack([items[7], items[502], items[1998]] as typeof items)
  const first = item('a', 1, 9999)
  queue.putBack([first])
  t.strictSame(shiftAll(queue), [
    first,
    ...[7, 500, 501, 502, 1998, 1999].map(index => items[index]),
    ...items.slice(2000),
  ])
  queue.push(item('b', 0, 1))
  queue.putBack([item('c', 0, 3), item('c', 0, 2)])
  t.strictSame(
    shiftAll(queue).map(({ name }) => name),
    ['c2', 'b1', 'c3'],
    'an owner who had nothing else waiting goes on at once',
  )
})

test('all that waits on behalf of one owner can be taken out', async t => {
  const queue = new FairQueue<Named>()
  for (const each of [item('a', 0, 0), item('b', 0, 1), item('a', 3, 2), item('b', 0, 3)]) queue.push(each)
  t.strictSame(
    queue
      .drain('a')
      .map(({ name }) => name)
      .sort(),
    ['a0', 'a2'],
  )
  t.strictSame(queue.drain('nobody'), [])
  t.strictSame(
    queue.drain().map(({ name }) => name),
    ['b1', 'b3'],
  )
  t.equal(queue.shift(), undefined)
})
