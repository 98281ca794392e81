/**
 * Values as JSON text. What JSON carries exactly reads as plain JSON; the rest becomes records with the key `$mintaka`,
 * which data cannot pose as, because data with that key is a record too.
 */

import { types } from 'node:util'
import { type Codec, tooLarge } from '../core/store.js'
import { keptCopy } from './kept.js'
import { isPlainJson } from './plain.js'
import { define, kinds, tag } from './shapes.js'
import { leastSize } from './text-size.js'
import { encode, fromWire } from './wire.js'

/** The codec of stores: the rules of `wire.ts`, written as JSON. */
export const codec: Codec = {
  encode(value, limit = Number.POSITIVE_INFINITY) {
    if (isPlainJson(value, limit)) return JSON.stringify(value)
    const least = limit === Number.POSITIVE_INFINITY ? 0 : leastSize(value, limit)
    if (least > limit) throw new RangeError(tooLarge(least, limit, 'or more'))
    const { wire, json } = encode(value, 'value', { purpose: 'stored', borrows: true })
    return JSON.stringify(json ? wire : new Writer(wire).write(wire))
  },
  decode(text) {
    const wire: unknown = JSON.parse(text)
    return text.includes(quotedTag) ? fromWire(new Reader().read(wire)) : wire
  },
  copy: keptCopy,
}

const quotedTag = JSON.stringify(tag)

type Json = Record<string, unknown>

/** Turns a wire value into one that JSON carries. */
class Writer {
  private readonly shared: Set<object>
  private readonly ids = new Map<object, number>()

  constructor(wire: unknown) {
    this.shared = sharedIn(wire)
  }

  write(wire: unknown): unknown {
    switch (typeof wire) {
      case 'undefined':
        return { [tag]: 'undefined' }
      case 'bigint':
        return { [tag]: 'bigint', value: String(wire) }
      case 'number':
        return Number.isFinite(wire) && !Object.is(wire, -0) ? wire : { [tag]: 'number', value: numberText(wire) }
      case 'object':
        return wire === null ? null : this.once(wire)
      default:
        return wire
    }
  }

  private once(wire: object): unknown {
    if (!this.shared.has(wire)) return this.object(wire)
    const id = this.ids.get(wire)
    if (id !== undefined) return { [tag]: 'same', id }
    this.ids.set(wire, this.ids.size)
    return { [tag]: 'shared', id: this.ids.size - 1, value: this.object(wire) }
  }

  private object(wire: object): unknown {
    if (Array.isArray(wire)) return this.array(wire)
    if (types.isDate(wire)) return { [tag]: 'date', value: wire.getTime() }
    if (types.isRegExp(wire)) return { [tag]: 'regexp', source: wire.source, flags: wire.flags }
    if (types.isMap(wire)) return { [tag]: 'map', entries: [...wire].map(entry => entry.map(part => this.write(part))) }
    if (types.isSet(wire)) return { [tag]: 'set', values: [...wire].map(child => this.write(child)) }
    if (types.isArrayBuffer(wire))
      return { [tag]: 'bytes', kind: 'ArrayBuffer', base64: base64Of(new Uint8Array(wire)) }
    if (ArrayBuffer.isView(wire)) return { [tag]: 'bytes', kind: wire.constructor.name, base64: base64Of(wire) }
    const copy: Json = {}
    for (const key of Object.keys(wire)) define(copy, key, this.write((wire as Json)[key]))
    return copy
  }

  private array(wire: readonly unknown[]): unknown {
    const values: unknown[] = []
    const holes: number[] = []
    for (let index = 0; index < wire.length; index++) {
      if (!(index in wire)) holes.push(index)
      values.push(index in wire ? this.write(wire[index]) : null)
    }
    return holes.length > 0 ? { [tag]: 'sparse', values, holes } : values
  }
}

/** Turns what a {@link Writer} made, parsed again, back into the wire value. */
class Reader {
  private readonly byId = new Map<number, unknown>()

  /** `id`: others refer to the value by it, perhaps from inside. */
  read(json: unknown, id?: number): unknown {
    if (typeof json !== 'object' || json === null) return json
    if (Array.isArray(json)) return this.fill(this.known(id, json as unknown[] & Json))
    return this.object(json as Json, id)
  }

  private object(json: Json, id: number | undefined): unknown {
    switch (json[tag]) {
      case 'undefined':
        return undefined
      case 'bigint':
        return BigInt(json['value'] as string)
      case 'number':
        return Number(json['value'])
      case 'same':
        return this.byId.get(json['id'] as number)
      case 'shared':
        return this.read(json['value'], json['id'] as number)
      case 'date':
        return this.known(id, new Date((json['value'] as number | null) ?? Number.NaN))
      case 'regexp':
        return this.known(id, new RegExp(json['source'] as string, json['flags'] as string))
      case 'bytes':
        return this.known(id, bytesOf(json['kind'] as string, json['base64'] as string))
      case 'map':
        return this.map(this.known(id, new Map()), json['entries'] as [unknown, unknown][])
      case 'set':
        return this.set(this.known(id, new Set()), json['values'] as unknown[])
      case 'sparse':
        return this.sparse(json['values'] as unknown[] & Json, json['holes'] as number[], id)
      default:
        return this.fill(this.known(id, json))
    }
  }

  private fill(json: Json): unknown {
    for (const key of Object.keys(json)) {
      const child = json[key]
      if (typeof child === 'object' && child !== null) define(json, key, this.read(child))
    }
    return json
  }

  private map(map: Map<unknown, unknown>, entries: readonly [unknown, unknown][]): unknown {
    for (const [key, child] of entries) map.set(this.read(key), this.read(child))
    return map
  }

  private set(set: Set<unknown>, values: readonly unknown[]): unknown {
    for (const child of values) set.add(this.read(child))
    return set
  }

  private sparse(values: unknown[] & Json, holes: readonly number[], id: number | undefined): unknown {
    for (const index of holes) delete values[index]
    return this.fill(this.known(id, values))
  }

  private known<T>(id: number | undefined, value: T): T {
    if (id !== undefined) this.byId.set(id, value)
    return value
  }
}

/** The objects that are met more than once. */
function sharedIn(wire: unknown): Set<object> {
  const seen = new Set<object>()
  const shared = new Set<object>()
  const visit = (wire: unknown): void => {
    if (typeof wire !== 'object' || wire === null) return
    if (seen.has(wire)) {
      shared.add(wire)
      return
    }
    seen.add(wire)
    if (ArrayBuffer.isView(wire)) return
    if (types.isMap(wire)) {
      for (const [key, child] of wire) {
        visit(key)
        visit(child)
      }
    } else {
      for (const child of types.isSet(wire) ? wire : Object.values(wire)) visit(child)
    }
  }
  visit(wire)
  return shared
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function base64Of(view: ArrayBufferView): string {
  return Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength).toString('base64')
}

function bytesOf(kind: string, base64: string): ArrayBuffer | ArrayBufferView {
  // Small Buffers lie in a pool; what is kept has a buffer of its own.
  const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
  const Kind = kinds.get(kind)
  return Kind ? new Kind(bytes.buffer) : bytes.buffer
}
