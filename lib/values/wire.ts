/**
 * The one rule of what may cross a border, whatever carries it: structured clone, `v8.serialize` or JSON.
 *
 * Allowed: primitives but symbols, plain objects, arrays, Map, Set, Date, RegExp, ArrayBuffer, its views, Buffer, URL,
 * the Error family, states; shared references and cycles. Refused, with the path: functions, symbols, promises,
 * instances of classes, proxies, shared memory. Dropped: symbol keys, what is not enumerable, named fields of arrays.
 * Getters are read, null prototypes become ordinary ones.
 */
import { types } from 'node:util'
import { Decoder, type Resolve } from './decoder.js'
import { Encoder, type EncoderOptions } from './encoder.js'
import { type Root, refusal } from './refusal.js'
import { asText, isRecord, tag } from './shapes.js'

export interface WireOptions extends EncoderOptions {
  /** Named at the head of a refusal. */
  readonly task?: string | undefined
  /** What the value is on its way to, for the text of a refusal: `sent to a worker`. */
  readonly purpose?: string | undefined
}

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
  // Most of what is sent are small constants, and lists of them.
  if (constancy(value) !== 'none') return value
  if (isShortList(value) && value.every(isConstant)) return value.slice()
  return encodeWhole(value, root, options).wire
}

/** As {@link toWire}, for encoders that go on from there. */
export function encode(value: unknown, root: Root = 'value', options: WireOptions = {}): Encoded {
  const kind = constancy(value)
  return kind === 'none' ? encodeWhole(value, root, options) : { wire: value, json: kind === 'exact' }
}

function encodeWhole(value: unknown, root: Root, options: WireOptions): Encoded {
  const encoder = new Encoder(options)
  try {
    const wire = encoder.encode(value)
    const { tagged, shared, json } = encoder
    if (!tagged) return { wire, json }
    return { wire: { [tag]: 'tree', value: wire, ...(shared.size > 0 && { shared: [...shared] }) }, json }
  } catch (thrown) {
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

/**
 * The value that {@link toWire} encoded. It takes `wire` over: what needs no change is not copied again. `resolve` gives
 * the values behind the numbers of {@link sharedNumbersIn}.
 */
export function fromWire(wire: unknown, resolve?: Resolve): unknown {
  if (!isTree(wire)) return wire
  return new Decoder(resolve).decode(wire['value'])
}

/** The numbers of the shared values that a wire value refers to. */
export function sharedNumbersIn(wire: unknown): readonly number[] {
  return isTree(wire) ? ((wire['shared'] as number[] | undefined) ?? []) : []
}

function isTree(wire: unknown): wire is Record<string, unknown> {
  return isRecord(wire) && wire[tag] === 'tree'
}

/** Whether a value is its own wire form, and whether JSON carries it exactly. */
function constancy(value: unknown): 'exact' | 'constant' | 'none' {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return 'exact'
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? 'exact' : 'constant'
    case 'undefined':
    case 'bigint':
      return 'constant'
    default:
      return value === null ? 'exact' : 'none'
  }
}

function isConstant(value: unknown): boolean {
  return constancy(value) !== 'none'
}

// `every` passes over holes, and `slice` keeps them.
function isShortList(value: unknown): value is unknown[] {
  if (!Array.isArray(value) || value.length > 8 || types.isProxy(value)) return false
  return Object.getPrototypeOf(value) === Array.prototype
}
