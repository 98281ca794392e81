import { test } from 'tap'
import { preview } from '../../lib/values/preview.js'

test('a preview is short and says what kind of thing it is', async t => {
  const texts: [unknown, string][] = [
    [1, '1'],
    [-0, '-0'],
    [5n, '5n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    ['a "b"', '"a \\"b\\""'],
    [[1, 2, 3], 'Array(3)'],
    [{ a: 1, b: { c: 1 } }, '{a, b}'],
    [{}, '{}'],
    [new Map([[1, 2]]), 'Map(1)'],
    [new Set(), 'Set(0)'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'Invalid Date'],
    [new TypeError('no'), 'TypeError: no'],
    [
      new (class Point {
        x = 1
      })(),
      'Point',
    ],
    [new Float64Array(2), 'Float64Array(16 bytes)'],
    [Buffer.from('abc'), 'Buffer(3 bytes)'],
    [() => 1, '[function (anonymous)]'],
    [new URL('http://a/'), 'http://a/'],
    [new Proxy({}, {}), 'Proxy'],
    [Promise.resolve(), 'Promise'],
  ]
  for (const [value, text] of texts) t.equal(preview(value), text)
})

test('a preview is never longer than asked', async t => {
  const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key${index}`, index]))
  for (const value of ['x'.repeat(1e6), wide, new Error('e'.repeat(500)), 10n ** 200n]) {
    const text = preview(value, 20)
    t.ok(text.length <= 20, text)
    t.match(text, /…/)
  }
  t.equal(preview(wide, 20), '{key0, key1, key2,…}')
})

test('a preview never throws and never looks deep', async t => {
  t.equal(
    preview({
      get a() {
        throw new Error('read')
      },
    }),
    '{a}',
  )
  t.equal(
    preview(
      new (class {
        get [Symbol.toStringTag](): string {
          throw new Error('x')
        }
      })(),
    ),
    'Object',
  )
  const evil = new Error('x')
  Object.defineProperty(evil, 'message', {
    get: () => {
      throw new Error('no')
    },
  })
  t.equal(preview(evil), '[unprintable]')
})
