import { test } from 'tap'
import { codec } from '../../lib/values/json.js'
import { leastSize } from '../../lib/values/text-size.js'

const enough = Number.POSITIVE_INFINITY

test('the least size of a value is never more than its text has, and not much less where it may be huge', async t => {
  const cycle: Record<string, unknown> = { name: 'cycle' }
  cycle['self'] = cycle
  const values: unknown[] = [
    undefined,
    null,
    'text "quoted"\n',
    -1.5,
    12n,
    [],
    [1, [2, ['three']]],
    new Array(50),
    { a: { b: 'c' }, d: [] },
    new Map([['key', { value: 1 }]]),
    new Set(['a', 'b']),
    new Float64Array(100),
    new Uint8Array([1, 2]).buffer,
    Buffer.from('bytes'),
    new Date(0),
    new Error('no'),
    cycle,
  ]
  for (const value of values) {
    const [least, actual] = [leastSize(value, enough), codec.encode(value).length]
    t.ok(least > 0 && least <= actual, `${least} of ${actual}`)
  }
  t.ok(leastSize(new Float64Array(1000), enough) > 10_000)
  t.ok(leastSize(['x'.repeat(1000), { key: 'y'.repeat(1000) }], enough) > 2000)
})

test('counting calls no getter, and ends where it is enough', async t => {
  const record = {
    get value() {
      return t.fail('the getter was called')
    },
  }
  t.ok(leastSize(record, enough) > 0)
  t.ok(leastSize(new Proxy({}, { ownKeys: () => t.fail('the proxy was asked') as never }), enough) > 0)
  const long = Array.from({ length: 1000 }, () => 'x'.repeat(1000))
  t.ok(leastSize(long, 5000) < 10_000)
})

test('what is sure to be too large is not encoded', async t => {
  let copies = 0
  class Counting extends ArrayBuffer {
    static override get [Symbol.species]() {
      copies += 1
      return ArrayBuffer
    }
  }
  const huge = new Uint8Array(new Counting(8 * 1024 * 1024)).subarray(1)
  t.throws(() => codec.encode({ huge }, 1024 * 1024), {
    message: 'too large: 10.7 MiB or more, the limit is 1.0 MiB',
  })
  t.equal(copies, 0)
  t.equal(codec.encode({ small: 1 }, 1024 * 1024), '{"small":1}')
  t.throws(() => codec.encode({ huge, callback: () => 1 }, enough), { code: 'NOT_SENDABLE' })
})
