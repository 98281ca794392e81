import { Decoder, Encoder } from '@msgpack/msgpack'
import tap, { test } from 'tap'
import { isFields } from '../../../lib/dask/protocol/fields.js'
import { keyText, readMsgpack } from '../../../lib/dask/protocol/msgpack-read.js'
import { MsgpackWriter } from '../../../lib/dask/protocol/msgpack-write.js'
import { anyValue } from '../../fixtures/any-value.js'
import { survives } from '../../fixtures/fuzz.js'
import { Random } from '../../fixtures/random.js'

tap.setTimeout(240_000)

function write(value: unknown): Buffer {
  const writer = new MsgpackWriter()
  writer.write(value)
  return writer.take()
}

/** Maps as objects that tap can compare. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  return isFields(value) ? Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)])) : value
}

const edges = [
  0,
  1,
  31,
  32,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
]
const values: Record<string, unknown> = {
  'null and booleans': [null, true, false],
  integers: edges,
  'negative integers': edges.map(edge => -edge || 0),
  'other numbers': [0.5, -0, 1e300, 2 ** 53, NaN, Infinity, -Infinity],
  texts: ['', 'a', 'é', '€', '😀', ...[9, 10, 11, 31, 32, 255, 256, 65_535, 65_536].map(size => 'é'.repeat(size))],
  bytes: [0, 1, 255, 256, 65_535, 65_536].map(size => Buffer.alloc(size, 7)),
  'lists of every size': [0, 15, 16, 65_535, 65_536].map(size => Array.from({ length: size }, () => 1)),
  'maps of every size': [0, 15, 16, 65_536].map(size =>
    Object.fromEntries(Array.from({ length: size }, (_, n) => [`k${n}`, n])),
  ),
  'names of functions that objects have': { constructor: 1, toString: 2, hasOwnProperty: 3 },
}

for (const [name, value] of Object.entries(values)) {
  test(`${name} are written as others write them, and read back`, async t => {
    const bytes = write(value)
    t.strictSame(plain(readMsgpack(bytes)), value)
    t.strictSame(asBuffers(new Decoder().decode(bytes)), value, 'another reader agrees')
    t.strictSame(plain(readMsgpack(new Encoder().encode(value))), value, 'another writer agrees')
  })
}

function asBuffers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asBuffers)
  return value instanceof Uint8Array ? Buffer.from(value) : value
}

test('integers beyond what is safe are bigints, and go as 64 bits', async t => {
  for (const value of [2n ** 53n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 63n)]) {
    t.equal(readMsgpack(write(value)), value)
  }
  t.equal(readMsgpack(write(7n)), 7)
  for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) {
    t.throws(() => write(value), { code: 'INVALID_ARGUMENT', message: /64 bits/ })
  }
})

test('a float of four bytes is read', async t => {
  t.equal(readMsgpack(Buffer.from([0xca, 0x3f, 0x80, 0, 0])), 1)
})

test('a lone surrogate is replaced: a peer that cannot read a text hangs up', async t => {
  t.equal(readMsgpack(write('a\ud800b')), 'a\ufffdb')
  t.equal(readMsgpack(write(`${'x'.repeat(40)}\udfff`)), `${'x'.repeat(40)}\ufffd`)
})

test('fields that are undefined are left out, items are null', async t => {
  t.strictSame(plain(readMsgpack(write({ a: undefined, b: 1, c: [undefined] }))), { b: 1, c: [null] })
})

test('a map that was read has what was sent and nothing else', async t => {
  const map = readMsgpack(write(JSON.parse('{"__proto__": {"x": 1}, "a": 1}'))) as Record<string, unknown>
  t.strictSame(Object.keys(map), ['__proto__', 'a'])
  t.equal(map['toString'], undefined)
  t.equal(map['constructor'], undefined)
  t.notOk('x' in map)
  t.strictSame(plain(Object.values(map)[0]), { x: 1 })
})

test('keys that are no strings become their text, or the map a Map', async t => {
  const map = new Map<unknown, unknown>([
    ['a', 1],
    [5, 2],
    [['x', 0], 3],
    [Buffer.from('b'), 4],
    [2n ** 60n, 5],
  ])
  const texts = { a: 1, 5: 2, '["x",0]': 3, 'b"b"': 4, [String(2n ** 60n)]: 5 }
  t.strictSame(plain(readMsgpack(write(map))), texts)
  t.strictSame(readMsgpack(write(map), { keys: 'map' }), map)
})

test('the text of a key tells keys apart', async t => {
  t.equal(keyText('x-1'), 'x-1')
  t.equal(keyText(['x', 0]), '["x",0]')
  t.equal(keyText(['x', '0']), '["x","0"]')
  t.equal(keyText(5), '5')
  t.equal(keyText([2n ** 60n, null, true]), '[1152921504606846976,null,true]')
  t.equal(keyText(['x', [Buffer.from('\xe9', 'latin1')]]), '["x",[b"\xe9"]]')
})

const refusals: [what: string, bytes: number[], message: RegExp][] = [
  ['nothing', [], /ends too early/],
  ['something after the end', [0xc0, 0xc0], /1 bytes too many/],
  ['a code that is not used', [0xc1], /0xc1/],
  ['an extension', [0xd4, 1, 1], /0xd4/],
  ['four thousand million items', [0xdd, 0xff, 0xff, 0xff, 0xff], /fewer items/],
  ['four thousand million fields', [0xdf, 0xff, 0xff, 0xff, 0xff], /fewer items/],
  ['four thousand million bytes', [0xc6, 0xff, 0xff, 0xff, 0xff, 1], /ends too early/],
  ['a map that ends at a key', [0x81, 0xa1, 0x61], /fewer items|ends too early/],
  ['a list in a list in a list…', Array.from({ length: 600 }, () => 0x91), /nested more than 512/],
]

for (const [what, bytes, message] of refusals) {
  test(`${what} is refused`, async t => {
    t.throws(() => readMsgpack(Buffer.from(bytes)), { code: 'DASK_PROTOCOL', message })
  })
}

test('lists of lists that announce more than there is take no memory', async t => {
  // Each of them announces as many items as there are bytes.
  const list = Buffer.from([0xdd, 0, 0, 0x10, 0])
  const bytes = Buffer.concat([...Array.from({ length: 400 }, () => list), Buffer.alloc(5_000, 0xc0)])
  const before = process.memoryUsage().rss
  t.throws(() => readMsgpack(bytes), { code: 'DASK_PROTOCOL' })
  t.ok(process.memoryUsage().rss - before < 50_000_000)
})

test('what was refused has not been written', async t => {
  const writer = new MsgpackWriter()
  writer.write(1)
  t.throws(() => writer.write(['long '.repeat(1_000), () => 1]), { code: 'INVALID_ARGUMENT', message: /a function/ })
  writer.write(2)
  t.strictSame(writer.take(), Buffer.from([1, 2]))
  const cycle: unknown[] = []
  cycle.push(cycle)
  t.throws(() => writer.write(cycle), { code: 'INVALID_ARGUMENT', message: /nested/ })
})

test('what has been taken is not written over', async t => {
  const writer = new MsgpackWriter()
  writer.write('first')
  const first = writer.take()
  writer.write('second')
  t.equal(readMsgpack(first), 'first')
  t.equal(readMsgpack(writer.take()), 'second')
})

test('damaged messages are read or refused', async t => {
  const samples = [
    ...Object.values(values).filter(value => write(value).length < 2_000),
    { a: { b: [1, 'x', Buffer.from('y')] } },
  ]
  survives(t, samples.map(write), bytes => readMsgpack(bytes, { keys: 'map' }), { count: 20_000, seed: 21 })
})

test('any value comes back', async t => {
  const random = new Random(8)
  for (let round = 0; round < 500; round++) {
    const value = anyValue(random)
    t.strictSame(plain(readMsgpack(write(value))), value)
  }
})
