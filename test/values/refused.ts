import { createHook } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { isMintakaError, type MintakaError } from '../../lib/core/errors.js'
import { codec } from '../../lib/values/json.js'
import { toWire } from '../../lib/values/wire.js'

class Point {
  x = 1
}
class List extends Array {}
class Cache extends Map {}

function refusalOf(
  value: unknown,
  ...rest: Parameters<typeof toWire> extends [unknown, ...infer R] ? R : never
): MintakaError {
  try {
    toWire(value, ...rest)
  } catch (error) {
    if (isMintakaError(error, 'NOT_SENDABLE')) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('a refusal names the task, the path, the thing and the reason', async t => {
  const socket = new Socket()
  t.teardown(() => socket.destroy())
  const error = refusalOf([[{ rows: [{ conn: socket }] }]], index => `argument ${index + 1}`, { task: 'load' })
  t.equal(
    error.message,
    "Task 'load': argument 1[0].rows[0].conn is an instance of Socket, which can't be sent to a worker " +
      '(it would arrive without its methods; send plain data).',
  )
  t.match(error, { code: 'NOT_SENDABLE', task: 'load', path: 'argument 1[0].rows[0].conn' })
  t.equal(
    refusalOf({ f: () => 1 }, 'the result').message,
    "the result.f is the function f, which can't be sent to a worker (functions stay where they were made).",
  )
})

test('a path leads through every kind of container', async t => {
  const bad = () => 1
  const paths: [unknown, string][] = [
    [bad, 'value'],
    [[0, [bad]], 'value[1][0]'],
    [{ 'not a name': bad }, 'value["not a name"]'],
    [new Map([['key', { bad }]]), 'value.get("key").bad'],
    [new Map([[{ bad }, 1]]), 'value.keys()[0].bad'],
    [new Map([[{}, { bad }]]), 'value.get(#0).bad'],
    [new Map([[7, bad]]), 'value.get(7)'],
    [new Set([1, [bad]]), 'value.values()[1][0]'],
    [{ a: { b: 1 }, c: { d: bad } }, 'value.c.d'],
  ]
  for (const [value, path] of paths) t.equal(refusalOf(value)['path' as keyof MintakaError], path)
})

test('what has no meaning elsewhere is refused, and said what it is', async t => {
  const shared = new SharedArrayBuffer(8)
  const moved = new ArrayBuffer(8)
  const view = new Uint8Array(moved)
  structuredClone(moved, { transfer: [moved] })
  const what: [unknown, RegExp][] = [
    [() => 1, /the function \(anonymous\)/],
    [function named() {}, /the function named/],
    [class A {}, /the function A/],
    [Symbol('s'), /the symbol Symbol\(s\)/],
    [Promise.resolve(), /a Promise.*await it first/],
    [new Proxy({}, {}), /a Proxy/],
    [new Proxy([], {}), /a Proxy/],
    [new Point(), /an instance of Point/],
    [new List(), /an instance of List/],
    [new Cache(), /an instance of Cache/],
    [new (class extends Date {})(), /an instance of/],
    [new (class Bytes extends Uint8Array {})(2), /an instance of Bytes/],
    [new EventEmitter(), /an instance of EventEmitter/],
    [Readable.from([]), /an instance of Readable/],
    [new WeakMap(), /an instance of WeakMap/],
    [new WeakRef({}), /an instance of WeakRef/],
    [new Blob([]), /an instance of Blob/],
    [new Headers(), /an instance of Headers/],
    [new URLSearchParams(), /an instance of URLSearchParams/],
    [AbortSignal.abort(), /an instance of AbortSignal/],
    [new String('boxed'), /an instance of String/],
    [shared, /a SharedArrayBuffer/],
    [new Uint8Array(shared), /a view of a SharedArrayBuffer/],
    [moved, /an emptied buffer.*transfer/],
    [view, /an emptied buffer/],
    [createHook({}), /an instance of AsyncHook/],
    [(function* () {})(), /an instance of/],
    [Object.create(new Point()), /an instance of Point/],
    [Object.create(null, { constructor: { value: null } }).constructor ?? new (class {})(), /an instance of/],
  ]
  for (const [value, text] of what) t.match(refusalOf({ deep: [value] }).message, text)
})

test('a getter is read, and one that throws is named', async t => {
  t.strictSame(
    toWire({
      get a() {
        return 1
      },
    }),
    { a: 1 },
  )
  const value = {
    list: [
      {
        get boom(): number {
          throw new Error('not now')
        },
      },
    ],
  }
  t.equal(
    refusalOf(value).message,
    "value.list[0].boom is a getter that throws, which can't be sent to a worker (not now).",
  )
})

test('what lies too deep is refused', async t => {
  let deep: unknown = 1
  for (let level = 0; level < 100_000; level++) deep = [deep]
  t.match(refusalOf(deep).message, /value is nested too deeply, which can't be sent/)
})

test('symbol keys, what is not enumerable and named fields of arrays are left out', async t => {
  const value = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: () => 1 })
  t.strictSame(Reflect.ownKeys(toWire(value) as object), ['a'])
  const list = Object.assign([1], { named: () => 1 })
  t.strictSame(Reflect.ownKeys(toWire(list) as object), ['0', 'length'])
})

test('the codec refuses the same things in its own words', async t => {
  t.throws(() => codec.encode({ f: [new Point()] }), {
    code: 'NOT_SENDABLE',
    message:
      "value.f[0] is an instance of Point, which can't be stored (it would arrive without its methods; send plain data).",
  })
})
