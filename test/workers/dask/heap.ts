import { test } from 'tap'
import { Heap } from '../../../workers/dask/heap.js'

test('whatever is put in and taken out, the least is on top', async t => {
  const heap = new Heap<{ readonly n: number }>((one, other) => one.n < other.n)
  const inside: { readonly n: number }[] = []
  let state = 1
  const next = (limit: number) => (state = (state * 48271) % 2147483647) % limit
  for (let step = 0; step < 5000; step++) {
    if (next(5) < 3 || inside.length === 0) {
      const item = { n: next(100) }
      heap.push(item)
      inside.push(item)
    } else {
      const top = heap.peek() as { n: number }
      const [item] = next(2) === 0 ? inside.splice(next(inside.length), 1) : inside.splice(inside.indexOf(top), 1)
      heap.remove(item as { n: number })
    }
    const least = Math.min(...inside.map(({ n }) => n))
    if (heap.size !== inside.length || (inside.length > 0 && heap.peek()?.n !== least)) return t.fail(`step ${step}`)
  }
  heap.remove({ n: 1 })
  t.equal(heap.size, inside.length, 'what is not in it is not taken out')
})
