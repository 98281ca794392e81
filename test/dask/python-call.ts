import tap, { test } from 'tap'
import { PyDep, pythonCallPickle } from '../../lib/dask/python-call.js'
import { daskEnvironments } from '../fixtures/dask/environments.js'
import { askPython } from '../fixtures/dask/python.js'

tap.setTimeout(240_000)

const shared = { n: 1 }
const cycle: Record<string, unknown> = {}
cycle['me'] = cycle

/** Calls, and Python's `repr` of what they return; `d0`, `d1` and so on are the values of dependencies. */
const calls: [target: string, args: unknown[], repr: string][] = [
  ['math:factorial', [20], '2432902008176640000'],
  ['builtins:list', [], '[]'],
  ['operator:add', [1, 2.5], '3.5'],
  ['builtins:max', [1, 2, 3, 4, 5], '5'],
  ['os.path:join', ['a', 'b'], "'a/b'"],
  ['builtins:dict.fromkeys', [['a'], null], "{'a': None}"],
  ['collections:OrderedDict.fromkeys', [[1, 2]], 'OrderedDict([(1, None), (2, None)])'],
  ['builtins:repr', [[null, undefined, true, -0, 2n ** 70n, 'é', Buffer.from('x'), new Uint8Array([1])]], repr()],
  [
    'builtins:repr',
    [
      new Map<unknown, unknown>([
        [1, new Map()],
        ['k', [new Set(['x'])]],
      ]),
    ],
    `"{1: {}, 'k': [{'x'}]}"`,
  ],
  ['builtins:repr', [{ a: { b: [] }, 'c d': 1 }], `"{'a': {'b': []}, 'c d': 1}"`],
  ['operator:is_', [shared, shared], 'True'],
  ['builtins:repr', [cycle], `"{'me': {...}}"`],
  ['builtins:sum', [new PyDep('numbers')], '6'],
  ['builtins:type', [new PyDep('array')], "<class 'numpy.ndarray'>"],
  ['operator:is_', [new PyDep('dict'), new PyDep('dict')], 'True'],
  ['builtins:repr', [{ deep: [{ er: [new PyDep('dict'), new PyDep('text')] }], again: new PyDep('dict') }], deep()],
  ['builtins:repr', [new Map([[new PyDep('text'), new Set([new PyDep('text')])]])], `"{'text': {'text'}}"`],
]

function repr(): string {
  return `"[None, None, True, -0.0, 1180591620717411303424, 'é', b'x', b'\\\\x01']"`
}

function deep(): string {
  return `"{'deep': [{'er': [{'x': [1]}, 'text']}], 'again': {'x': [1]}}"`
}

for (const environment of daskEnvironments()) {
  test(`the Python of Dask ${environment.version} makes the call by reading the pickle`, async t => {
    const script = `
import numpy

values = {"numbers": [1, 2, 3], "array": numpy.arange(3), "dict": {"x": [1]}, "text": "text"}
tell([repr(pickle.loads(unb64(data), buffers=[values[key] for key in deps])) for data, deps in sent])
`
    const sent = calls.map(([target, args]) => {
      const { pickle, deps } = pythonCallPickle(target, args)
      return [pickle.toString('base64'), deps]
    })
    t.strictSame(
      await askPython(script, sent, environment),
      calls.map(([, , repr]) => repr),
    )
  })
}

test('a dependency is passed once, however often it is used', async t => {
  const { deps } = pythonCallPickle('m:f', [new PyDep('a'), [new PyDep('b'), new PyDep('a')], { x: new PyDep('b') }])
  t.strictSame(deps, ['a', 'b'])
})

test('more dependencies than a byte can number', async t => {
  const names = Array.from({ length: 300 }, (_, index) => `k${index}`)
  const { pickle, deps } = pythonCallPickle('builtins:list', [[...names, ...names].map(name => new PyDep(name))])
  t.equal(deps.length, 300)
  const script = 'tell(pickle.loads(unb64(sent), buffers=list(range(300))))'
  const numbers = names.map((_, index) => index)
  t.strictSame(await askPython(script, pickle.toString('base64')), [...numbers, ...numbers])
})

test('modules and functions may have names of any script', async t => {
  t.doesNotThrow(() => pythonCallPickle('paquet.mödul:größe', []))
})

for (const target of [
  '',
  'math',
  'math.factorial',
  ':f',
  'm:',
  'm:f:g',
  'm.:f',
  'm:f.',
  'a b:c',
  'm:f()',
  '1m:f',
  'm:f\nposix:system',
]) {
  test(`${JSON.stringify(target)} does not name a function`, async t => {
    t.throws(() => pythonCallPickle(target, []), {
      code: 'INVALID_ARGUMENT',
      message: /package\.module:function/,
      target,
    })
  })
}

class Point {}
const refused: [args: unknown[], path: string, what: RegExp][] = [
  [[1, () => 1], 'argument 2', /a function/],
  [[{ rows: [{ at: new Date(0) }] }], 'argument 1.rows[0].at', /an instance of Date/],
  [[{ 'odd key': new Point() }], 'argument 1["odd key"]', /an instance of Point/],
  [[new Map([['k', Symbol('x')]])], 'argument 1.k', /a symbol/],
  [[new Set([new Point()])], 'an item of argument 1', /Point/],
  [[new Map([[new Point(), 1]])], 'the key Point {} of argument 1', /Point/],
  [[new Proxy({}, {})], 'argument 1', /Proxy/],
  [[new Float64Array(1)], 'argument 1', /Float64Array/],
]

for (const [args, path, what] of refused) {
  test(`${path} cannot be given to Python`, async t => {
    const named = { code: 'NOT_SENDABLE', path, message: new RegExp(`Python call m:f: .*${what.source}`) }
    t.throws(() => pythonCallPickle('m:f', args), named)
  })
}

test('what is nested too deeply is refused, not a crash', async t => {
  let deep: unknown = 1
  for (let depth = 0; depth < 5_000; depth++) deep = [deep]
  t.throws(() => pythonCallPickle('m:f', [deep]), { code: 'NOT_SENDABLE', message: /nested too deeply/ })
})
