import { inspect, isDeepStrictEqual } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import tap, { test } from 'tap'
import { decodeMessage, encodeMessage, Serialized } from '../../../lib/dask/protocol/message.js'
import { decodeValue } from '../../../lib/dask/values/decode.js'
import { encodeValue } from '../../../lib/dask/values/encode.js'
import { anyValue } from '../../fixtures/any-value.js'
import { survives } from '../../fixtures/fuzz.js'
import { Random } from '../../fixtures/random.js'

tap.setTimeout(240_000)

/** As it arrives after it has been in a message. */
function carried(value: unknown): unknown {
  const [read] = decodeMessage(encodeMessage([encodeValue(value).serialized])) as [Serialized]
  return decodeValue(read)
}

const shared = { x: 1 }
const cyclic: Record<string, unknown> = {}
cyclic['me'] = cyclic
const memory = new ArrayBuffer(4)
const ownMagic = Buffer.from('\x93mintaka\x00\x01 and more', 'latin1')
const realm = createContext({})

/** By the name that Dask is told: values that arrive as they were. */
const values: Record<string, unknown[]> = {
  NoneType: [null],
  bool: [true, false],
  int: [0, 1, -1, 255, 256, 65_536, 2 ** 31, -(2 ** 31), 2 ** 40, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  float: [0.5, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, 1e300, 5e-324],
  str: ['', 'a', 'é€😀', '\0\n', 'x'.repeat(1_000), '$mintaka'],
  list: [
    [],
    [1, [2, [null]]],
    Array.from({ length: 2_000 }, (_, n) => n),
    [Buffer.from('in a list')],
    [-0, Number.NaN],
  ],
  dict: [
    {},
    { a: { b: [{ c: 'd' }] } },
    { constructor: 1, toString: 2 },
    { $mintaka: 'tree' },
    { 5: 'number', '': 'empty' },
  ],
  bytes: [
    Buffer.from('bytes'),
    Buffer.alloc(0),
    new Uint8Array([1, 2, 3]),
    new Uint8Array(0),
    Buffer.from('pool').subarray(1, 3),
  ],
  'node.undefined': [undefined],
  'node.bigint': [10n, 2n ** 70n, -1n],
  'node.string': ['\ud800', 'a\udfffb'],
  'node.Object': [
    { a: undefined },
    { big: 1n },
    { text: '\ud800' },
    { '\ud800': 'key' },
    { one: shared, two: shared },
    cyclic,
    JSON.parse('{"__proto__": {"polluted": true}}'),
    { bytes: new Uint8Array([1]) },
    { date: new Date(5) },
    { one: Buffer.from(memory), two: Buffer.from(memory) },
  ],
  'node.Array': [[undefined], holes(), [new Map()], [shared, shared], [[new Uint16Array([1])]]],
  'node.Map': [
    new Map<unknown, unknown>([
      ['a', 1],
      [{}, []],
    ]),
  ],
  'node.Set': [new Set([1, 'x'])],
  'node.Date': [new Date(0)],
  'node.RegExp': [/x+/giu],
  'node.URL': [new URL('https://example.org/x?y')],
  'node.Buffer': [ownMagic],
  'node.Uint8Array': [new Uint8Array(ownMagic)],
  'node.Float64Array': [new Float64Array([1.5, -0])],
  'node.ArrayBuffer': [new ArrayBuffer(3)],
  'node.DataView': [new DataView(new ArrayBuffer(2))],
  'node.TypeError': [Object.assign(new TypeError('as a value'), { code: 'E_X', detail: new Map([[1, 2]]) })],
}

function holes(): unknown[] {
  const list = [1, 2, 3]
  delete list[1]
  return list
}

for (const [typeName, list] of Object.entries(values)) {
  test(`${typeName} arrives as it was`, async t => {
    for (const value of list) {
      t.equal(encodeValue(value).typeName, typeName)
      const arrived = carried(value)
      t.ok(isDeepStrictEqual(arrived, value), `as ${inspect(value).slice(0, 60)}`)
      if (typeof value === 'object' && value !== null)
        t.equal(Object.getPrototypeOf(arrived), Object.getPrototypeOf(value))
    }
  })
}

test('what is shared and what refers to itself stays so', async t => {
  const { one, two } = carried({ one: shared, two: shared }) as Record<string, unknown>
  t.equal(one, two)
  const arrived = carried(cyclic) as Record<string, unknown>
  t.equal(arrived['me'], arrived)
})

test('a date that is none arrives as such', async t => {
  t.ok(Number.isNaN((carried(new Date(Number.NaN)) as Date).getTime()))
})

test('named fields of an error arrive', async t => {
  const arrived = carried(Object.assign(new RangeError('far'), { code: 'E_FAR' })) as Error & { code: string }
  t.match(arrived, { name: 'RangeError', message: 'far', code: 'E_FAR' })
})

test('objects of another realm and without a prototype are plain objects', async t => {
  t.strictSame(carried(runInContext('({ a: [1, { b: 2 }] })', realm)), { a: [1, { b: 2 }] })
  t.strictSame(carried(Object.assign(Object.create(null), { a: 1 })), { a: 1 })
})

test('bytes are not copied on the way out, nor on the way in', async t => {
  const bytes = Buffer.alloc(1_000, 7)
  const { serialized, nbytes } = encodeValue(bytes)
  t.equal(nbytes, 1_000)
  t.equal(serialized.frames[0]!.buffer, bytes.buffer)
  t.equal((decodeValue(serialized) as Buffer).buffer, bytes.buffer)
})

test('small bytes do not keep the message that they came in', async t => {
  const values = [Buffer.from('small'), new Uint8Array([1, 2]), { bytes: Buffer.from('inside') }]
  const frames = encodeMessage([...values.map(value => encodeValue(value).serialized), Buffer.alloc(50_000)])
  const memory = Buffer.concat(frames)
  let at = 0
  const parts = frames.map(frame => memory.subarray(at, (at += frame.length)))
  const [buffer, array, object] = (decodeMessage(parts) as Serialized[]).slice(0, 3).map(decodeValue)
  t.strictSame([buffer, array, object], values)
  t.equal((buffer as Buffer).buffer.byteLength, 5)
  t.equal((array as Uint8Array).buffer.byteLength, 2)
  t.ok((object as { bytes: Buffer }).bytes.buffer.byteLength < 100)
})

test('what takes more than 64 MiB goes in pieces', async t => {
  const bytes = Buffer.alloc(130 * 2 ** 20, 'abcdefg')
  const { serialized } = encodeValue(bytes)
  t.strictSame(
    serialized.frames.map(frame => frame.length),
    [64, 64, 2].map(mib => mib * 2 ** 20),
  )
  t.match(serialized.header, { 'split-num-sub-frames': [3], 'split-offsets': [0], compression: [null, null, null] })
  t.ok((decodeValue(serialized) as Buffer).equals(bytes))
  const apart = new Serialized(
    serialized.header,
    serialized.frames.map(frame => Buffer.from(frame)),
  )
  t.ok((decodeValue(apart) as Buffer).equals(bytes), 'also when they do not lie next to each other')
  const text = 'x'.repeat(70 * 2 ** 20)
  const large = encodeValue([text])
  t.equal(large.serialized.frames.length, 2)
  t.equal(
    large.nbytes,
    large.serialized.frames.reduce((sum, frame) => sum + frame.length, 0),
  )
  t.equal((decodeValue(large.serialized) as [string])[0].length, text.length)
})

test('nesting of any depth that travels at all arrives', async t => {
  let deep: unknown = 'bottom'
  for (let depth = 0; depth < 700; depth++) deep = [deep]
  t.equal(encodeValue(deep).typeName, 'node.Array')
  t.ok(isDeepStrictEqual(carried(deep), deep))
})

class Point {}
const refused: [value: unknown, path: string][] = [
  [() => 1, 'result'],
  [{ rows: [{ f: () => 1 }] }, 'result.rows[0].f'],
  [[new Point()], 'result[0]'],
  [{ at: Symbol('x') }, 'result.at'],
  [new Uint8Array(new SharedArrayBuffer(2)), 'result'],
  [Buffer.from(new SharedArrayBuffer(2)), 'result'],
  [[Promise.resolve()], 'result[0]'],
  [new Proxy([], {}), 'result'],
  [new (class extends Uint8Array {})(2), 'result'],
]

test('what may not travel is refused with its path', async t => {
  for (const [value, path] of refused) t.throws(() => encodeValue(value, 'result'), { code: 'NOT_SENDABLE', path })
  const getter = {
    get broken() {
      throw new Error('getter')
    },
  }
  t.throws(() => encodeValue(getter), { code: 'NOT_SENDABLE', path: 'value.broken' })
})

test('emptied bytes are refused', async t => {
  const bytes = new Uint8Array(10)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  t.throws(() => encodeValue(bytes), { code: 'NOT_SENDABLE', message: /emptied/ })
})

test('any plain value arrives', async t => {
  const random = new Random(9)
  const bytes = () => Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)))
  for (let round = 0; round < 500; round++) {
    const value = anyValue(random, bytes)
    if (!isDeepStrictEqual(carried(value), value)) t.fail(JSON.stringify(value))
  }
})

test('damaged values are read or refused', async t => {
  const samples = Object.values(values)
    .flat()
    .map(value => encodeValue(value).serialized)
  const frames = samples.map(({ frames }) => Buffer.concat(frames))
  const headers = samples.map(({ header }) => header)
  let round = 0
  survives(t, frames, bytes => decodeValue(new Serialized(headers[round++ % headers.length]!, [bytes])), {
    count: 20_000,
    seed: 61,
  })
})

test('damaged headers are read or refused', async t => {
  const samples = [values['dict']![1], Buffer.from('bytes'), new Map([[1, 2]])].map(value => {
    const [message, header, ...frames] = encodeMessage([encodeValue(value).serialized])
    return { message: message!, header: header!, frames }
  })
  let round = 0
  survives(
    t,
    samples.map(({ header }) => header),
    bytes => {
      const { message, frames } = samples[round++ % samples.length]!
      decodeValue((decodeMessage([message, bytes, ...frames]) as [Serialized])[0])
    },
    { count: 10_000, seed: 62 },
  )
})
