import { types } from 'node:util'
import { MintakaError } from '../core/errors.js'
import { reviveState, type StateFields } from '../core/state.js'
import { completeError, type ErrorRecord, errorOf } from './errors.js'
import { define, kindOf, tag } from './shapes.js'

/** Gives the value of that number to the call that refers to it: one of its own. */
export type Resolve = (number: number) => unknown

/** Reads what an Encoder wrote. It takes the wire value over: what needs no change is not copied again. */
export class Decoder {
  private readonly done = new Map<object, unknown>()
  private readonly resolve: Resolve

  constructor(resolve: Resolve = unknownValue) {
    this.resolve = resolve
  }

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
        return this.keep(wire, Buffer.from((this.decode(wire['bytes']) as Uint8Array<ArrayBuffer>).buffer))
      case 'error':
        return this.error(wire, wire['record'] as ErrorRecord)
      case 'state':
        return this.state(wire, wire['fields'] as StateFields)
      case 'object':
        return this.unescaped(wire, wire['entries'] as [string, unknown][])
      case 'shared':
        return this.keep(wire, this.resolve(wire['number'] as number))
      default:
        return this.other(wire, wire[tag])
    }
  }

  /** For records that only some messages have. */
  protected other(_wire: Record<string, unknown>, kind: unknown): unknown {
    throw new MintakaError('INVALID_ARGUMENT', `A message has a record of an unknown kind: ${String(kind)}.`)
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

  protected keep<T>(wire: object, value: T): T {
    this.done.set(wire, value)
    return value
  }
}

function unknownValue(number: number): never {
  throw new MintakaError('INVALID_ARGUMENT', `A message refers to a shared value that is not there: ${number}.`)
}

function exact(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view
  if (byteOffset === 0 && byteLength === buffer.byteLength) return view
  const Kind = kindOf(view)
  return Kind ? new Kind((buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength)) : view
}
