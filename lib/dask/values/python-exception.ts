import { PyGlobal, PyObject } from '../pickle/objects.js'
import { pyRepr, pyStr } from './python-text.js'

/** An exception as a pickle describes it. */
export interface PythonException {
  /** `module.Class`. */
  readonly type: string
  readonly args: readonly unknown[]
  /** What was set on it besides its arguments. */
  readonly state: ReadonlyMap<unknown, unknown>
  /** The exception it was raised from, or while which was handled. */
  readonly cause: unknown
  readonly traceback: unknown
}

/** Reads what `loads` gave of an exception, with or without the wrapping that Dask's workers give theirs (tblib). */
export function exceptionOf(value: unknown): PythonException | undefined {
  if (!(value instanceof PyObject)) return undefined
  const made = value.cls instanceof PyGlobal ? value.cls.type : ''
  if (made === 'tblib.pickling_support.unpickle_exception') return unpickled(value, false)
  if (made === 'tblib.pickling_support.unpickle_exception_with_attrs') return unpickled(value, true)
  return { type: classNameOf(value.cls), args: value.args, state: stateOf(value.state), cause: null, traceback: null }
}

// The arguments of tblib's two functions: the first makes the exception from arguments, the second sets attributes.
function unpickled({ args: all, state }: PyObject, withAttributes: boolean): PythonException {
  const [cls, argsOrAttributes, cause, traceback, context, isContextSuppressed] = all
  const attributes = withAttributes && argsOrAttributes instanceof Map ? argsOrAttributes : new Map<unknown, unknown>()
  const args: unknown = withAttributes ? attributes.get('args') : argsOrAttributes
  return {
    type: classNameOf(cls),
    args: Array.isArray(args) ? args : [],
    state: new Map([...stateOf(attributes.get('__dict__')), ...stateOf(state)]),
    cause: cause ?? (isContextSuppressed === true ? null : context),
    traceback,
  }
}

/** What Python's `str()` says of the exception, as far as its class does not say otherwise. */
export function messageOf({ type, args }: PythonException): string {
  if (type === 'distributed.scheduler.KilledWorker') return killedMessage(args)
  if (osErrors.has(type) && args.length >= 2) return osMessage(args)
  if (args.length === 0) return ''
  if (args.length === 1) return type === 'builtins.KeyError' ? pyRepr(args[0]) : pyStr(args[0])
  return `(${args.map(pyRepr).join(', ')})`
}

function killedMessage([key, , allowed]: readonly unknown[]): string {
  const times = typeof allowed === 'number' ? allowed + 1 : 'several'
  return `${pyRepr(key)} was given to ${times} workers, and all of them died while it ran.`
}

const osErrors = new Set(
  ['OSError', 'FileNotFoundError', 'FileExistsError', 'PermissionError', 'IsADirectoryError', 'NotADirectoryError']
    .concat(['ConnectionError', 'ConnectionRefusedError', 'ConnectionResetError', 'TimeoutError', 'BlockingIOError'])
    .map(name => `builtins.${name}`),
)

function osMessage([number, text, file]: readonly unknown[]): string {
  return `[Errno ${pyStr(number)}] ${pyStr(text)}${file === undefined || file === null ? '' : `: ${pyRepr(file)}`}`
}

/** A class may be there by name, or described whole because nobody could import it. */
function classNameOf(cls: unknown): string {
  if (cls instanceof PyGlobal) return cls.type
  if (!(cls instanceof PyObject)) return 'builtins.Exception'
  const [, name, , attributes] = cls.args
  if (typeof name !== 'string') return cls.type
  const module: unknown = attributes instanceof Map ? attributes.get('__module__') : undefined
  return `${typeof module === 'string' ? module : '__main__'}.${name}`
}

function stateOf(state: unknown): ReadonlyMap<unknown, unknown> {
  if (state instanceof Map) return state
  // With slots, the dict comes first.
  if (Array.isArray(state) && state[0] instanceof Map) return state[0]
  return new Map()
}
