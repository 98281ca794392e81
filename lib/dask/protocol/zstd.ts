import { Decompress, decompress } from 'fzstd'
import { malformed } from './malformed.js'

/** No three bytes of Zstandard stand for more bytes than a block can have. */
const maxBlockBytes = 131_072
/** What the format recommends for readers that do not know who wrote. */
const maxWindowBytes = 8 * 2 ** 20
const magic = 0xfd2fb528

/** Reads a frame of Zstandard. Its library believes what the frame says of itself, so that is looked at first. */
export function decompressZstd(frame: Uint8Array, maxBytes: number): Uint8Array {
  const { contentBytes, windowBytes } = headOf(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength))
  if (contentBytes === undefined) {
    if (windowBytes > maxWindowBytes) throw malformed(`a frame of Zstandard needs a window of ${windowBytes} bytes`)
    return inflateUnknown(frame, maxBytes)
  }
  const most = Math.min(maxBytes, Math.ceil(frame.length / 3) * maxBlockBytes)
  if (contentBytes > most) throw malformed(`a frame of Zstandard announces ${contentBytes} bytes`)
  return decompress(frame, new Uint8Array(contentBytes))
}

/** Of a frame that does not say how much is in it. */
function inflateUnknown(frame: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  const stream = new Decompress(part => {
    length += part.length
    if (length > maxBytes) throw malformed(`a frame of Zstandard holds more than ${maxBytes} bytes`)
    parts.push(part.slice())
  })
  stream.push(frame, true)
  return Buffer.concat(parts, length)
}

interface Head {
  readonly contentBytes: number | undefined
  readonly windowBytes: number
}

/** By RFC 8878, section 3.1.1. */
function headOf(frame: Buffer): Head {
  if (frame.length < 6 || frame.readUInt32LE(0) !== magic) throw malformed('a frame of Zstandard does not begin as one')
  const descriptor = frame[4]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const idBytes = [0, 1, 2, 4][descriptor & 3]!
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const at = (isSingleSegment ? 5 : 6) + idBytes
  if (frame.length < at + sizeBytes) throw malformed('a frame of Zstandard is not whole')
  const window = frame[5]!
  const base = 2 ** (10 + (window >> 3))
  return { contentBytes: sizeOf(frame, at, sizeBytes), windowBytes: base + (base / 8) * (window & 7) }
}

function sizeOf(frame: Buffer, at: number, bytes: number): number | undefined {
  switch (bytes) {
    case 0:
      return undefined
    case 2:
      return frame.readUInt16LE(at) + 256
    case 8:
      return frame.readUInt32LE(at) + frame.readUInt32LE(at + 4) * 2 ** 32
    default:
      return frame.readUIntLE(at, bytes)
  }
}
