import { uncompress } from 'snappyjs'
import { malformed } from './malformed.js'

/** Three bytes of Snappy stand for 64 bytes at most. */
const maxRatio = 22

/** Reads what Python's `snappy.compress` writes: a block of Snappy, its length first. */
export function decompressSnappy(frame: Uint8Array, maxBytes: number): Uint8Array {
  const most = Math.min(maxBytes, frame.length * maxRatio)
  if (lengthOf(frame) > most) throw malformed('a Snappy frame announces more than it can hold')
  return uncompress(frame)
}

/** Seven bits a byte, the lowest first, up to the first byte below 128. */
function lengthOf(frame: Uint8Array): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = frame[index] ?? 0
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  return Number.POSITIVE_INFINITY
}
