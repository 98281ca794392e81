import { types } from 'node:util'
import { MintakaError } from '../core/errors.js'
import { HeldResult } from '../core/held-result.js'
import { isState } from '../core/state.js'
import { isPlainObject } from '../core/traverse.js'
import { isErrorLike } from './errors.js'
import { asText, isArray, isDetached, isExactly, kindOf } from './shapes.js'

/** Names the root of a value: a word, or for a list of arguments a function of their index. */
export type Root = string | ((index: number) => string)

/**
 * The error that says what in `value` may not travel, and where it is. Only built once something has been refused:
 * building paths on the way makes the walk several times slower.
 */
export function refusal(
  value: unknown,
  root: Root,
  options: { readonly task?: string | undefined; readonly purpose?: string | undefined },
  thrown: unknown,
): MintakaError {
  const { task, purpose = 'sent to a worker' } = options
  const found = locate(value, root)
  const name = typeof root === 'string' ? root : 'an argument'
  const { path, what, why } = found ?? {
    path: name,
    what: thrown instanceof RangeError ? 'nested too deeply' : 'something that reads differently each time',
    why: undefined,
  }
  const head = task === undefined ? '' : `Task '${task}': `
  const text = `${head}${path} is ${what}, which can't be ${purpose}${why ? ` (${why})` : ''}.`
  return new MintakaError('NOT_SENDABLE', text, { path, ...(task === undefined ? {} : { task }) })
}

interface Finding {
  readonly path: string
  readonly what: string
  readonly why: string | undefined
}

/** The first thing in `value` that may not travel, in the order of the encoder's walk. */
function locate(value: unknown, root: Root): Finding | undefined {
  const seen = new Set<object>()
  const visit = (value: unknown, path: string): Finding | undefined => {
    if (typeof value === 'object' && value !== null) {
      if (seen.has(value)) return undefined
      seen.add(value)
    }
    const fault = faultOf(value)
    if (fault) return { path, ...fault }
    if (typeof value !== 'object' || value === null || isErrorLike(value)) return undefined
    return visitAll(childrenOf(value, path))
  }
  const visitAll = (children: Iterable<Child>): Finding | undefined => {
    for (const { path, read } of children) {
      let child: unknown
      try {
        child = read()
      } catch (thrown) {
        return { path, what: 'a getter that throws', why: asText(thrown) }
      }
      const found = visit(child, path)
      if (found) return found
    }
    return undefined
  }
  try {
    if (typeof root === 'string') return visit(value, root)
    return visitAll((value as unknown[]).map((argument, index) => ({ path: root(index), read: () => argument })))
  } catch {
    return undefined
  }
}

interface Child {
  readonly path: string
  readonly read: () => unknown
}

function* childrenOf(value: object, path: string): Iterable<Child> {
  if (isArray(value)) {
    for (const index of value.keys()) yield { path: `${path}[${index}]`, read: () => value[index] }
  } else if (types.isMap(value)) {
    let index = 0
    for (const [key, child] of value) {
      yield { path: `${path}.keys()[${index}]`, read: () => key }
      yield { path: `${path}.get(${keyText(key, index)})`, read: () => child }
      index++
    }
  } else if (types.isSet(value)) {
    let index = 0
    for (const child of value) yield { path: `${path}.values()[${index++}]`, read: () => child }
  } else if (isPlainObject(value) || isState(value)) {
    const of = value as Record<string, unknown>
    for (const key of Object.keys(of)) yield { path: pathTo(path, key), read: () => of[key] }
  }
}

type Fault = Omit<Finding, 'path'>

function faultOf(value: unknown): Fault | undefined {
  if (typeof value === 'function') {
    return { what: `the function ${value.name || '(anonymous)'}`, why: 'functions stay where they were made' }
  }
  if (typeof value === 'symbol') {
    return { what: `the symbol ${String(value)}`, why: 'symbols have no meaning in another thread or process' }
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isProxy(value)) return { what: 'a Proxy', why: 'send what it stands for' }
  if (isPlainObject(value) || isArray(value) || isErrorLike(value) || isState(value)) return undefined
  return faultOfInstance(value)
}

function faultOfInstance(value: object): Fault | undefined {
  if (types.isPromise(value)) return { what: 'a Promise', why: 'await it first' }
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value
  if (types.isSharedArrayBuffer(buffer)) {
    const what = buffer === value ? 'a SharedArrayBuffer' : 'a view of a SharedArrayBuffer'
    return { what, why: 'it exists inside one process only; use an ordinary ArrayBuffer' }
  }
  if (types.isArrayBuffer(buffer)) {
    if (isDetached(buffer)) return { what: 'an emptied buffer', why: 'transfer() has moved what it held' }
    if (buffer === value || Buffer.isBuffer(value) || kindOf(value as ArrayBufferView)) return undefined
  }
  if (value instanceof URL) return undefined
  for (const name of ['Date', 'RegExp', 'Map', 'Set']) {
    if (isExactly(value, name) && natives[name]?.(value)) return undefined
  }
  if (value instanceof HeldResult) {
    const size = value.nbytes === undefined ? '' : ` of ${value.nbytes} bytes`
    return { what: `a result${size} that stayed where it was computed (${value.typeName})`, why: 'await it first' }
  }
  const why = 'it would arrive without its methods; send plain data'
  return { what: `an instance of ${classNameOf(value)}`, why }
}

const natives: Readonly<Record<string, (value: unknown) => boolean>> = {
  Date: types.isDate,
  RegExp: types.isRegExp,
  Map: types.isMap,
  Set: types.isSet,
}

function classNameOf(value: object): string {
  try {
    return value.constructor.name || Object.prototype.toString.call(value).slice(8, -1)
  } catch {
    return 'a class'
  }
}

function pathTo(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
}

function keyText(key: unknown, index: number): string {
  return typeof key === 'string' ? JSON.stringify(key) : typeof key === 'object' ? `#${index}` : String(key)
}
