import { types } from 'node:util'
import { type ErrorCode, isMintakaError, MintakaError } from '../core/errors.js'

/** An error as data: everything that structured clone, `v8.serialize` and JSON would each lose in a way of their own. */
export interface ErrorRecord {
  /** The class it comes back as: a built-in one, or MintakaError. */
  class: string
  name: string
  message: string
  stack?: string
  cause?: unknown
  errors?: unknown[]
  /** Its own enumerable fields, `code` among them. */
  fields: Record<string, unknown>
  /** Its own fields that are not enumerable. */
  hidden: Record<string, unknown>
  /** Names of the fields that could not travel. */
  lost: string[]
}

const builtIn: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError: AggregateError as unknown as ErrorConstructor,
}
const apart = new Set(['name', 'message', 'stack', 'cause', 'errors'])
const lostKey = Symbol.for('mintaka.lost')

/** Whether `value` is of the Error family, from whatever realm. */
export function isErrorLike(value: object): boolean {
  return types.isNativeError(value) || value instanceof Error || value instanceof DOMException
}

/** The names of the fields that an error lost on its way here. */
export function lostFields(error: object): readonly string[] {
  return (error as { [lostKey]?: readonly string[] })[lostKey] ?? []
}

/** A record to be filled by {@link describeError}, so that an error that is its own cause finds itself. */
export function blankRecord(): ErrorRecord {
  return { class: 'Error', name: 'Error', message: '', fields: {}, hidden: {}, lost: [] }
}

/**
 * Fills `record` with what `error` says. An error always gets through: a field that `encode` refuses, or whose getter
 * throws, is left out and listed as lost; a cause that cannot travel becomes text.
 */
export function describeError(error: object, record: ErrorRecord, encode: (value: unknown) => unknown): void {
  const of = error as Record<string, unknown>
  record.class = classOf(error)
  record.name = textOf(of, 'name', 'Error')
  record.message = textOf(of, 'message', '')
  const stack = textOf(of, 'stack', '')
  if (stack) record.stack = stack
  record.lost.push(...lostFields(error))
  const orText = (read: () => unknown, key: string): unknown => {
    try {
      return encode(read())
    } catch {
      record.lost.push(key)
      return asText(read)
    }
  }
  if ('cause' in error) record.cause = orText(() => of['cause'], 'cause')
  const errors = listOf(of)
  if (errors) record.errors = errors.map((inner, index) => orText(() => inner, `errors[${index}]`))
  describeFields(of, record, encode, errors !== undefined)
}

function describeFields(
  of: Record<string, unknown>,
  record: ErrorRecord,
  encode: (value: unknown) => unknown,
  hasErrors: boolean,
): void {
  for (const key of Object.getOwnPropertyNames(of)) {
    if (apart.has(key) && (key !== 'errors' || hasErrors)) continue
    if (record.class === 'MintakaError' && key === 'code') continue
    try {
      const target = Object.prototype.propertyIsEnumerable.call(of, key) ? record.fields : record.hidden
      define(target, key, encode(of[key]), true)
    } catch {
      record.lost.push(key)
    }
  }
  if (record.class === 'MintakaError') record.fields['code'] = of['code']
}

/** The error of a record, before its cause, errors and fields are put in by {@link completeError}. */
export function errorOf(record: ErrorRecord): Error {
  if (record.class === 'MintakaError') {
    return new MintakaError(record.fields['code'] as ErrorCode, record.message)
  }
  if (record.class === 'DOMException') return new DOMException(record.message, record.name)
  const error = new Error(record.message)
  // A built-in class by its prototype: only what `new Error` made is a native error.
  const known = Object.hasOwn(builtIn, record.class) ? builtIn[record.class] : undefined
  return Object.setPrototypeOf(error, (known ?? Error).prototype) as Error
}

/** Puts in what {@link errorOf} left out; `decode` gives the values that the record holds. */
export function completeError(error: Error, record: ErrorRecord, decode: (value: unknown) => unknown): void {
  define(error, 'stack', record.stack)
  if (error.name !== record.name) define(error, 'name', record.name)
  if (error.message !== record.message) define(error, 'message', record.message)
  if ('cause' in record) define(error, 'cause', decode(record.cause))
  if (record.errors) {
    define(
      error,
      'errors',
      record.errors.map(inner => decode(inner)),
    )
  }
  for (const key of Object.keys(record.fields)) define(error, key, decode(record.fields[key]), true)
  for (const key of Object.keys(record.hidden)) define(error, key, decode(record.hidden[key]))
  if (record.lost.length > 0) Object.defineProperty(error, lostKey, { value: [...record.lost], configurable: true })
}

// The nearest class that exists everywhere: a subclass of TypeError comes back as a TypeError with its own name.
function classOf(error: object): string {
  if (isMintakaError(error)) return 'MintakaError'
  if (error instanceof DOMException) return 'DOMException'
  for (let link = error; link !== null; link = Object.getPrototypeOf(link) as object) {
    const made = Object.hasOwn(link, 'constructor') ? (link.constructor as Function | undefined) : undefined
    if (made && Object.hasOwn(builtIn, made.name) && isNative(made)) return made.name
  }
  return 'Error'
}

// By its text, for it may be of another realm.
function isNative(made: Function): boolean {
  return Function.prototype.toString.call(made).includes('[native code]')
}

function listOf(of: Record<string, unknown>): unknown[] | undefined {
  try {
    return Array.isArray(of['errors']) ? of['errors'] : undefined
  } catch {
    return undefined
  }
}

function textOf(of: Record<string, unknown>, key: string, otherwise: string): string {
  try {
    const value = of[key]
    return value === undefined ? otherwise : String(value)
  } catch {
    return otherwise
  }
}

function asText(read: () => unknown): string {
  try {
    return String(read())
  } catch {
    return '[unprintable]'
  }
}

function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, enumerable, configurable: true, writable: true })
}
