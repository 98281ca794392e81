import { MintakaError } from '../../core/errors.js'
import { fromWire, thrownToWire } from '../../values/wire.js'
import { PyCall, PyGlobal } from '../pickle/objects.js'
import { loads } from '../pickle/read.js'
import { dumps } from '../pickle/write.js'
import { Serialized } from '../protocol/message.js'
import { rawBytes } from './families.js'
import { isOwn, seal, unseal } from './own.js'
import { framesOf, join } from './payload-frames.js'
import { exceptionOf, messageOf, type PythonException } from './python-exception.js'
import { cut, pyRepr } from './python-text.js'
import { toJavaScript } from './python-values.js'
import { tracebackLines } from './traceback.js'

/** What the scheduler is told of a task that failed. */
export interface EncodedError {
  readonly exception: Serialized
  readonly traceback: Serialized
  readonly exceptionText: string
  readonly tracebackText: string
}

export interface DecodedError {
  /** What was thrown: of JavaScript the very value, of Python an Error. */
  readonly error: unknown
  /** Whether the worker says that not the code, but what ran it, has failed. */
  readonly crashed: boolean
  /** `module.Class` of an exception that Python raised. */
  readonly pythonType?: string
}

/** What Dask says of an error besides the exception itself. */
export interface ErrorTexts {
  readonly exceptionText?: string | undefined
  readonly tracebackText?: string | undefined
}

/** The largest error that is sent whole: it goes through the scheduler, which keeps it. */
const maxBytes = 16 * 2 ** 20

/**
 * Python gets a built-in exception with the text, `js_name`, `js_message` and `js_stack`, and sees the stack as a note;
 * JavaScript gets what was thrown, by {@link decodeError}. Never throws.
 */
export function encodeError(error: unknown, options: { readonly crashed?: boolean } = {}): EncodedError {
  const { name, message, stack } = textsOf(error)
  const text = cut(typeof error === 'object' && error !== null ? `${name}: ${message}` : message)
  const state = new Map<string, unknown>([
    ['js_name', name],
    ['js_message', message],
    ['js_stack', stack],
    ['__notes__', [`JavaScript stack:\n${stack}`]],
    [recordKey, record(error, options.crashed === true)],
  ])
  const exception = new PyCall(new PyGlobal('builtins', pythonClasses.get(name) ?? 'RuntimeError'), [text], state)
  return {
    exception: rawBytes(dumps(exception)),
    // Of an error without a traceback the scheduler forgets the text as well.
    traceback: rawBytes(dumps(null)),
    exceptionText: text,
    tracebackText: stack,
  }
}

/** The attribute of the exception that is the error itself. */
const recordKey = 'mintaka'

const pythonClasses = new Map([
  ['TypeError', 'TypeError'],
  ['RangeError', 'ValueError'],
  ['SyntaxError', 'SyntaxError'],
  ['ReferenceError', 'NameError'],
])

function record(error: unknown, crashed: boolean): Buffer {
  const whole = seal({ crashed, thrown: thrownToWire(error) })
  if (whole.length <= maxBytes) return whole
  const { name, message, stack } = textsOf(error)
  return seal({ crashed, thrown: thrownToWire(named(name, message, stack)) })
}

interface Texts {
  readonly name: string
  readonly message: string
  readonly stack: string
}

// Reading an error may run code of its class, which may throw.
function textsOf(error: unknown): Texts {
  const read = (key: string, otherwise: () => string): string => {
    try {
      const value: unknown = Reflect.get(Object(error), key)
      return cut((typeof value === 'string' ? value : otherwise()).toWellFormed())
    } catch {
      return '[unprintable]'
    }
  }
  const name = read('name', () => 'Error')
  const message = read('message', () => String(error))
  return { name, message, stack: read('stack', () => `${name}: ${message}`) }
}

/**
 * What `exception` was where it was thrown. An error of JavaScript comes back as it was; an exception of Python as an Error
 * with its class as the `name`, `pyType` (`module.Class`), `pyArgs`, its cause, and its traceback as the stack. Never
 * throws: what cannot be read is an Error with the text that Dask has of it.
 */
export function decodeError(exception: unknown, traceback?: unknown, texts: ErrorTexts = {}): DecodedError {
  try {
    const python = exceptionOf(unpickle(exception))
    if (!python) return { error: unreadable(texts), crashed: false }
    const sent = python.state.get(recordKey)
    const record = sent instanceof Uint8Array && isOwn(sent) ? recordOf(sent) : undefined
    if (record) return record
    return { error: pythonError(python, tracebackOf(traceback), texts, 0), crashed: false, pythonType: python.type }
  } catch (thrown) {
    return { error: unreadable(texts, thrown), crashed: false }
  }
}

function recordOf(bytes: Uint8Array): DecodedError | undefined {
  try {
    const { crashed, thrown } = unseal(bytes) as { crashed?: unknown; thrown?: unknown }
    return { error: fromWire(thrown), crashed: crashed === true }
  } catch {
    return undefined
  }
}

/** Longer chains are cut. */
const maxCauses = 50

function pythonError(python: PythonException, traceback: unknown, texts: ErrorTexts, depth: number): Error {
  const { type, state } = python
  // An error of JavaScript whose record was lost still has these.
  const name = textIn(state, 'js_name') ?? type.slice(type.lastIndexOf('.') + 1)
  const message = textIn(state, 'js_message') ?? messageOf(python)
  const lines = tracebackLines(python.traceback) ?? tracebackLines(traceback) ?? texts.tracebackText?.trimEnd()
  const stack = textIn(state, 'js_stack') ?? stackOf(name, message, lines)
  const error = Object.assign(named(name, message, stack), { pyType: type, pyArgs: argsOf(python.args) })
  const cause = depth < maxCauses ? exceptionOf(python.cause) : undefined
  if (cause) define(error, 'cause', causeOf(cause, depth))
  return error
}

function causeOf(cause: PythonException, depth: number): unknown {
  const sent = cause.state.get(recordKey)
  const record = sent instanceof Uint8Array && isOwn(sent) ? recordOf(sent) : undefined
  return record ? record.error : pythonError(cause, null, {}, depth + 1)
}

function stackOf(name: string, message: string, lines: string | undefined): string {
  const head = message === '' ? name : `${name}: ${message}`
  return lines === undefined || lines === '' ? head : `${head}\nTraceback (most recent call last):\n${lines}`
}

function argsOf(args: readonly unknown[]): unknown[] {
  return args.map(arg => {
    try {
      return toJavaScript(arg)
    } catch {
      return pyRepr(arg)
    }
  })
}

function textIn(state: ReadonlyMap<unknown, unknown>, key: string): string | undefined {
  const value = state.get(key)
  return typeof value === 'string' ? value : undefined
}

/** An exception or traceback comes as bytes, plain or as a value, that are a pickle. */
function unpickle(sent: unknown): unknown {
  if (sent instanceof Uint8Array) return loads(sent)
  if (!(sent instanceof Serialized)) return undefined
  const [first, ...buffers] = framesOf(sent)
  if (sent.header['serializer'] === 'dask') return loads(join([first, ...buffers].filter(frame => frame !== undefined)))
  if (sent.header['serializer'] !== 'pickle' || !first) return undefined
  const value = loads(first, buffers)
  return value instanceof Uint8Array ? loads(value) : value
}

function tracebackOf(sent: unknown): unknown {
  try {
    return unpickle(sent)
  } catch {
    return undefined
  }
}

function unreadable({ exceptionText, tracebackText }: ErrorTexts, cause?: unknown): Error {
  const message = exceptionText || 'A Dask peer failed, and its exception cannot be read'
  return new MintakaError('DASK_REMOTE', message, {
    ...(tracebackText && { traceback: tracebackText }),
    ...(cause !== undefined && { cause }),
  })
}

function named(name: string, message: string, stack: string): Error {
  const error = new Error(message)
  define(error, 'name', name)
  define(error, 'stack', stack)
  return error
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true })
}
