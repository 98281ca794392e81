import { decompress } from '../protocol/compression.js'
import { malformed } from '../protocol/malformed.js'
import type { Frames, Serialized } from '../protocol/message.js'

/** The frames of a value as its family wrote them: read from their compression, and joined where they were cut. */
export function framesOf({ header, frames }: Serialized): Frames {
  const inflated = decompress(header, frames)
  const counts = header['split-num-sub-frames']
  if (counts === undefined) return inflated
  const offsets = header['split-offsets']
  if (!isIndexes(counts) || !isIndexes(offsets)) throw malformed('the header of a value does not say how it was cut')
  if (counts.reduce((sum, count) => sum + count, 0) > inflated.length) {
    throw malformed('the header of a value cuts it into more frames than there are')
  }
  return counts.map((count, index) => join(inflated.slice(offsets[index]!, offsets[index]! + count)))
}

function isIndexes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(index => Number.isSafeInteger(index) && (index as number) >= 0)
}

/** One piece of all. Nothing is copied if they lie next to each other, as they do when they came in one message. */
export function join(frames: Frames): Uint8Array {
  const [first] = frames
  if (first === undefined) return Buffer.alloc(0)
  if (frames.length === 1) return first
  let end = first.byteOffset
  for (const { buffer, byteOffset, byteLength } of frames) {
    if (buffer !== first.buffer || byteOffset !== end) return Buffer.concat(frames)
    end += byteLength
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset)
}

/** What is smaller is copied out of the message it came in: it would keep all of that in memory. */
const worthSharing = 65_536

/** The same bytes in memory of their own, unless they are so large that they had better stay where they are. */
export function settled(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, byteLength } = bytes
  if (byteLength >= worthSharing || byteLength === buffer.byteLength) return Buffer.from(buffer, byteOffset, byteLength)
  const copy = Buffer.allocUnsafeSlow(byteLength)
  copy.set(bytes)
  return copy
}
