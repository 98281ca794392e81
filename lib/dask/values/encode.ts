import { types } from 'node:util'
import { isDetached } from '../../values/shapes.js'
import { PyCall, PyGlobal } from '../pickle/objects.js'
import { dumps } from '../pickle/write.js'
import type { Serialized } from '../protocol/message.js'
import { bytesKind, pickled, rawBytes } from './families.js'
import { encodeOwn, isOwn } from './own.js'
import { picklePlain } from './plain.js'

/** A value on its way, and what the scheduler is told of it. */
export interface EncodedValue {
  readonly serialized: Serialized
  readonly nbytes: number
  /** As Python would call it: `dict`, `bytes`, `int`; of what Python can't read `node.Map` and the like. */
  readonly typeName: string
  /** The pickle of the class. */
  readonly type: Buffer
}

/**
 * Encodes a value such that `decodeValue` gives it back exactly, in the form that serves Python best:
 *
 * - A Buffer or Uint8Array: as bytes. It is not copied, so it must stay as it is.
 * - What JSON could say, with Buffers in it, but without anything shared: as a pickle. Python reads dict, list, str, int,
 *   float, bool, None and bytes.
 * - All else that may travel: in a form of our own, which to Python is bytes.
 *
 * Throws NOT_SENDABLE with the path of what may not travel, counted from `what`.
 */
export function encodeValue(value: unknown, what = 'value'): EncodedValue {
  const kind = bytesKindOf(value)
  if (kind !== undefined) return asBytes(value as Uint8Array, kind)
  // Bytes that could not be sent as bytes are in our own form, or refused.
  const pickle = types.isUint8Array(value) ? undefined : picklePlain(value)
  if (pickle) return { serialized: pickled(pickle), nbytes: pickle.length, ...pythonClassOf(value) }
  const own = encodeOwn(value, what)
  return { serialized: rawBytes(own), nbytes: own.length, typeName: `node.${nameOf(value)}`, type: classes.bytes }
}

function asBytes(bytes: Uint8Array, kind: string): EncodedValue {
  const serialized = rawBytes(bytes, kind === 'Buffer' ? {} : { [bytesKind]: kind })
  return { serialized, nbytes: bytes.length, typeName: 'bytes', type: classes.bytes }
}

/** Of bytes that can be sent as they are. Those that could be taken for a value in our own form are not among them. */
function bytesKindOf(value: unknown): 'Buffer' | 'Uint8Array' | undefined {
  if (!types.isUint8Array(value)) return undefined
  if (!types.isArrayBuffer(value.buffer) || isDetached(value.buffer) || isOwn(value)) return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Buffer.prototype ? 'Buffer' : prototype === Uint8Array.prototype ? 'Uint8Array' : undefined
}

const classes = {
  bytes: classNamed('bytes'),
  dict: classNamed('dict'),
  list: classNamed('list'),
  str: classNamed('str'),
  int: classNamed('int'),
  float: classNamed('float'),
  bool: classNamed('bool'),
  // It has no name that could be imported.
  NoneType: dumps(new PyCall(new PyGlobal('builtins', 'type'), [null])),
}

function classNamed(name: string): Buffer {
  return dumps(new PyGlobal('builtins', name))
}

function pythonClassOf(value: unknown): { readonly typeName: string; readonly type: Buffer } {
  const typeName = pythonNameOf(value)
  return { typeName, type: classes[typeName] }
}

function pythonNameOf(value: unknown): keyof typeof classes {
  switch (typeof value) {
    case 'string':
      return 'str'
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'int' : 'float'
    default:
      return value === null ? 'NoneType' : Array.isArray(value) ? 'list' : 'dict'
  }
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'Object'
}
