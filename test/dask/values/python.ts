import { isDeepStrictEqual } from 'node:util'
import tap, { test } from 'tap'
import { decodeMessage, encodeMessage, Serialized } from '../../../lib/dask/protocol/message.js'
import { decodeValue, Undecodable } from '../../../lib/dask/values/decode.js'
import { encodeValue } from '../../../lib/dask/values/encode.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'
import { survives } from '../../fixtures/fuzz.js'

tap.setTimeout(240_000)

/** Python's values, and what they are here. */
const values: [source: string, value: unknown][] = [
  ['None', null],
  ['[True, 1, 1.5, "é", 2**60, -2**64]', [true, 1, 1.5, 'é', 2n ** 60n, -(2n ** 64n)]],
  ['(1, (2, [3]))', [1, [2, [3]]]],
  ['{"a": {"b": (1,)}, "__proto__": 1}', JSON.parse('{"a":{"b":[1]},"__proto__":1}')],
  [
    '{1: "one", "two": 2}',
    new Map<unknown, unknown>([
      [1, 'one'],
      ['two', 2],
    ]),
  ],
  ['{(1, 2): {"x": {3}}}', new Map([[[1, 2], { x: new Set([3]) }]])],
  ['{1, 2}', new Set([1, 2])],
  ['frozenset({"x"})', new Set(['x'])],
  ['b"bytes"', Buffer.from('bytes')],
  ['bytearray(b"array")', Buffer.from('array')],
  ['memoryview(b"view")', Buffer.from('view')],
  ['[b"a", b"b"]', [Buffer.from('a'), Buffer.from('b')]],
  ['(b"a", [b"b", {"k": b"c"}])', [Buffer.from('a'), [Buffer.from('b'), { k: Buffer.from('c') }]]],
  ['{"k": b"v", "n": 1}', { k: Buffer.from('v'), n: 1 }],
  ['{5: b"v"}', new Map([[5, Buffer.from('v')]])],
  ['{b"x", b"y"}', new Set([Buffer.from('x'), Buffer.from('y')])],
  ['float("nan")', Number.NaN],
  ['[numpy.int64(5), numpy.float32(1.5), numpy.bool_(True), numpy.uint64(2**63)]', [5, 1.5, true, 2n ** 63n]],
  ['numpy.float64(0.1)', 0.1],
  ['numpy.int8(-5)', -5],
  ['{"rows": [{"n": numpy.int32(7)}]}', { rows: [{ n: 7 }] }],
  ['b"x" * 70_000_000', Buffer.alloc(70_000_000, 'x')],
]

/** What JavaScript has no value for, and what it is called. */
const undecodable: [source: string, typeName: string | RegExp][] = [
  ['numpy.arange(3)', 'numpy.ndarray'],
  ['datetime.datetime(2020, 1, 2)', 'datetime.datetime'],
  ['[1, {"at": datetime.date(2020, 1, 2)}]', 'list with datetime.date'],
  ['{"total": decimal.Decimal("1.5")}', 'dict with decimal.Decimal'],
  ['1j', 'builtins.complex'],
  ['[numpy.datetime64("2020-01-01")]', /^list with numpy/],
  ['len', 'type'],
  ['[numpy.arange(3)]', 'list with numpy.ndarray'],
  ['range(3)', 'builtins.range'],
]

const script = `
import datetime, decimal, numpy

from distributed.protocol import dumps, loads, to_serialize
def one(source): return [b64(bytes(frame)) for frame in dumps(to_serialize(eval(source)))]
`

for (const environment of daskEnvironments()) {
  test(`values of Dask ${environment.version} are what JavaScript has for them`, async t => {
    const sources = [...values, ...undecodable].map(([source]) => source)
    const all = (await askPython(`${script}tell([one(source) for source in sent])`, sources, environment)) as string[][]
    const frames = all.map(list => list.map(frame => Buffer.from(frame, 'base64')))
    const read = frames.map(list => decodeMessage(list) as Serialized)
    values.forEach(([source, value], index) => {
      t.ok(equal(decodeValue(read[index]!), value), source)
    })
    undecodable.forEach(([source, typeName], index) => {
      const serialized = read[values.length + index]!
      const value = decodeValue(serialized)
      t.match(value, { typeName, serialized }, source)
      t.type(value, Undecodable)
    })
    const small = read.filter(({ frames }) => frames.every(frame => frame.length < 10_000))
    let round = 0
    survives(
      t,
      small.map(({ frames }) => frames[0]!),
      bytes => {
        const { header, frames } = small[round++ % small.length]!
        decodeValue(new Serialized(header, [bytes, ...frames.slice(1)]))
      },
      { count: 5_000, seed: 71 },
    )
  })
}

// Of Sets and Maps with objects in them the order is enough.
function equal(one: unknown, other: unknown): boolean {
  if (one instanceof Set && other instanceof Set) {
    const texts = (set: ReadonlySet<unknown>) => [...set].map(String).sort()
    return isDeepStrictEqual(texts(one), texts(other))
  }
  return isDeepStrictEqual(one, other)
}

/** Ours, and what Python says of them. */
const ours: [value: unknown, repr: string][] = [
  [null, 'None'],
  [{ a: [1, -0, 0.5, true, 'é'], b: Buffer.from('x') }, "{'a': [1, -0.0, 0.5, True, 'é'], 'b': b'x'}"],
  [Buffer.from('bytes'), "b'bytes'"],
  [new Uint8Array([1, 2]), "b'\\x01\\x02'"],
  [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  [2 ** 53, '9007199254740992.0'],
]

for (const environment of daskEnvironments()) {
  test(`Dask ${environment.version} reads our values, and passes on what it can't`, async t => {
    const script = `
from distributed.protocol import dumps, loads, to_serialize
read = [loads([unb64(frame) for frame in frames], deserialize=True)[0] for frames in sent]
types = [pickle.loads(unb64(frames[-1])).__name__ if False else type(value).__name__ for frames, value in zip(sent, read)]
again = [[b64(bytes(frame)) for frame in dumps(to_serialize(value))] for value in read]
tell([[repr(value) for value in read], types, again])
`
    const sent = [...ours.map(([value]) => value), new Map([[1, 2n]]), undefined]
    const frames = sent.map(value => encodeMessage([encodeValue(value).serialized]).map(base64))
    const [reprs, types, again] = (await askPython(script, frames, environment)) as [string[], string[], string[][]]
    t.strictSame(
      reprs.slice(0, ours.length),
      ours.map(([, repr]) => repr),
    )
    t.strictSame(types, ['NoneType', 'dict', 'bytes', 'bytes', 'int', 'float', 'bytes', 'bytes'])
    const back = again.map(list =>
      decodeValue(decodeMessage(list.map(frame => Buffer.from(frame, 'base64'))) as Serialized),
    )
    t.ok(isDeepStrictEqual(back[1], sent[1]))
    t.strictSame(back[3], Buffer.from([1, 2]), 'to Python, bytes are of one kind')
    t.strictSame(back[6], new Map([[1, 2n]]))
    t.equal(back[7], undefined)
  })

  test(`Dask ${environment.version} knows the classes that we name`, async t => {
    const sent = [null, 1, 0.5, 'x', true, [], {}, Buffer.from('x'), new Map()].map(value =>
      base64(encodeValue(value).type),
    )
    const names = await askPython('tell([pickle.loads(unb64(data)).__name__ for data in sent])', sent, environment)
    t.strictSame(names, ['NoneType', 'int', 'float', 'str', 'bool', 'list', 'dict', 'bytes', 'bytes'])
  })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

test('scalars of numpy before its version 2 are numbers as well', async t => {
  // pickle.dumps([numpy.bool_(True), numpy.int8(-5), … numpy.float64(0.1)], 4) by numpy 1.26
  const pickle =
    'gASVVAIAAAAAAABdlCiMFW51bXB5LmNvcmUubXVsdGlhcnJheZSMBnNjYWxhcpSTlIwFbnVtcHmUjAVkdHlwZZSTlIwCYjGUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LAHSUYkMBAZSGlFKUaANoBowCaTGUiYiHlFKUKEsDaApOTk5K/////0r/////SwB0lGJDAfuUhpRSlGgDaAaMAmkylImIh5RSlChLA4wBPJROTk5K/////0r/////SwB0lGJDAtT+lIaUUpRoA2gGjAJpNJSJiIeUUpQoSwNoGU5OTkr/////Sv////9LAHSUYkMEkO7+/5SGlFKUaANoBowCaTiUiYiHlFKUKEsDaBlOTk5K/////0r/////SwB0lGJDCAAAAAAAAAAQlIaUUpRoA2gGjAJ1MZSJiIeUUpQoSwNoCk5OTkr/////Sv////9LAHSUYkMByJSGlFKUaANoBowCdTKUiYiHlFKUKEsDaBlOTk5K/////0r/////SwB0lGJDAmDqlIaUUpRoA2gGjAJ1NJSJiIeUUpQoSwNoGU5OTkr/////Sv////9LAHSUYkMEAChr7pSGlFKUaANoBowCdTiUiYiHlFKUKEsDaBlOTk5K/////0r/////SwB0lGJDCAAAAAAAAACAlIaUUpRoA2gGjAJmNJSJiIeUUpQoSwNoGU5OTkr/////Sv////9LAHSUYkMEAADAP5SGlFKUaANoBowCZjiUiYiHlFKUKEsDaBlOTk5K/////0r/////SwB0lGJDCJqZmZmZmbk/lIaUUpRlLg=='
  const read = decodeValue(new Serialized({ serializer: 'pickle' }, [Buffer.from(pickle, 'base64')]))
  t.strictSame(read, [true, -5, -300, -70_000, 2n ** 60n, 200, 60_000, 4_000_000_000, 2n ** 63n, 1.5, 0.1])
})

test('a value that the peer could not encode says why', async t => {
  const failed = new Serialized({ serializer: 'error' }, [Buffer.from('Could not serialize'), Buffer.from('Traceback')])
  t.throws(() => decodeValue(failed), { code: 'DASK_REMOTE', message: /Could not serialize\nTraceback/ })
})

test('a serializer that is not known is passed on', async t => {
  const value = decodeValue(new Serialized({ serializer: 'cuda' }, [Buffer.from('x')]))
  t.match(value, { typeName: "a value written by the serializer 'cuda'" })
  t.type(value, Undecodable)
})

const damaged: [what: string, header: Record<string, unknown>, message: RegExp][] = [
  ['a pickle without frames', { serializer: 'pickle' }, /no pickle/],
  ['counts that are no numbers', { 'split-num-sub-frames': ['x'], 'split-offsets': [0] }, /how it was cut/],
  [
    'more pieces than frames',
    { 'split-num-sub-frames': [1, 1], 'split-offsets': [0, 0] },
    /more frames than there are/,
  ],
  ['a collection without headers', { 'is-collection': true }, /no headers/],
  [
    'a collection that lacks frames',
    { 'is-collection': true, 'sub-headers': [{}], 'frame-lengths': [1] },
    /does not have/,
  ],
]

for (const [what, header, message] of damaged) {
  test(`${what} is refused`, async t => {
    t.throws(() => decodeValue(new Serialized(header, [])), { code: 'DASK_PROTOCOL', message })
  })
}
