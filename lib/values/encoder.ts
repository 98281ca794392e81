import { types } from 'node:util'
import { isState, type State } from '../core/state.js'
import { isPlainObject } from '../core/traverse.js'
import { blankRecord, describeError, isErrorLike } from './errors.js'
import { define, isArray, isDetached, isExactly, kindOf, tag } from './shapes.js'
import { isMovable, worthMoving } from './transfer.js'

/** Thrown for what may not travel. It says nothing more: `refusal` finds out what and where. */
export const unsendable = Symbol('unsendable')

/** The number of a value that is there for many calls, so that a reference is enough; `undefined` for all others. */
export type Refer = (value: object) => number | undefined

export interface EncoderOptions {
  /** Takes the buffers that the message should move. Without it everything is copied. */
  readonly moved?: ArrayBuffer[] | undefined
  /** Knows the values that need not be in the message, because they are shared. */
  readonly refer?: Refer | undefined
  /** Buffers are not copied: for who reads the copy at once, and keeps nothing of it. */
  readonly borrows?: boolean | undefined
}

/**
 * Copies a value into one that structured clone and `v8.serialize` both carry exactly. Throws {@link unsendable} for
 * what may not travel.
 */
export class Encoder {
  /** Whether there is anything that has to be decoded. */
  tagged = false
  /** Whether JSON carries the copy exactly. */
  json = true
  /** The numbers of the shared values that the copy refers to. */
  readonly shared = new Set<number>()
  private readonly copies = new Map<object, unknown>()
  /** What has been copied on behalf of a field that an error may yet lose. */
  private trail: object[] | undefined
  private readonly options: EncoderOptions

  constructor(options: EncoderOptions = {}) {
    this.options = options
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
    const number = this.options.refer?.(value)
    if (number !== undefined) return this.reference(value, number)
    if (isPlainObject(value)) return this.plain(value)
    if (isArray(value)) return this.array(value)
    return this.special(value)
  }

  private reference(value: object, number: number): unknown {
    this.json = false
    this.shared.add(number)
    return this.record(value, 'shared', { number })
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

  protected buffer(value: ArrayBuffer): unknown {
    if (isDetached(value)) throw unsendable
    const { moved, borrows } = this.options
    if (borrows) return value
    if (!moved) return value.slice(0)
    if (!isMovable(value)) return this.own(value.slice(0))
    if (!moved.includes(value)) moved.push(value)
    return value
  }

  // A large copy of ours need not be copied again.
  private own(copy: ArrayBuffer): ArrayBuffer {
    if (copy.byteLength >= worthMoving) this.options.moved?.push(copy)
    return copy
  }

  protected view(value: ArrayBufferView): unknown {
    const { buffer, byteOffset, byteLength } = value
    if (!types.isArrayBuffer(buffer)) throw unsendable
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
    if (whole) return new Uint8Array(this.bufferOnce(buffer) as ArrayBuffer)
    return new Uint8Array(this.own(buffer.slice(offset, offset + length)))
  }

  // Two views of one buffer stay two views of one buffer, if each shows all of it.
  protected bufferOnce(buffer: ArrayBuffer): unknown {
    return this.copies.get(buffer) ?? this.keep(buffer, this.buffer(buffer))
  }

  protected record(value: object, kind: string, rest: Record<string, unknown>): unknown {
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
