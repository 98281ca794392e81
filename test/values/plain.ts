import { test } from 'tap'
import { codec } from '../../lib/values/json.js'
import { isPlainJson } from '../../lib/values/plain.js'
import { encode } from '../../lib/values/wire.js'

const enough = Number.POSITIVE_INFINITY
const shared = { a: 1 }
const cyclic: unknown[] = []
cyclic.push([cyclic])
const deep = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown
class Row {
  a = 1
}
class List extends Array {}

const plain: Record<string, unknown> = {
  'a string': 'text "quoted"\n \ud800',
  'a number': -1.5e300,
  true: true,
  null: null,
  'an empty record': {},
  'an empty list': [],
  rows: Array.from({ length: 50 }, (_, index) => ({ index, name: `row ${index}`, parts: [index / 7, null, false] })),
  'an own field __proto__': JSON.parse('{"__proto__":{"a":1},"b":2}'),
  'symbol keys, which are dropped': { a: 1, [Symbol('dropped')]: 2 },
  'a hidden field, which is dropped': Object.defineProperty({ a: 1 }, 'hidden', { value: 2 }),
  'a field of a list, which is dropped': Object.assign([1, 2], { more: 3 }),
}

const notPlain: Record<string, unknown> = {
  undefined: undefined,
  'minus zero': { a: -0 },
  NaN: [Number.NaN],
  Infinity: Number.POSITIVE_INFINITY,
  'a bigint': [1n],
  'a field undefined': { a: undefined },
  'an item undefined': [undefined],
  'a hole': Object.assign([1, 2, 3], { length: 5 }),
  'what is there twice': [shared, shared],
  'a cycle': cyclic,
  'a key of ours': { $mintaka: 'date', value: 5 },
  'a date': { when: new Date(5) },
  'a map': new Map([[1, 2]]),
  bytes: new Uint8Array(3),
  'an error': new Error('no'),
  'a url': new URL('http://a/'),
  'a null prototype': Object.assign(Object.create(null), { a: 1 }),
  'a hidden toJSON': Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'other' }),
  'a list with toJSON': Object.assign([1], { toJSON: () => 'other' }),
  'a getter, which is asked once': {
    get a() {
      return 1
    },
  },
  'a boxed number that hides': Object.setPrototypeOf(new Number(5), Object.prototype),
  'data that are very deep': deep(600),
}

const refused: Record<string, unknown> = {
  'a function': { f: () => 1 },
  'a symbol': Symbol('s'),
  'an instance': new Row(),
  'a list of another class': List.of(1),
  'a proxy': new Proxy({ a: 1 }, {}),
  'a proxy of a list': [new Proxy([1], {})],
}

for (const [name, value] of Object.entries(plain))
  test(`plain data are written as they are: ${name}`, async t => {
    t.ok(isPlainJson(value, enough))
    const { wire, json } = encode(value, 'value', { purpose: 'stored' })
    t.ok(json)
    t.equal(codec.encode(value), JSON.stringify(wire))
  })

for (const [name, value] of Object.entries(notPlain))
  test(`what is more than plain data is not taken for it: ${name}`, async t => {
    t.notOk(isPlainJson(value, enough))
    t.strictSame(codec.decode(codec.encode(value)), codec.decode(codec.encode(structuredCopy(value))))
  })

for (const [name, value] of Object.entries(refused))
  test(`what may not travel is not taken for plain data: ${name}`, async t => {
    t.notOk(isPlainJson(value, enough))
    t.throws(() => codec.encode(value), { code: 'NOT_SENDABLE' })
  })

test('looking ends where it is too much', async t => {
  const rows = Array.from({ length: 1000 }, (_, index) => ({ index }))
  const { length } = JSON.stringify(rows)
  t.ok(isPlainJson(rows, length))
  t.notOk(isPlainJson(rows, 1000))
  t.throws(() => codec.encode(rows, 1000), /or more/)
  t.equal(codec.encode(rows, length).length, length)
})

/** The same value, made anew by who reads it. */
function structuredCopy(value: unknown): unknown {
  return codec.decode(codec.encode(value))
}
