import { PyGlobal } from '../pickle/objects.js'
import { op } from '../pickle/opcodes.js'
import { PickleOutput } from '../pickle/output.js'
import { loads } from '../pickle/read.js'
import { guarded, malformed } from '../protocol/malformed.js'
import { type Header, Serialized } from '../protocol/message.js'
import { readMsgpack } from '../protocol/msgpack-read.js'
import { MsgpackWriter } from '../protocol/msgpack-write.js'
import type { EncodedValue } from './encode.js'

/** The first of what precedes the class. */
const magic = 'mintaka'

/** What the client learns when a task has finished. */
export interface TypeOfResult {
  readonly typeName?: string
  readonly nbytes?: number
  /** The result itself, if it was small. */
  readonly result?: Serialized
}

/**
 * The `type` that a worker tells of a result: to Python the pickle of the class, as always. Before the class it has bytes
 * that are thrown away again (POP), in which a client of ours finds `nbytes`, and the result itself if it takes no more
 * than `maxBytes`: so it need not be fetched.
 */
export function typeWithResult(encoded: EncodedValue, maxBytes: number): Buffer {
  const { nbytes, typeName, type, serialized } = encoded
  const writer = new MsgpackWriter()
  const isSmall = nbytes <= maxBytes
  writer.write([magic, typeName, nbytes, ...(isSmall ? [serialized.header, serialized.frames] : [])])
  const output = new PickleOutput(64 + nbytes)
  output.bytesOf(writer.take())
  output.code(op.POP)
  // Without its own PROTO, and with its STOP.
  return Buffer.concat([output.soFar(), type.subarray(2)])
}

/** What {@link typeWithResult} wrote; of a type that somebody else wrote, its name. Throws DASK_PROTOCOL if it is damaged. */
export function readType(type: Uint8Array): TypeOfResult {
  const bytes = Buffer.from(type.buffer, type.byteOffset, type.byteLength)
  const content = contentOf(bytes)
  if (content === undefined || content.indexOf(magic) !== 2) return stockType(bytes)
  return guarded('the type of a result is damaged', () => {
    const fields = readMsgpack(content)
    if (!Array.isArray(fields)) throw malformed('the type of a result is damaged')
    const [, typeName, nbytes, header, frames]: unknown[] = fields
    if (typeof typeName !== 'string' || typeof nbytes !== 'number') throw malformed('the type of a result is damaged')
    if (header === undefined) return { typeName, nbytes }
    if (typeof header !== 'object' || !isFrames(frames)) throw malformed('the type of a result is damaged')
    return { typeName, nbytes, result: new Serialized(header as Header, frames) }
  })
}

/** The class of a stock worker's result, `numpy.ndarray`. */
function stockType(bytes: Buffer): TypeOfResult {
  try {
    const type = loads(bytes)
    return type instanceof PyGlobal
      ? { typeName: type.module === 'builtins' ? type.name : `${type.module}.${type.name}` }
      : {}
  } catch {
    return {} // a class that is pickled by value: its name is not worth more
  }
}

/** The bytes that the pickle begins with. */
function contentOf(pickle: Buffer): Buffer | undefined {
  if (pickle[0] !== op.PROTO || pickle.length < 7) return undefined
  if (pickle[2] === op.SHORT_BINBYTES) return pickle.subarray(4, 4 + pickle[3]!)
  return pickle[2] === op.BINBYTES ? pickle.subarray(7, 7 + pickle.readUInt32LE(3)) : undefined
}

function isFrames(frames: unknown): frames is Uint8Array[] {
  return Array.isArray(frames) && frames.every(frame => frame instanceof Uint8Array)
}
