import { test } from 'tap'
import { runInPlace } from '../../lib/core/in-place.js'
import { transfer } from '../../lib/values/transfer.js'
import { toWire } from '../../lib/values/wire.js'

test('marked buffers are moved, others are copied', async t => {
  const marked = new Float64Array([1, 2])
  const other = new Float64Array([3])
  const value = transfer({ rows: [marked] })
  t.equal(value.rows[0], marked, 'the value itself is given back')
  const moved: ArrayBuffer[] = []
  const wire = toWire([value, marked, other], 'value', { moved })
  t.strictSame(moved.length, 1)
  t.equal(moved[0], marked.buffer)
  structuredClone(wire, { transfer: moved })
  t.equal(marked.byteLength, 0)
  t.equal(other.byteLength, 8)
})

test('where nothing can be moved a marked buffer is copied', async t => {
  const bytes = transfer(new Uint8Array([1]))
  structuredClone(toWire(bytes))
  t.equal(bytes.byteLength, 1)
})

test('a small Buffer never takes the pool that it lies in with it', async t => {
  const moved: ArrayBuffer[] = []
  const small = transfer(Buffer.from('hi'))
  structuredClone(toWire(small, 'value', { moved }), { transfer: moved })
  t.equal(small.toString(), 'hi')
})

test('a large copy is moved rather than copied again', async t => {
  const moved: ArrayBuffer[] = []
  const large = new Uint8Array(100_000)
  const wire = toWire([large, large, large.subarray(1)], 'value', { moved })
  t.equal(moved.length, 2)
  structuredClone(wire, { transfer: moved })
  t.equal(large.byteLength, 100_000)
})

test('what is not bytes is let through', async t => {
  t.equal(transfer(5), 5)
  t.equal(transfer('text'), 'text')
  const shared = new SharedArrayBuffer(8)
  t.equal(transfer(shared), shared)
})

test('what transfer has made of a future is a future of the same run', async t => {
  const future = runInPlace('task', (x: number) => x + 1, [1])
  const given = transfer(future)
  t.not(given, future)
  t.equal(await given, 2)
  t.equal(await transfer(given).result(), 2)
  t.strictSame([given.id, given.name, given.kind, given.state], [future.id, future.name, 'task-run', future.state])
  t.match(await given.wait({ timeoutMs: 1000 }), { name: 'Completed' })
  t.match(await given.cancel(), { name: 'Completed' })
  t.equal(await runInPlace('task', (x: number) => x * 2, [given]), 4)
})
