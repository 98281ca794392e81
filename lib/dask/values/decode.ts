import { MintakaError } from '../../core/errors.js'
import { loads, loadsPlain } from '../pickle/read.js'
import { isFields } from '../protocol/fields.js'
import { guarded, malformed } from '../protocol/malformed.js'
import type { Frames, Header, Serialized } from '../protocol/message.js'
import { readMsgpack } from '../protocol/msgpack-read.js'
import { bytesKind } from './families.js'
import { decodeOwn, isOwn } from './own.js'
import { framesOf, join, settled } from './payload-frames.js'
import { dictOf, Foreign, pythonTypeOf, toJavaScript } from './python-values.js'

/** A Python value that JavaScript cannot read: a DataFrame, a datetime. It can be passed on as it is. */
export class Undecodable {
  /** Its Python class, or `list with datetime.date` and the like. */
  readonly typeName: string
  readonly serialized: Serialized

  constructor(typeName: string, serialized: Serialized) {
    this.typeName = typeName
    this.serialized = serialized
  }
}

/** Deeper than anybody nests collections. */
const maxDepth = 500

/**
 * The value that a peer has encoded: exactly what was given to `encodeValue`, or of a Python value what JavaScript has for
 * it: None is null; a dict with string keys is a plain object, any other dict a Map; tuples and lists are arrays; a set is
 * a Set; bytes are a Buffer; an int that is not a safe integer is a bigint; scalars of numpy are numbers. With anything
 * else anywhere inside, it is {@link Undecodable}. Large bytes are not copied.
 *
 * Throws DASK_PROTOCOL for what is damaged, DASK_REMOTE if the peer could not encode the value.
 */
export function decodeValue(serialized: Serialized): unknown {
  return guarded('a value cannot be read', () => {
    try {
      return decode(serialized.header, framesOf(serialized), 0)
    } catch (thrown) {
      if (thrown instanceof Foreign) return new Undecodable(String(thrown), serialized)
      throw thrown
    }
  })
}

function decode(header: Header, frames: Frames, depth: number): unknown {
  if (depth > maxDepth) throw malformed('a value is nested too deeply')
  if (header['is-collection'] === true) return decodeCollection(header, frames, depth + 1)
  const family = String(header['serializer'])
  const read = families.get(family)
  if (!read) throw new Foreign(`a value written by the serializer '${family}'`)
  return read(header, frames)
}

type Read = (header: Header, frames: Frames) => unknown

const families = new Map<string, Read>([
  ['pickle', (_, frames) => decodePickle(frames)],
  ['dask', decodeBytes],
  ['msgpack', (_, frames) => plain(readMsgpack(join(frames), { keys: 'map' }))],
  ['error', (_, frames) => refuse(frames)],
])

function decodePickle([frame, ...buffers]: Frames): unknown {
  if (!frame) throw malformed('a value has no pickle')
  const pickle = settled(frame)
  const plain = loadsPlain(pickle, buffers)
  if (plain !== undefined) return plain
  const value = loads(pickle, buffers)
  return within(pythonTypeOf(value), () => toJavaScript(value))
}

/** The outermost thing has the last word. */
function within<T>(type: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof Foreign) thrown.within = type
    throw thrown
  }
}

/** What Python has as bytes of one kind or another. */
const byteClasses = new Set([
  'builtins.bytes',
  'builtins.bytearray',
  'builtins.memoryview',
  'bytes',
  'bytearray',
  'memoryview',
])

function decodeBytes(header: Header, frames: Frames): unknown {
  const type = String(header['type'])
  if (!byteClasses.has(type)) throw new Foreign(type)
  const bytes = join(frames)
  if (header[bytesKind] === undefined && isOwn(bytes)) return decodeOwn(bytes)
  const own = settled(bytes)
  if (header[bytesKind] !== 'Uint8Array') return own
  return new Uint8Array(own.buffer, own.byteOffset, own.byteLength)
}

function decodeCollection(header: Header, frames: Frames, depth: number): unknown {
  const headers = header['sub-headers']
  const lengths = header['frame-lengths']
  if (!Array.isArray(headers) || !Array.isArray(lengths)) throw malformed('a collection has no headers')
  const type = header['type-serialized']
  let at = 0
  const entries = headers.map((header: unknown, index): [unknown, unknown] => {
    const length: unknown = lengths[index]
    if (!isHeader(header) || typeof length !== 'number' || !(length >= 0) || at + length > frames.length) {
      throw malformed('a collection does not have what its header says')
    }
    const own = frames.slice(at, (at += length))
    return [header['key'], within(String(type), () => decode(header, own, depth))]
  })
  const values = entries.map(([, value]) => value)
  switch (type) {
    case 'dict':
      return dictOf(new Map(entries))
    case 'set':
      return new Set(values)
    default:
      return values
  }
}

function isHeader(value: unknown): value is Header {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maps as a user has them. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (isFields(value)) return dictOf(new Map(Object.entries(value).map(([key, child]) => [key, plain(child)])))
  if (value instanceof Map) return new Map([...value].map(([key, child]) => [plain(key), plain(child)]))
  return value
}

function refuse(frames: Frames): never {
  const text = frames.map(frame => Buffer.from(frame).toString()).join('\n')
  throw new MintakaError('DASK_REMOTE', `A Dask peer could not send a value: ${text}`)
}
