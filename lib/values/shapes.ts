/** What a value is, whatever realm it is from, and the small things that encoders and decoders do alike. */
import { inspect, types } from 'node:util'

/** The key that marks a record of ours. Data that has it travels as a record itself, so that nothing can pose as one. */
export const tag = '$mintaka'

/** Whether a wire value is a record of ours. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, tag)
}

/** An instance of a class that extends Array is an instance, not an array; one of another realm is an array. */
export function isArray(value: object): value is unknown[] {
  if (!Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Array.prototype || Array.isArray(prototype)
}

/** Of that very class, in this realm or another, and not of one derived from it. */
export function isExactly(value: object, name: string): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype !== null && Object.hasOwn(prototype, 'constructor') && prototype.constructor.name === name
}

/** A class of views. */
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

/** The class of a view, if views of it travel. */
export function kindOf(value: ArrayBufferView): Kind | undefined {
  const name = value.constructor?.name
  return isExactly(value, name) ? kinds.get(name) : undefined
}

/** The class of a view that travels, Buffer among them. */
export function nameOfView(view: ArrayBufferView): string | undefined {
  return Buffer.isBuffer(view) ? 'Buffer' : kindOf(view)?.name
}

/** A view of all of `buffer`, by the name of its class. */
export function viewOf(name: string, buffer: ArrayBuffer): ArrayBufferView {
  const Kind = kinds.get(name)
  return Kind ? new Kind(buffer) : Buffer.from(buffer)
}

/** Whether what `buffer` held has been moved away. */
export function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength > 0) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

/** Sets a field, `__proto__` like any other. */
export function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** Any value as text, for want of something better. */
export function asText(value: unknown): string {
  try {
    return typeof value === 'string' ? value : value instanceof Error ? value.message : inspect(value, { depth: 1 })
  } catch {
    return '[unprintable]'
  }
}

/** Whether `value` is bytes: a buffer or a view of one, shared memory not counted. */
export function isBytes(value: object): value is ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return types.isArrayBuffer(value) || (ArrayBuffer.isView(value) && types.isArrayBuffer(value.buffer))
}
