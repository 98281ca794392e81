import { isDeepStrictEqual } from 'node:util'
import v8 from 'node:v8'
import { createContext, runInContext } from 'node:vm'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { test } from 'tap'
import { isMintakaError, MintakaError } from '../../lib/core/errors.js'
import { isState, states } from '../../lib/core/state.js'
import { lostFields } from '../../lib/values/errors.js'
import { codec } from '../../lib/values/json.js'
import { readShared, share } from '../../lib/values/shared.js'
import { fromWire, thrownToWire, toWire } from '../../lib/values/wire.js'

const { port1, port2 } = new MessageChannel()
port1.unref()
port2.unref()

/** What arrives where it is not what was sent. */
const otherwise: Record<string, unknown> = {
  'a null prototype': { a: 1 },
  'objects of another realm': { list: [1, [2]], map: new Map([[1, new Set([2])]]), date: new Date(1) },
}

/** Every way on which a value crosses a border. */
const ways: Record<string, (value: unknown) => unknown> = {
  postMessage(value) {
    port1.postMessage(toWire(value))
    return fromWire(receiveMessageOnPort(port2)!.message)
  },
  'v8.serialize': value => fromWire(v8.deserialize(v8.serialize(toWire(value)))),
  codec: value => codec.decode(codec.encode(value)),
  'shared memory': value => readShared(share(value)),
}

/** An array with numbers at these indexes only. */
function holes(...indexes: number[]): number[] {
  const list: number[] = []
  for (const index of indexes) list[index] = index
  return list
}

const realm = createContext({})
const shared = { x: 1 }
const cyclic: Record<string, unknown> = { list: holes(1, 3) }
cyclic['me'] = cyclic
cyclic['map'] = new Map([['me', cyclic]])
const big = new Uint8Array(100_000).map((_, index) => index)

const values: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  'minus zero': -0,
  'a fraction': 0.1,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  'the largest integer': Number.MAX_SAFE_INTEGER,
  'an empty string': '',
  'a string': 'héllo\u2028\n"',
  'a lone surrogate': '\ud800',
  'a null character': '\u0000',
  bigint: 12345678901234567890n,
  'minus bigint': -1n,
  'an empty object': {},
  'an object': { a: 1, b: { c: [true, null, 'x'] } },
  'undefined in an object': { a: undefined },
  'numbers in an object': { a: Number.NaN, b: -0, c: Number.NEGATIVE_INFINITY },
  'a null prototype': Object.assign(Object.create(null), { a: 1 }),
  'a __proto__ key': JSON.parse('{"__proto__": {"polluted": true}}'),
  'a __proto__ key with a date': JSON.parse('{"__proto__": 1}', (key, value) =>
    key === '__proto__' ? new Date(5) : value,
  ),
  'an empty array': [],
  'an array': [1, 'two', [3]],
  'a sparse array': holes(1, 3, 4),
  'undefined in an array': [undefined, undefined],
  'a long array': Array.from({ length: 1000 }, (_, index) => index),
  'an empty Map': new Map(),
  'a Map': new Map<unknown, unknown>([
    [{ k: 1 }, new Set([1n])],
    ['x', undefined],
  ]),
  'a Set': new Set([1, 'a', Number.NaN, [2]]),
  'a Date': new Date(1e12),
  'an invalid Date': new Date(Number.NaN),
  'a RegExp': /a[/]b/giu,
  'a URL': new URL('https://user@example.org:8080/path?q=1#h'),
  'a Buffer': Buffer.from('hi'),
  'an empty Buffer': Buffer.alloc(0),
  'a large Buffer': Buffer.alloc(70_000, 7),
  'an ArrayBuffer': new Uint8Array([1, 2, 3]).buffer,
  Int8Array: new Int8Array([-1, 1]),
  Uint8Array: new Uint8Array([1, 2]),
  Uint8ClampedArray: new Uint8ClampedArray([300, 2]),
  Int16Array: new Int16Array([-1, 1]),
  Uint16Array: new Uint16Array([1, 2]),
  Int32Array: new Int32Array([-1, 1]),
  Uint32Array: new Uint32Array([1, 2]),
  Float32Array: new Float32Array([0.5, Number.NaN]),
  Float64Array: new Float64Array([0.1, -0]),
  BigInt64Array: new BigInt64Array([-1n]),
  BigUint64Array: new BigUint64Array([1n]),
  DataView: new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 1),
  'a view of a part': big.subarray(10, 20),
  'a large view': big,
  'cycles and shared references': cyclic,
  'the same object twice': [shared, shared, { shared }],
  'the same date twice': [new Date(1), new Date(1)],
  'data that looks like a record': { $mintaka: 'error', record: { fields: {} } },
  'data that looks like a tree': { $mintaka: 'tree', value: { $mintaka: 'url', href: 'x' } },
  'data that looks like JSON of ours': [{ $mintaka: 'same', id: 0 }, { $mintaka: 'undefined' }, '"$mintaka"'],
  'data with our key and others': { $mintaka: 1, other: new Date(3), again: [{ $mintaka: undefined }] },
  'an old key': { '\u0000mintaka': 'error' },
  'objects of another realm': runInContext(
    '({ list: [1, [2]], map: new Map([[1, new Set([2])]]), date: new Date(1) })',
    realm,
  ),
  'a look-alike of a state': { type: 'COMPLETED', name: 'Completed', timestamp: 1, result: 2 },
}

for (const [way, carry] of Object.entries(ways)) {
  test(`by ${way} a value arrives as it was`, async t => {
    for (const [name, value] of Object.entries(values)) {
      const arrived = carry(value)
      const expected = name in otherwise ? otherwise[name] : value
      if (name === 'an invalid Date') t.ok(Number.isNaN((arrived as Date).getTime()), name)
      else t.ok(isDeepStrictEqual(arrived, expected), name)
    }
  })

  test(`by ${way} what is exact stays exact`, async t => {
    t.ok(Object.is(carry(-0), -0))
    t.ok(Object.is((carry([-0]) as number[])[0], -0))
    t.notOk(2 in (carry(holes(1, 3)) as unknown[]), 'a hole stays a hole')
    t.ok('a' in (carry({ a: undefined }) as object), 'an undefined field stays a field')
    const [a, b, c] = carry(values['the same object twice']) as [object, object, { shared: object }]
    t.ok(a === b && c.shared === a, 'what is shared stays shared')
    const loop = carry(cyclic) as { me: unknown; map: Map<string, unknown> }
    t.ok(loop.me === loop && loop.map.get('me') === loop, 'a cycle stays a cycle')
    const tagged = carry(values['data that looks like a tree']) as object
    t.strictSame(Object.keys(tagged), ['$mintaka', 'value'])
    t.ok(Object.hasOwn(carry(values['a __proto__ key']) as object, '__proto__'))
    t.equal(({} as { polluted?: boolean }).polluted, undefined)
    const self: unknown[] = []
    self.push({ $mintaka: 'object', self })
    const again = carry(self) as [{ self: unknown }]
    t.equal(again[0].self, again)
  })

  test(`by ${way} bytes arrive with a buffer of their own size`, async t => {
    for (const name of ['a Buffer', 'a view of a part', 'DataView', 'Float64Array', 'a large Buffer']) {
      const value = values[name] as ArrayBufferView
      const arrived = carry({ pad: 'x'.repeat(999), value }) as { value: ArrayBufferView }
      t.equal(arrived.value.buffer.byteLength, value.byteLength, name)
    }
    t.ok(Buffer.isBuffer(carry(Buffer.from('x'))))
    const buffer = new ArrayBuffer(8)
    const views = carry([new Uint8Array(buffer), new Float64Array(buffer), buffer]) as [
      Uint8Array,
      Float64Array,
      ArrayBuffer,
    ]
    if (way === 'postMessage' || way === 'shared memory')
      t.ok(views[0].buffer === views[1].buffer && views[1].buffer === views[2], 'aliases stay')
  })

  test(`by ${way} a state arrives as a state`, async t => {
    const cause = new TypeError('no')
    const all = [
      states.scheduled(1, 2, 'm'),
      states.late(1, 2),
      states.awaitingRetry(1, 2, 3, cause),
      states.pending(1),
      states.notReady(1, 'run-1', cause),
      states.running(1, 1),
      states.running(1, 2),
      states.cancelling(1, 2, 'stop'),
      states.completed(1, new Map([[1, 2]])),
      states.completed(1, undefined),
      states.cached(1, [1], 'run-0'),
      states.failed(1, cause),
      states.timedOut(1, cause),
      states.crashed(1, cause),
      states.cancelled(1, cause),
    ]
    const arrived = carry({ all }) as { all: typeof all }
    for (const [index, state] of all.entries()) {
      const copy = arrived.all[index]!
      t.ok(isState(copy))
      t.equal(copy.constructor, state.constructor)
      t.strictSame({ ...copy, error: undefined }, { ...state, error: undefined }, state.name)
      if ('error' in state) t.match((copy as { error: Error }).error, { message: 'no', name: 'TypeError' })
    }
    t.notOk(isState(carry(values['a look-alike of a state'])))
  })

  test(`by ${way} an error arrives with all that it says`, async t => {
    class HttpError extends TypeError {
      override name = 'HttpError'
      code = 'E_HTTP'
      status = 503
      body = { retry: new Date(5), tags: new Set(['a']) }
    }
    const root = new RangeError('root')
    const error = new HttpError('no answer', { cause: new AggregateError([root, 'text', root], 'both') })
    Object.defineProperty(error, 'issues', { value: [1, 2], enumerable: false })
    const copy = carry(error) as HttpError & { cause: AggregateError; issues: unknown }
    t.ok(copy instanceof TypeError, 'the nearest built-in class')
    t.match(copy, { name: 'HttpError', message: 'no answer', code: 'E_HTTP', status: 503 })
    t.strictSame(copy.body, { retry: new Date(5), tags: new Set(['a']) })
    t.equal(copy.stack, error.stack)
    t.strictSame(copy.issues, [1, 2])
    t.notOk(Object.keys(copy).includes('issues'))
    t.notOk(Object.keys(copy).includes('stack') || Object.keys(copy).includes('message'))
    t.ok(copy.cause instanceof AggregateError)
    const [first, second, third] = copy.cause.errors
    t.ok(first instanceof RangeError && second === 'text' && third === first)
    t.strictSame(lostFields(copy), [])
  })

  test(`by ${way} an error always gets through`, async t => {
    const error = Object.assign(new Error('x'), { socket: () => 1, fine: 1, ['__proto__x']: 2 })
    Object.defineProperty(error, 'boom', {
      enumerable: true,
      get: () => {
        throw new Error('getter')
      },
    })
    const half = { ok: shared, bad: Symbol('s') }
    Object.assign(error, { half, shared, cause: { half } })
    const copy = carry(error) as typeof error & { shared: unknown; cause: unknown; half?: unknown }
    t.match(copy, { message: 'x', fine: 1, shared: { x: 1 } })
    t.strictSame([...lostFields(copy)].sort(), ['boom', 'cause', 'half', 'socket'])
    t.notOk('half' in copy, 'nothing arrives by half')
    t.equal(copy.cause, '[object Object]')
    t.strictSame(lostFields(carry(copy) as object), lostFields(copy), 'what was lost is still known one border later')

    const self = new Error('self')
    self.cause = self
    t.ok((carry(self) as Error).cause instanceof Error)
    const again = carry(self) as Error
    t.equal(again.cause, again)

    const evil = new Error('evil')
    for (const key of ['stack', 'name', 'message', 'cause', 'errors']) {
      Object.defineProperty(evil, key, {
        get: () => {
          throw new Error(key)
        },
      })
    }
    t.ok(carry(evil) instanceof Error)
    const odd = new Error('odd')
    Object.defineProperty(odd, 'message', { value: 42 })
    Object.defineProperty(odd, 'errors', { value: 'none', enumerable: true })
    t.match(carry(odd), { message: '42', errors: 'none' })
  })

  test(`by ${way} the errors of the platform and of Mintaka keep their class`, async t => {
    const abort = carry(AbortSignal.abort().reason) as DOMException
    t.ok(abort instanceof DOMException)
    t.match(abort, { name: 'AbortError', code: 20 })
    const ours = new MintakaError('WORKER_LOST', 'gone', { task: 'a', exitCode: 7, cause: new Error('why') })
    const copy = carry(ours) as MintakaError & { exitCode: number }
    t.ok(copy instanceof MintakaError)
    t.ok(isMintakaError(copy, 'WORKER_LOST'))
    t.match(copy, { message: 'gone', task: 'a', exitCode: 7, name: 'MintakaError', stack: ours.stack })
    t.strictSame(Object.keys(copy).sort(), Object.keys(ours).sort())
    t.equal((copy.cause as Error).message, 'why')
    const foreign = carry(runInContext('new RangeError("elsewhere")', realm)) as Error
    t.ok(foreign instanceof RangeError)
    t.equal(foreign.message, 'elsewhere')
  })
}

test('what was thrown always arrives: a value as a value, the rest as text', async t => {
  for (const thrown of ['text', 42, null, undefined, { code: 1 }, [1]])
    t.strictSame(fromWire(thrownToWire(thrown)), thrown)
  t.match(fromWire(thrownToWire(() => 1)), /function/i)
  class Odd {
    field = 1
  }
  t.match(fromWire(thrownToWire(new Odd())), /Odd \{ field: 1 \}/)
  t.match(
    fromWire(
      thrownToWire(
        new Proxy(
          {},
          {
            get: () => {
              throw new Error()
            },
          },
        ),
      ),
    ),
    /.*/,
  )
})

test('what JSON carries exactly is stored as plain JSON', async t => {
  for (const value of [1, 'a', null, true, [1, [2]], { a: { b: 'c' } }])
    t.equal(codec.encode(value), JSON.stringify(value))
  t.equal(codec.encode({ a: Number.NaN }), '{"a":{"$mintaka":"number","value":"NaN"}}')
})

test('plain data needs no decoding', async t => {
  const wire = toWire({ a: [1, { b: 2n }] })
  t.equal(fromWire(wire), wire)
})
