/**
 * The one rule of what may cross a border, whatever carries it: structured clone, `v8.serialize` or JSON.
 *
 * Allowed: primitives but symbols, plain objects, arrays, Map, Set, Date, RegExp, ArrayBuffer, its views, Buffer, URL,
 * the Error family, states; shared references and cycles. Refused, with the path: functions, symbols, promises,
 * instances of classes, proxies, shared memory. Dropped: symbol keys, what is not enumerable, named fields of arrays.
 * Getters are read, null prototypes become ordinary ones.
 */
import { inspect, types } from 'node:util'
import { MintakaError } from '../core/errors.js'
import { isState, reviveState, type State, type StateFields } from '../core/state.js'
import { isPlainObject } from '../core/traverse.js'
import { blankRecord, completeError, describeError, type ErrorRecord, errorOf, isErrorLike } from './errors.js'
import { isMovable } from './transfer.js'

/** The key that marks a record of ours. Data that has it travels as a record itself, so that nothing can pose as one. */
export const tag = '$mintaka'

export interface WireOptions {
  /** Named at the head of a refusal. */
  readonly task?: string | undefined
  /** What the value is on its way to, for the text of a refusal: `sent to a worker`. */
  readonly purpose?: string | undefined
  /** Takes the buffers that the message should move. Without it everything is copied. */
  readonly moved?: ArrayBuffer[] | undefined
}

/** Names the root of a value: a word, or for a list of arguments a function of their index. */
export type Root = string | ((index: number) => string)

/** What {@link encode} gives: the message, and whether JSON text would carry it exactly as it is. */
export interface Encoded {
  readonly wire: unknown
  readonly json: boolean
}

/**
 * A copy of `value` that structured clone and `v8.serialize` both carry exactly; {@link fromWire} reads it. Throws
 * NOT_SENDABLE with the path of what is refused, counted from `root`.
 */
export function toWire(value: unknown, root: Root = 'value', options: WireOptions = {}): unknown {
  return encode(value, root, options).wire
}

/** As {@link toWire}, for encoders that go on from there. */
export function encode(value: unknown, root: Root = 'value', options: WireOptions = {}): Encoded {
  const encoder = new Encoder(options.moved)
  try {
    const wire = encoder.encode(value)
    return { wire: encoder.tagged ? { [tag]: 'tree', value: wire } : wire, json: encoder.json }
  } catch (thrown) {
    // Paths are built only now: building them on the way makes the walk several times slower.
    throw refusal(value, root, options, thrown)
  }
}

/** What was thrown, for {@link fromWire} to read: it always gets through, as text if nothing else is possible. */
export function thrownToWire(thrown: unknown): unknown {
  try {
    return toWire(thrown)
  } catch {
    return asText(thrown)
  }
}

/** The value that {@link toWire} encoded. It takes `wire` over: what needs no change is not copied again. */
export function fromWire(wire: unknown): unknown {
  if (!isRecord(wire) || wire[tag] !== 'tree') return wire
  return new Decoder().decode(wire['value'])
}

const unsendable = Symbol('unsendable')
const worthMoving = 65_536

class Encoder {
  /** Whether there is anything that has to be decoded. */
  tagged = false
  /** Whether JSON carries the copy exactly. */
  json = true
  private readonly copies = new Map<object, unknown>()
  /** What has been copied on behalf of a field that an error may yet lose. */
  private trail: object[] | undefined
  private readonly moved: ArrayBuffer[] | undefined

  constructor(moved: ArrayBuffer[] | undefined) {
    this.moved = moved
  }

  encode(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        if (!Number.isFinite(value) || Object.is(value, -0)) this.json = false
        return value
      case 'undefined':
      case 'bigint':
        this.json = false
        return value
      case 'object':
        return value === null ? null : this.object(value)
      default:
        throw unsendable
    }
  }

  private object(value: object): unknown {
    const known = this.copies.get(value)
    if (known !== undefined) {
      this.json = false
      return known
    }
    if (types.isProxy(value)) throw unsendable
    if (isPlainObject(value)) return this.plain(value)
    if (isArray(value)) return this.array(value)
    return this.special(value)
  }

  private plain(value: Record<string, unknown>): unknown {
    if (Object.hasOwn(value, tag)) return this.escaped(value)
    const copy = this.keep(value, {} as Record<string, unknown>)
    for (const key of Object.keys(value)) {
      const child = this.encode(value[key])
      if (key === '__proto__') define(copy, key, child)
      else copy[key] = child
    }
    return copy
  }

  private escaped(value: Record<string, unknown>): unknown {
    const entries: unknown[] = []
    const record = this.record(value, 'object', { entries })
    for (const key of Object.keys(value)) entries.push([key, this.encode(value[key])])
    return record
  }

  private array(value: readonly unknown[]): unknown {
    const { length } = value
    const copy = this.keep(value, new Array<unknown>(length))
    for (let index = 0; index < length; index++) {
      const child = value[index]
      if (child !== undefined || index in value) copy[index] = this.encode(child)
      else this.json = false
    }
    return copy
  }

  private special(value: object): unknown {
    if (isErrorLike(value)) return this.error(value)
    if (isState(value)) return this.state(value)
    if (value instanceof URL) return this.record(value, 'url', { href: value.href })
    this.json = false
    if (types.isArrayBuffer(value)) return this.keep(value, this.buffer(value))
    if (ArrayBuffer.isView(value)) return this.view(value)
    if (types.isDate(value) && isExactly(value, 'Date')) return this.keep(value, new Date(value.getTime()))
    if (types.isRegExp(value) && isExactly(value, 'RegExp')) return this.keep(value, new RegExp(value))
    if (types.isMap(value) && isExactly(value, 'Map')) {
      const copy = this.keep(value, new Map<unknown, unknown>())
      for (const [key, child] of value) copy.set(this.encode(key), this.encode(child))
      return copy
    }
    if (types.isSet(value) && isExactly(value, 'Set')) {
      const copy = this.keep(value, new Set<unknown>())
      for (const child of value) copy.add(this.encode(child))
      return copy
    }
    throw unsendable
  }

  private error(value: object): unknown {
    const record = blankRecord()
    const wire = this.record(value, 'error', { record })
    describeError(value, record, child => this.tentatively(child))
    return wire
  }

  private state(value: State): unknown {
    const fields: Record<string, unknown> = {}
    const record = this.record(value, 'state', { fields })
    for (const key of Object.keys(value)) {
      const field = value[key as keyof State]
      if (field !== undefined || key === 'result' || key === 'error') fields[key] = this.encode(field)
    }
    return record
  }

  private buffer(value: ArrayBuffer): ArrayBuffer {
    if (isDetached(value)) throw unsendable
    if (this.moved && isMovable(value)) {
      if (!this.moved.includes(value)) this.moved.push(value)
      return value
    }
    return this.own(value.slice(0))
  }

  // A large copy of ours need not be copied again.
  private own(copy: ArrayBuffer): ArrayBuffer {
    if (this.moved && copy.byteLength >= worthMoving) this.moved.push(copy)
    return copy
  }

  private view(value: ArrayBufferView): unknown {
    const { buffer, byteOffset, byteLength } = value
    if (!types.isArrayBuffer(buffer) || isDetached(buffer)) throw unsendable
    if (Buffer.isBuffer(value))
      return this.record(value, 'buffer', { bytes: this.bytesOf(buffer, byteOffset, byteLength) })
    const Kind = kindOf(value)
    if (!Kind) throw unsendable
    // The copy has just its own bytes: a message would carry all of the buffer behind a small view.
    this.tagged = true
    return this.keep(value, new Kind(this.bytesOf(buffer, byteOffset, byteLength).buffer))
  }

  private bytesOf(buffer: ArrayBuffer, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const whole = offset === 0 && length === buffer.byteLength
    if (whole) return new Uint8Array(this.bufferOnce(buffer))
    return new Uint8Array(this.own(buffer.slice(offset, offset + length)))
  }

  // Two views of one buffer stay two views of one buffer, if each shows all of it.
  private bufferOnce(buffer: ArrayBuffer): ArrayBuffer {
    const known = this.copies.get(buffer) as ArrayBuffer | undefined
    return known ?? this.keep(buffer, this.buffer(buffer))
  }

  private record(value: object, kind: string, rest: Record<string, unknown>): unknown {
    this.tagged = true
    return this.keep(value, { [tag]: kind, ...rest })
  }

  private keep<T>(value: object, copy: T): T {
    this.copies.set(value, copy)
    this.trail?.push(value)
    return copy
  }

  // What fails half-way must not be found by whoever refers to a part of it later.
  private tentatively(value: unknown): unknown {
    const outer = this.trail
    const trail: object[] = (this.trail = [])
    try {
      const copy = this.encode(value)
      outer?.push(...trail)
      return copy
    } catch (thrown) {
      for (const made of trail) this.copies.delete(made)
      throw thrown
    } finally {
      this.trail = outer
    }
  }
}

class Decoder {
  private readonly done = new Map<object, unknown>()

  decode(wire: unknown): unknown {
    if (typeof wire !== 'object' || wire === null) return wire
    const known = this.done.get(wire)
    if (known !== undefined) return known
    if (Array.isArray(wire)) return this.array(wire)
    if (ArrayBuffer.isView(wire)) return this.keep(wire, exact(wire))
    if (types.isMap(wire)) return this.map(wire)
    if (types.isSet(wire)) return this.set(wire)
    if (types.isDate(wire) || types.isRegExp(wire) || types.isAnyArrayBuffer(wire)) return wire
    return this.object(wire as Record<string, unknown>)
  }

  private array(wire: unknown[]): unknown {
    this.keep(wire, wire)
    for (let index = 0; index < wire.length; index++) {
      const child = wire[index]
      if (typeof child === 'object' && child !== null) wire[index] = this.decode(child)
    }
    return wire
  }

  private map(wire: Map<unknown, unknown>): unknown {
    const entries = [...wire]
    this.keep(wire, wire)
    wire.clear()
    for (const [key, child] of entries) wire.set(this.decode(key), this.decode(child))
    return wire
  }

  private set(wire: Set<unknown>): unknown {
    const children = [...wire]
    this.keep(wire, wire)
    wire.clear()
    for (const child of children) wire.add(this.decode(child))
    return wire
  }

  private object(wire: Record<string, unknown>): unknown {
    switch (wire[tag]) {
      case undefined:
        return this.fill(wire)
      case 'url':
        return this.keep(wire, new URL(wire['href'] as string))
      case 'buffer':
        return this.keep(wire, bufferOf(this.decode(wire['bytes']) as Uint8Array<ArrayBuffer>))
      case 'error':
        return this.error(wire, wire['record'] as ErrorRecord)
      case 'state':
        return this.state(wire, wire['fields'] as StateFields)
      case 'object':
        return this.unescaped(wire, wire['entries'] as [string, unknown][])
      default:
        throw new MintakaError('INVALID_ARGUMENT', `A message has a record of an unknown kind: ${String(wire[tag])}.`)
    }
  }

  private fill(wire: Record<string, unknown>): unknown {
    this.keep(wire, wire)
    for (const key of Object.keys(wire)) {
      const child = wire[key]
      if (typeof child !== 'object' || child === null) continue
      const decoded = this.decode(child)
      if (decoded !== child) define(wire, key, decoded)
    }
    return wire
  }

  private error(wire: object, record: ErrorRecord): unknown {
    const error = this.keep(wire, errorOf(record))
    completeError(error, record, child => this.decode(child))
    return error
  }

  // Made before what it holds is decoded: a result may refer to its own state.
  private state(wire: object, fields: StateFields): unknown {
    const state = this.keep(wire, reviveState(fields) as { result?: unknown; error?: unknown })
    if ('result' in fields) state.result = this.decode(fields.result)
    if ('error' in fields) state.error = this.decode(fields.error)
    return state
  }

  private unescaped(wire: object, entries: [string, unknown][]): unknown {
    const object = this.keep(wire, {})
    for (const [key, child] of entries) define(object, key, this.decode(child))
    return object
  }

  private keep<T>(wire: object, value: T): T {
    this.done.set(wire, value)
    return value
  }
}

function refusal(value: unknown, root: Root, options: WireOptions, thrown: unknown): MintakaError {
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

function asText(value: unknown): string {
  try {
    return typeof value === 'string' ? value : value instanceof Error ? value.message : inspect(value, { depth: 1 })
  } catch {
    return '[unprintable]'
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, tag)
}

// An instance of a class that extends Array is an instance, not an array; one of another realm is an array.
function isArray(value: object): value is unknown[] {
  if (!Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Array.prototype || Array.isArray(prototype)
}

// Of that very class, in this realm or another, and not of one derived from it.
function isExactly(value: object, name: string): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype !== null && Object.hasOwn(prototype, 'constructor') && prototype.constructor.name === name
}

export type Kind = new (buffer: ArrayBuffer) => ArrayBufferView
/** The classes of views that travel, by name. */
export const kinds = new Map<string, Kind>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  ].map(kind => [kind.name, kind as unknown as Kind]),
)

function kindOf(value: ArrayBufferView): Kind | undefined {
  const name = value.constructor?.name
  return isExactly(value, name) ? kinds.get(name) : undefined
}

function exact(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view
  if (byteOffset === 0 && byteLength === buffer.byteLength) return view
  const Kind = kindOf(view)
  return Kind ? new Kind((buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength)) : view
}

function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength > 0) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}
