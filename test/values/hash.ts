import { test } from 'tap'
import { hashValue, keyOfArguments } from '../../lib/values/hash.js'

test('the same content has the same hash, whatever the order of keys and the sharing', async t => {
  const one = { a: 1 }
  t.equal(hashValue({ a: 1, b: [2] }), hashValue({ b: [2], a: 1 }))
  t.equal(hashValue([one, one]), hashValue([{ a: 1 }, { a: 1 }]))
  t.equal(hashValue(new Uint8Array([1, 2])), hashValue(new Uint8Array([0, 1, 2]).subarray(1)))
  t.equal(hashValue(new Error('x')), hashValue(new Error('x')))
  t.match(hashValue(1), /^[\w-]{43}$/)
})

test('other content has another hash', async t => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  const values = [
    undefined,
    null,
    0,
    -0,
    1,
    1n,
    '1',
    true,
    Number.NaN,
    '',
    [],
    {},
    [1],
    ['1'],
    [undefined],
    new Array(1),
    [[]],
    [[], []],
    { a: 1 },
    { a: '1' },
    { b: 1 },
    { a: undefined },
    new Map(),
    new Map([[1, 2]]),
    new Map([[2, 1]]),
    new Set(),
    new Map([
      [1, 2],
      [3, 4],
    ]),
    new Map([
      [3, 4],
      [1, 2],
    ]),
    new Set([1, 2]),
    new Set([2, 1]),
    new Date(1),
    new Date(2),
    /a/,
    /a/g,
    new URL('http://a/'),
    'http://a/',
    Buffer.from('a'),
    new Uint8Array([97]),
    new Int8Array([97]),
    new Uint8Array([97]).buffer,
    new Error('a'),
    new Error('b'),
    new TypeError('a'),
    cyclic,
    [cyclic],
    { $mintaka: 'url', href: 'http://a/' },
  ]
  const hashes = values.map(hashValue)
  t.equal(new Set(hashes).size, values.length)
  t.notOk(hashes.includes(undefined))
})

test('what cannot travel has no hash', async t => {
  t.equal(hashValue({ f: () => 1 }), undefined)
  t.equal(hashValue(Symbol('s')), undefined)
})

test('a value with a cycle has another hash than one whose cycle goes elsewhere', async t => {
  const x: Record<string, unknown> = {}
  const one = { a: x, b: { c: x } }
  x['r'] = one
  const two: Record<string, Record<string, unknown>> = { b: {} }
  const y = { r: two['b'] }
  two['a'] = { r: two }
  two['b']!['c'] = y
  t.not(hashValue(one), hashValue(two))
  t.not(keyOfArguments([one]), keyOfArguments([two]))
  const again = structuredClone(one)
  t.equal(hashValue(again), hashValue(one))
})

test('a value in which everything refers to everything is hashed in no time', async t => {
  const nodes = Array.from({ length: 200 }, (_, id): { id: number; others: unknown[] } => ({ id, others: [] }))
  for (const node of nodes) node.others.push(...nodes)
  const [first] = nodes
  t.match(hashValue(first), /^[\w-]{43}$/)
  t.equal(hashValue(structuredClone(first)), hashValue(first))
})
