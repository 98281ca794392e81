import { test } from 'tap'
import { encodeValue } from '../../../lib/dask/values/encode.js'
import { ValueStore } from '../../../workers/dask/store.js'
import { foreignStored, resultStored } from '../../../workers/dask/stored-values.js'

const computed = { start: 1, stop: 2, thread: 1 }
const result = (value: unknown) => resultStored(encodeValue(value), 0, computed)

test('a value is the same object for all who ask while it is in use', async t => {
  const store = new ValueStore()
  store.keep('x', result({ a: [1] }))
  const first = store.read('x', true)
  t.strictSame(first, { a: [1] })
  t.equal(store.read('x', false), first)
  const own = { b: 2 }
  store.keep('y', result(own), own)
  t.equal(store.read('y', true), own, 'what has just been computed is not read again')
  store.keep('z', result(5))
  t.equal(store.read('z', true), 5)
})

test('sizes add up, and what is dropped is gone', async t => {
  const store = new ValueStore()
  store.keep('x', result(Buffer.alloc(100)))
  store.keep('y', result(Buffer.alloc(50)))
  t.equal(store.nbytes, 150)
  store.keep('x', result(Buffer.alloc(10)))
  t.equal(store.nbytes, 60)
  store.drop('y')
  store.drop('unknown')
  t.strictSame([store.nbytes, store.keys, store.get('y')], [10, ['x'], undefined])
  t.throws(() => store.read('y', false), /not here/)
})

test('a small value that came in a large piece of memory does not keep all of it', async t => {
  const message = Buffer.alloc(1_000_000)
  const { serialized } = encodeValue(message.subarray(0, 10))
  const stored = foreignStored(serialized)
  t.strictSame([stored.nbytes, stored.serialized.frames[0]?.buffer.byteLength], [10, 10])
  const whole = encodeValue(message).serialized
  t.equal(foreignStored(whole).serialized.frames[0], whole.frames[0], 'a large one is not copied')
})
