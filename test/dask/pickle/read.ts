import tap, { test } from 'tap'
import { PyCall, PyGlobal, PyObject, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { op } from '../../../lib/dask/pickle/opcodes.js'
import { loads } from '../../../lib/dask/pickle/read.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { noise, survives } from '../../fixtures/fuzz.js'
import { Random } from '../../fixtures/random.js'

tap.setTimeout(240_000)

const { PROTO, STOP, MARK, NONE, EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE, APPEND, APPENDS, SETITEMS, BUILD, REDUCE } = op
const { POP, TUPLE1, BINGET, BINPUT, LONG_BINPUT, BININT1, DUP, SHORT_BINUNICODE, STACK_GLOBAL, EMPTY_SET } = op

function pickle(...codes: readonly (number | string)[]): Buffer {
  return Buffer.concat(codes.map(code => (typeof code === 'number' ? Buffer.from([code]) : Buffer.from(code))))
}

const refusals: [what: string, bytes: Buffer, message: RegExp][] = [
  ['nothing', Buffer.alloc(0), /not whole/],
  ['a pickle without an end', pickle(PROTO, 4, NONE), /not whole/],
  ['a pickle of nothing', pickle(PROTO, 4, STOP), /takes more than it has given/],
  ['an opcode of no protocol', pickle(0xff), /opcode 0xff at 0/],
  ['a reference outside (PERSID)', pickle('Pname\n', STOP), /opcode 0x50/],
  ['an extension of a registry', pickle(0x82, 1, STOP), /opcode 0x82/],
  ['a text that is longer than the pickle', pickle(SHORT_BINUNICODE, 200, 'abc', STOP), /not whole/],
  ['bytes of 2^63', pickle(op.BINBYTES8, '\0\0\0\0\0\0\0\x7f', STOP), /not whole/],
  ['an end of a list without its mark', pickle(EMPTY_LIST, NONE, APPENDS, STOP), /no mark/],
  ['an item for what is not a list', pickle(EMPTY_TUPLE, NONE, APPEND, STOP), /not a list/],
  ['a dict with a key and no value', pickle(EMPTY_DICT, MARK, NONE, SETITEMS, STOP), /not a dict/],
  ['an item for what is not a set', pickle(EMPTY_LIST, MARK, NONE, op.ADDITEMS, STOP), /not a set/],
  ['a value taken from behind a mark', pickle(NONE, MARK, POP, POP, POP, STOP), /takes more/],
  ['a tuple across a mark', pickle(NONE, MARK, TUPLE1, STOP), /takes more/],
  ['a call without arguments', pickle(NONE, NONE, REDUCE, STOP), /without a tuple/],
  ['a name that is a number', pickle(BININT1, 1, BININT1, 2, STACK_GLOBAL, STOP), /not a string/],
  ['a state for a number', pickle(BININT1, 1, NONE, BUILD, STOP), /has none/],
  ['a reference to what was not kept', pickle(BINGET, 7, STOP), /number 7/],
  ['a number beyond all that can be kept', pickle(NONE, LONG_BINPUT, '\x7f\x7f\x7f\x7f', STOP), /number 2139062143/],
  ['a decimal that is none', pickle('Iabc\n', STOP), /int that is none/],
  ['a decimal of too many digits', pickle(`I${'9'.repeat(5_000)}\n`, STOP), /int that is none/],
  ['a float that is none', pickle('Fabc\n', STOP), /float that is none/],
  ['a line without an end', pickle('I12'), /no end/],
]

for (const [what, bytes, message] of refusals) {
  test(`${what} is refused`, async t => {
    t.throws(() => loads(bytes), { code: 'DASK_PROTOCOL', message })
  })
}

test('what the pickle says of itself is passed over', async t => {
  const framed = pickle(PROTO, 5, op.FRAME, '\0\0\0\0\0\0\0\0', NONE, STOP, 'what follows')
  t.equal(loads(framed), null)
})

test('the stack can be tidied', async t => {
  t.strictSame(loads(pickle(EMPTY_LIST, NONE, DUP, POP, POP, STOP)), [])
  t.strictSame(loads(pickle(NONE, MARK, NONE, NONE, op.POP_MARK, STOP)), null)
  t.strictSame(loads(pickle(NONE, MARK, POP, STOP)), null, 'a mark is taken away by POP')
  t.strictSame(loads(pickle(MARK, NONE, op.LIST, STOP)), [null])
  t.strictSame(loads(pickle(MARK, NONE, NONE, op.DICT, STOP)), new Map([[null, null]]))
})

test('bytes share the memory of the pickle', async t => {
  const written = dumps(Buffer.from('shared'))
  const read = loads(written) as Buffer
  t.equal(read.buffer, written.buffer)
})

test('a call is described with its arguments, state, items and keywords', async t => {
  const call = new PyCall(new PyGlobal('pkg.mod', 'Class.method'), [1, 'two'], new Map([['x', 1]]))
  const read = loads(dumps(call)) as PyObject
  t.type(read, PyObject)
  t.equal(read.type, 'pkg.mod.Class.method')
  t.strictSame(read.args, pyTuple(1, 'two'))
  t.strictSame(read.state, new Map([['x', 1]]))
  const cls = [SHORT_BINUNICODE, 1, 'm', SHORT_BINUNICODE, 1, 'C', STACK_GLOBAL] as const
  const keywords = loads(pickle(...cls, EMPTY_TUPLE, EMPTY_DICT, op.NEWOBJ_EX, STOP)) as PyObject
  t.strictSame(keywords.kwargs, new Map())
  const list = loads(pickle(...cls, EMPTY_TUPLE, op.NEWOBJ, NONE, APPEND, MARK, NONE, APPENDS, STOP)) as PyObject
  t.strictSame(list.list, [null, null])
})

test('a pickle that asks for more than it holds is refused, not carried out', async t => {
  // One long list, and a thousand sets of it.
  const items = Buffer.alloc(50_000, NONE)
  const makeSet = [SHORT_BINUNICODE, 8, 'builtins', SHORT_BINUNICODE, 3, 'set', STACK_GLOBAL, BINPUT, 1] as const
  const list = [EMPTY_LIST, MARK, items.toString('latin1'), APPENDS, TUPLE1, BINPUT, 2, POP] as const
  const again = Buffer.concat(Array.from({ length: 1_000 }, () => pickle(BINGET, 1, BINGET, 2, REDUCE, POP)))
  const bytes = Buffer.concat([pickle(...makeSet, POP, ...list), again, pickle(EMPTY_SET, STOP)])
  t.throws(() => loads(bytes), { code: 'DASK_PROTOCOL', message: /more than it holds/ })
})

test('nesting of any depth is read', async t => {
  const depth = 200_000
  const bytes = Buffer.concat([pickle(EMPTY_TUPLE), Buffer.alloc(depth, TUPLE1), pickle(STOP)])
  let value = loads(bytes)
  let count = 0
  for (; Array.isArray(value) && value.length > 0; value = value[0]) count++
  t.equal(count, depth)
})

const samples = [
  { a: [1, 2.5, 'text', null, true], b: Buffer.from('bytes'), c: { d: -7, e: 2n ** 80n } },
  [pyTuple(1, 2, 3, 4), new Set([1, 'x']), new Map<unknown, unknown>([[1, 'x']])],
  new PyCall(new PyGlobal('builtins', 'ValueError'), ['x'], { note: ['n'.repeat(300)] }),
  new PyCall(new PyGlobal('_codecs', 'encode'), ['\xff', 'latin1']),
  new PyCall(new PyGlobal('builtins', 'set'), [[1, 2, 3]]),
  Array.from({ length: 100 }, (_, index) => ({ index })),
]

test('damaged pickles are read or refused, whatever the damage', async t => {
  survives(t, samples.map(dumps), bytes => loads(bytes, [Buffer.from('x')]), { count: 20_000, seed: 11 })
})

test('noise is read or refused', async t => {
  const random = new Random(5)
  const noises = Array.from({ length: 200 }, () => noise(1 + random.below(200), random))
  survives(t, noises, bytes => loads(bytes), { count: 10_000, seed: 12 })
})
