import tap, { test } from 'tap'
import { MintakaError } from '../../../lib/core/errors.js'
import { PyCall, PyGlobal, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { decodeMessage, encodeMessage, Serialized } from '../../../lib/dask/protocol/message.js'
import { decodeError, encodeError } from '../../../lib/dask/values/errors.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'
import { survives } from '../../fixtures/fuzz.js'

tap.setTimeout(240_000)

type Named = Error & Readonly<Record<string, unknown>>

/** What was thrown, as it arrives over Dask. */
function carried(thrown: unknown, options?: { crashed?: boolean }) {
  const { exception, traceback } = encodeError(thrown, options)
  const [read, readTraceback] = decodeMessage(encodeMessage([exception, traceback])) as [unknown, unknown]
  return decodeError(read, readTraceback)
}

test('an error of JavaScript arrives whole', async t => {
  class HttpError extends TypeError {
    override name = 'HttpError'
    code = 'E_HTTP'
    status = 503
  }
  const inner = Object.assign(new RangeError('inner'), { at: new Map([[1, 'x']]) })
  const thrown = new HttpError('outer', { cause: new Error('middle', { cause: inner }) })
  const { error, crashed, pythonType } = carried(thrown)
  t.equal(crashed, false)
  t.equal(pythonType, undefined)
  t.match(error, { name: 'HttpError', message: 'outer', code: 'E_HTTP', status: 503, stack: thrown.stack })
  t.type(error, TypeError)
  const { cause } = error as { cause: Named }
  t.match(cause, { message: 'middle', cause: { name: 'RangeError', message: 'inner', stack: inner.stack } })
  t.strictSame((cause.cause as Named)['at'], new Map([[1, 'x']]))
})

test('an AggregateError brings its errors', async t => {
  const { error } = carried(new AggregateError([new TypeError('one'), 'two'], 'both'))
  t.type(error, AggregateError)
  t.match(error, { message: 'both', errors: [{ name: 'TypeError', message: 'one' }, 'two'] })
})

test('an error of Mintaka keeps its code', async t => {
  const { error } = carried(new MintakaError('TIMED_OUT', 'too late', { task: 'load' }))
  t.type(error, MintakaError)
  t.match(error, { code: 'TIMED_OUT', message: 'too late', task: 'load' })
})

for (const thrown of ['text', 7, null, undefined, { plain: ['object'] }, new Date(0)]) {
  test(`${String(thrown)} can be thrown as well`, async t => {
    t.strictSame(carried(thrown).error, thrown)
  })
}

test('what cannot travel arrives as text', async t => {
  t.strictSame(carried(() => 1).error, '[Function (anonymous)]')
  const { error } = carried(Object.assign(new Error('x'), { socket: () => 1, fine: 1 }))
  t.match(error, { message: 'x', fine: 1 })
  t.notOk('socket' in (error as object))
})

test('errors that fight back are told of', async t => {
  const refuses = {
    get(): never {
      throw new TypeError('getter')
    },
  }
  const hostile = new Error('x')
  Object.defineProperties(hostile, { stack: refuses, message: refuses, name: refuses })
  const { exceptionText, tracebackText } = encodeError(hostile)
  t.equal(exceptionText, '[unprintable]: [unprintable]')
  t.equal(tracebackText, '[unprintable]')
  t.equal(carried(hostile).error instanceof Error, true)
  t.strictSame(carried(Object.create(null)).error, {})
})

test('a crash is told from a throw', async t => {
  t.equal(carried(new Error('lost'), { crashed: true }).crashed, true)
})

test('an error that is too large for a scheduler leaves its fields behind', async t => {
  const thrown = Object.assign(new TypeError('huge'), { data: Buffer.alloc(20_000_000), code: 'E' })
  const { exception } = encodeError(thrown)
  t.ok(exception.frames.reduce((sum, { length }) => sum + length, 0) < 100_000)
  const { error } = decodeError(exception)
  t.match(error, { name: 'TypeError', message: 'huge', stack: thrown.stack })
  t.notOk('data' in (error as object))
})

test('the texts for the dashboard are those of the error', async t => {
  const thrown = new TypeError('\ud800 boom')
  const { exceptionText, tracebackText } = encodeError(thrown)
  t.equal(exceptionText, 'TypeError: \ufffd boom')
  t.match(tracebackText, /^TypeError: \ufffd boom\n {4}at /)
  t.equal(encodeError('x'.repeat(50_000)).exceptionText.length, 10_001)
})

const classes: [thrown: unknown, repr: string][] = [
  [new TypeError('boom'), "TypeError('TypeError: boom')"],
  [new RangeError('far'), "ValueError('RangeError: far')"],
  [new SyntaxError('odd'), "SyntaxError('SyntaxError: odd')"],
  [new ReferenceError('x is not defined'), "NameError('ReferenceError: x is not defined')"],
  [Object.assign(new Error('special'), { name: 'SpecialError' }), "RuntimeError('SpecialError: special')"],
  ['just text', "RuntimeError('just text')"],
]

for (const environment of daskEnvironments()) {
  test(`Dask ${environment.version} sees a built-in exception, and passes the error on unharmed`, async t => {
    const script = `
import traceback
from distributed.core import clean_exception, error_message
from distributed.protocol import dumps, loads
def one(frames):
    exception, tb = loads([unb64(frame) for frame in frames], deserialize=True)
    kind, error, tb = clean_exception(exception, tb)
    assert kind is type(error) and tb is None
    printed = "".join(traceback.format_exception(error))
    attributes = [error.js_name, error.js_message, error.js_stack.splitlines()[0]]
    try: raise error
    except BaseException as raised: again = error_message(raised)
    return [repr(error), attributes, printed, [b64(bytes(frame)) for frame in dumps([again["exception"], again["traceback"]])]]
tell([one(frames) for frames in sent])
`
    const sent = classes.map(([thrown]) => {
      const { exception, traceback } = encodeError(thrown)
      return encodeMessage([exception, traceback]).map(frame => Buffer.from(frame).toString('base64'))
    })
    const told = (await askPython(script, sent, environment)) as [string, string[], string, string[]][]
    classes.forEach(([thrown, repr], index) => {
      const [pythonRepr, attributes, printed, again] = told[index]!
      t.equal(pythonRepr, repr)
      if (thrown instanceof Error) {
        t.strictSame(attributes, [thrown.name, thrown.message, thrown.stack!.split('\n')[0]])
        t.match(printed, `JavaScript stack:\n${thrown.stack}`)
      }
      const [exception, traceback] = decodeMessage(again.map(frame => Buffer.from(frame, 'base64'))) as [
        unknown,
        unknown,
      ]
      const { error, pythonType } = decodeError(exception, traceback)
      t.equal(pythonType, undefined)
      if (thrown instanceof Error) t.match(error, { name: thrown.name, message: thrown.message, stack: thrown.stack })
      else t.equal(error, thrown)
    })
  })

  test(`exceptions of Dask ${environment.version} are Errors that tell all`, async t => {
    const script = `
import datetime
from distributed.core import error_message
from distributed.protocol import dumps, to_serialize
class OwnError(ValueError): pass
def chained():
    try: {}["missing"]
    except KeyError as error: raise ValueError("outer", 2) from error
def implicit():
    try: 1 / 0
    except ZeroDivisionError: raise TypeError("while handling")
def nothing(): raise StopAsyncIteration()
def file(): open("/no/such/file")
def key(): {}["k"]
def odd(): raise ValueError(datetime.date(2020, 1, 2))
def own(): raise OwnError("of my own", 7)
def one(f):
    try: f()
    except BaseException as error: message = error_message(error)
    return [b64(bytes(frame)) for frame in dumps(message)]
tell([one(f) for f in (chained, implicit, nothing, file, key, odd, own)])
`
    const told = (await askPython(script, null, environment)) as string[][]
    const [chained, implicit, nothing, file, key, odd, own] = told.map(frames => {
      const message = decodeMessage(frames.map(frame => Buffer.from(frame, 'base64'))) as Record<string, unknown>
      const { error, pythonType } = decodeError(message['exception'], message['traceback'])
      return { error: error as Named, pythonType }
    })
    t.equal(chained!.pythonType, 'builtins.ValueError')
    t.match(chained!.error, { name: 'ValueError', message: "('outer', 2)", pyType: 'builtins.ValueError' })
    t.strictSame(chained!.error['pyArgs'], ['outer', 2])
    t.match(chained!.error.cause, { name: 'KeyError', message: "'missing'", pyArgs: ['missing'] })
    const frames =
      /^ValueError: \('outer', 2\)\nTraceback \(most recent call last\):\n(.*\n)* {2}File "<string>", line \d+, in chained$/
    t.match(chained!.error.stack, frames)
    t.match(implicit!.error, { name: 'TypeError', cause: { name: 'ZeroDivisionError', message: 'division by zero' } })
    t.match(nothing!.error, { name: 'StopAsyncIteration', message: '' })
    t.match(file!.error, { name: 'FileNotFoundError', message: "[Errno 2] No such file or directory: '/no/such/file'" })
    t.match(key!.error, { name: 'KeyError', message: "'k'" })
    t.match(odd!.error, { name: 'ValueError', message: '<datetime.date>', pyArgs: ['<datetime.date>'] })
    t.match(own!.error, { name: 'OwnError', pyType: '__main__.OwnError', pyArgs: ['of my own', 7] })
  })

  test(`what Dask ${environment.version} says of workers that died is recognised`, async t => {
    const script = `
from distributed.protocol import dumps, pickle
from distributed.scheduler import KilledWorker, WorkerState
from distributed.core import Status
import inspect

fields = dict(address="tcp://1.2.3.4:5", pid=1, name="w", nthreads=1, memory_limit=0, local_directory="", nanny=None, server_id="s", services=None, versions=None, extra=None, status=Status.running)
names = inspect.signature(WorkerState).parameters
worker = WorkerState(**{name: value for name, value in fields.items() if name in names}, **({"scheduler": None} if "scheduler" in names else {}))
worker._occupancy_cache = 1.0
tell(b64(pickle.dumps(KilledWorker(task="load-1", last_worker=worker.clean(), allowed_failures=3))))
`
    const pickle = Buffer.from((await askPython(script, null, environment)) as string, 'base64')
    const { error, pythonType, crashed } = decodeError(pickle)
    t.equal(pythonType, 'distributed.scheduler.KilledWorker')
    t.equal(crashed, false)
    t.match(error, {
      name: 'KilledWorker',
      message: "'load-1' was given to 4 workers, and all of them died while it ran.",
    })
  })
}

test('an exception that is a value, not bytes, is read as well', async t => {
  const pickle = dumps(new PyCall(new PyGlobal('builtins', 'RuntimeError'), ['Worker holding Actor was lost']))
  const { error } = decodeError(new Serialized({ serializer: 'pickle', writeable: [] }, [pickle]))
  t.match(error, { name: 'RuntimeError', message: 'Worker holding Actor was lost' })
})

test('without an exception there is the text', async t => {
  const texts = { exceptionText: "ValueError('x')", tracebackText: '  File "x.py", line 1, in f' }
  for (const exception of [undefined, null, Buffer.from('no pickle'), dumps(7), new Serialized({}, [])]) {
    t.match(decodeError(exception, null, texts), {
      error: { code: 'DASK_REMOTE', message: "ValueError('x')" },
      crashed: false,
    })
  }
  t.match(decodeError(undefined), { error: { code: 'DASK_REMOTE', message: /cannot be read/ } })
})

test('a traceback that comes as text is the stack', async t => {
  const exception = dumps(new PyCall(new PyGlobal('builtins', 'ValueError'), ['x']))
  const text = '  File "a.py", line 3, in f\n    raise ValueError("x")\n'
  const stack = `ValueError: x\nTraceback (most recent call last):\n${text.trimEnd()}`
  t.match(decodeError(exception, dumps(text)).error, { stack })
  t.match(decodeError(exception, null, { tracebackText: text }).error, { stack })
  t.match(decodeError(exception).error, { stack: 'ValueError: x' })
})

test('a chain of causes that does not end is cut', async t => {
  let chain: unknown = null
  const make = new PyGlobal('tblib.pickling_support', 'unpickle_exception')
  for (let depth = 0; depth < 300; depth++) {
    chain = new PyCall(make, [new PyGlobal('builtins', 'ValueError'), pyTuple(depth), chain, null])
  }
  let length = 0
  for (let link = decodeError(dumps(chain)).error; link instanceof Error; link = link.cause) length++
  t.equal(length, 51)
})

test('damaged exceptions are read or refused, and that is never an exception', async t => {
  const samples = classes.map(([thrown]) => Buffer.concat(encodeError(thrown).exception.frames))
  let read = 0
  survives(
    t,
    samples,
    bytes => {
      const { error } = decodeError(bytes, bytes)
      if (!(error instanceof MintakaError)) read++
      else throw error
    },
    { count: 10_000, seed: 81 },
  )
  t.ok(read > 0)
})
