import tap, { test } from 'tap'
import { PyBuffer, PyCall, PyGlobal, PyObject, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { loads } from '../../../lib/dask/pickle/read.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'

tap.setTimeout(240_000)

const big = 'x'.repeat(70_000)

/** What Python writes, and what is read. */
const readings: [source: string, value: unknown][] = [
  ['None', null],
  ['[True, False]', [true, false]],
  ['[0, 1, 255, 256, 65535, 65536, -1, -128, -129, 2**31-1, -2**31, 2**31]', ints()],
  ['[2**53-1, -(2**53-1)]', [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
  ['[2**53, -2**53, 2**64, -2**64, 2**70]', [2n ** 53n, -(2n ** 53n), 2n ** 64n, -(2n ** 64n), 2n ** 70n]],
  [
    '[127, 128, -128, -129, 2**63, -2**63, -2**63-1]',
    [127, 128, -128, -129, 2n ** 63n, -(2n ** 63n), -(2n ** 63n) - 1n],
  ],
  ['2**2100', 2n ** 2100n],
  ['-(2**2100)', -(2n ** 2100n)],
  ['[0.5, -0.0, 1e300, float("inf"), -float("inf"), float("nan")]', [0.5, -0, 1e300, Infinity, -Infinity, NaN]],
  ['["", "a", "ä", "€", "😀", "a\\nb", "\\0"]', ['', 'a', 'ä', '€', '😀', 'a\nb', '\0']],
  ['["\\ud800", "a\\udc80b", "\\udfff\\ud800x"]', ['\ud800', 'a\udc80b', '\udfff\ud800x']],
  ['"\\ufffd"', '\ufffd'],
  ['"x" * 70000', big],
  [
    '[b"", b"abc", bytes(range(256)), b"x" * 70000]',
    [Buffer.alloc(0), Buffer.from('abc'), bytes256(), Buffer.from(big)],
  ],
  ['[bytearray(), bytearray(b"abc")]', [Buffer.alloc(0), Buffer.from('abc')]],
  ['[[], [[]], [1, [2, [3]]]]', [[], [[]], [1, [2, [3]]]]],
  ['list(range(3000))', Array.from({ length: 3000 }, (_, index) => index)],
  [
    '[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]',
    [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]].map(items => pyTuple(...items)),
  ],
  [
    '[{}, {"a": 1, "__proto__": 2}]',
    [
      new Map(),
      new Map<string, number>([
        ['a', 1],
        ['__proto__', 2],
      ]),
    ],
  ],
  [
    '{1: "one", (1, 2): b"x", None: None}',
    new Map<unknown, unknown>([
      [1, 'one'],
      [pyTuple(1, 2), Buffer.from('x')],
      [null, null],
    ]),
  ],
  ['[set(), {1}, frozenset(), frozenset({2})]', [new Set(), new Set([1]), new Set(), new Set([2])]],
  ['{str(n): n for n in range(2000)}', new Map(Array.from({ length: 2000 }, (_, n) => [String(n), n]))],
]

test('what Python writes in any protocol is read', async t => {
  const script = `
def write(source, protocol):
    buffers = []
    callback = buffers.append if protocol == 5 else None
    data = pickle.dumps(eval(source), protocol, buffer_callback=callback)
    return b64(data)
tell([[write(source, protocol) for protocol in range(2, 6)] for source in sent])
`
  const written = (await askPython(
    script,
    readings.map(([source]) => source),
  )) as string[][]
  readings.forEach(([source, value], index) => {
    written[index]!.forEach((pickle, protocol) => {
      t.strictSame(loads(Buffer.from(pickle, 'base64')), value, `${source.slice(0, 60)} in protocol ${protocol + 2}`)
    })
  })
})

test('numbers in the oldest protocols are read', async t => {
  const values =
    '[None, True, False, 0, -5, 2**40, 2**70, 0.5, -0.0, float("inf"), float("nan"), [], [1], (1, 2), {1: 2}]'
  const script = `tell([b64(pickle.dumps(${values}, protocol)) for protocol in (0, 1)])`
  const expected = [null, true, false, 0, -5, 2 ** 40, 2n ** 70n, 0.5, -0, Infinity, NaN]
  for (const pickle of (await askPython(script)) as string[]) {
    const read = loads(Buffer.from(pickle, 'base64'))
    t.strictSame(read, [...expected, [], [1], pyTuple(1, 2), new Map([[1, 2]])])
  }
})

test('what is shared is shared, and what refers to itself does', async t => {
  const script = `
shared = {"x": 1}
cycle = [shared, shared]
cycle.append(cycle)
tell([b64(pickle.dumps(cycle, protocol)) for protocol in range(2, 6)])
`
  for (const pickle of (await askPython(script)) as string[]) {
    const read = loads(Buffer.from(pickle, 'base64')) as unknown[]
    t.equal(read[0], read[1])
    t.equal(read[2], read)
  }
})

test('objects are described and never made', async t => {
  const script = `
import collections, datetime, decimal, fractions, functools, numpy, operator, os
class Evil:
    def __reduce__(self): return os.system, ("echo pwned >&2",)
values = [datetime.datetime(2020, 1, 2), decimal.Decimal("1.5"), collections.OrderedDict(a=1), Evil(), numpy.arange(3), len,
          operator.attrgetter("x"), fractions.Fraction(1, 3), 1j, range(3), collections.deque([1]), type(None)]
tell([b64(pickle.dumps(value, protocol)) for protocol in range(2, 6) for value in values])
`
  const types = (await askPython(script)) as string[]
  const read = types.map(pickle => loads(Buffer.from(pickle, 'base64')))
  const names = read.map(value => (value instanceof PyObject || value instanceof PyGlobal ? value.type : value))
  t.strictSame(names.slice(0, 12), [
    'datetime.datetime',
    'decimal.Decimal',
    'collections.OrderedDict',
    'posix.system',
    'numpy.ndarray',
    '__builtin__.len',
    'operator.attrgetter',
    'fractions.Fraction',
    '__builtin__.complex',
    '__builtin__.xrange',
    'collections.deque',
    '__builtin__.type',
  ])
  t.ok(names.slice(12).every(name => typeof name === 'string'))
  const [dict] = read.slice(12 + 2) as PyObject[]
  t.strictSame(dict?.items, new Map([['a', 1]]))
})

test('buffers that are kept apart are put in', async t => {
  const script = `
import numpy
buffers = []
data = pickle.dumps([numpy.arange(4, dtype="u1"), pickle.PickleBuffer(b"ro")], 5, buffer_callback=buffers.append)
tell([b64(data), [b64(bytes(b.raw())) for b in buffers]])
`
  const [pickle, buffers] = (await askPython(script)) as [string, string[]]
  const parts = buffers.map(part => Buffer.from(part, 'base64'))
  const [array, raw] = loads(Buffer.from(pickle, 'base64'), parts) as [PyObject, Buffer]
  t.strictSame(array.args[0], Buffer.from([0, 1, 2, 3]))
  t.strictSame(raw, Buffer.from('ro'))
  t.throws(() => loads(Buffer.from(pickle, 'base64')), {
    code: 'DASK_PROTOCOL',
    message: /buffer 0, which did not come/,
  })
})

/** What we write, and Python's `repr` of what it reads. */
const writings: [value: unknown, repr: string][] = [
  [null, 'None'],
  [undefined, 'None'],
  [[true, false], '[True, False]'],
  [ints(), '[0, 1, 255, 256, 65535, 65536, -1, -128, -129, 2147483647, -2147483648, 2147483648]'],
  [[2 ** 53, -0, 0.1, NaN, Infinity], '[9007199254740992.0, -0.0, 0.1, nan, inf]'],
  [
    [0n, 127n, 128n, -128n, -129n, 2n ** 64n, -(2n ** 64n)],
    '[0, 127, 128, -128, -129, 18446744073709551616, -18446744073709551616]',
  ],
  [2n ** 2100n, String(2n ** 2100n)],
  [-(2n ** 2040n), String(-(2n ** 2040n))],
  [['', 'ä€😀', "it's"], `['', 'ä€😀', "it's"]`],
  ['\ud800x\udfff', "'\\ud800x\\udfff'"],
  [big, `'${big}'`],
  [[Buffer.from('a\0'), new Uint8Array([1])], "[b'a\\x00', b'\\x01']"],
  [[[], {}, new Map(), pyTuple()], '[[], {}, {}, ()]'],
  [{ a: [1], ö: { __proto__: null } }, "{'a': [1], 'ö': {}}"],
  [
    new Map<unknown, unknown>([
      [1, 'x'],
      [pyTuple(1, 'a'), null],
    ]),
    "{1: 'x', (1, 'a'): None}",
  ],
  [[pyTuple(1), pyTuple(1, 2), pyTuple(1, 2, 3), pyTuple(1, 2, 3, 4)], '[(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]'],
  [[new Set([1]), new Set()], '[{1}, set()]'],
  [new PyGlobal('collections', 'OrderedDict.fromkeys'), '<built-in method fromkeys of type object>'],
  [new PyCall(new PyGlobal('operator', 'add'), [1, 2]), '3'],
  [new PyCall(new PyGlobal('builtins', 'ValueError'), ['x'], { note: 'n' }), "ValueError('x')"],
  [new PyCall(new PyGlobal('builtins', 'dict'), [[pyTuple('k', new PyBuffer())]]), "{'k': b'first'}"],
]

for (const environment of daskEnvironments()) {
  test(`Python reads what we write, as Dask ${environment.version} has it`, async t => {
    const script = `
import re

def read(data): return re.sub(" at 0x[0-9a-f]+", "", repr(pickle.loads(unb64(data), buffers=[b"first"])))
tell([read(data) for data in sent])
`
    const sent = writings.map(([value]) => dumps(value).toString('base64'))
    const read = await askPython(script, sent, environment)
    t.strictSame(
      read,
      writings.map(([, repr]) => repr),
    )
  })
}

test('large bytes and long texts go through whole', async t => {
  const value = { data: Buffer.alloc(3_000_000, 7), text: 'é'.repeat(1_000_000) }
  const script = `
value = pickle.loads(unb64(sent))
tell([len(value["data"]), value["data"][-1], len(value["text"]), b64(pickle.dumps(value, 5))[:0]])
`
  t.strictSame(await askPython(script, dumps(value).toString('base64')), [3_000_000, 7, 1_000_000, ''])
})

function ints(): number[] {
  return [0, 1, 255, 256, 65535, 65536, -1, -128, -129, 2 ** 31 - 1, -(2 ** 31), 2 ** 31]
}

function bytes256(): Buffer {
  return Buffer.from(Array.from({ length: 256 }, (_, index) => index))
}
