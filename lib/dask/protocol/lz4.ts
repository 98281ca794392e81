import { malformed } from './malformed.js'

/** No byte of LZ4 can stand for more bytes than this. */
const maxRatio = 255

/** Reads what Python's `lz4.block` writes: the length (four bytes), then a block of LZ4. */
export function decompressLz4(source: Uint8Array, maxBytes: number): Buffer {
  const input = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  if (input.length < 5) throw malformed('an LZ4 frame is not whole')
  const size = input.readUInt32LE(0)
  if (size > maxBytes || size > input.length * maxRatio) throw malformed(`an LZ4 frame announces ${size} bytes`)
  const output = Buffer.allocUnsafeSlow(size)
  if (inflate(input, 4, output) !== size) throw malformed('an LZ4 frame has another length than it says')
  return output
}

/** Gives the number of bytes written. */
function inflate(input: Buffer, start: number, output: Buffer): number {
  let from = start
  let to = 0
  // A length of 15 goes on in the next bytes, up to the first that is not 255.
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      const byte = input[from++]
      if (byte === undefined) throw malformed('an LZ4 frame is not whole')
      length += byte
      if (byte < 255) return length
    }
  }
  while (from < input.length) {
    const token = input[from++]!
    const literals = lengthFrom(token >> 4)
    if (from + literals > input.length || to + literals > output.length) throw malformed('an LZ4 frame is too long')
    input.copy(output, to, from, from + literals)
    from += literals
    to += literals
    if (from === input.length) return to
    if (from + 2 > input.length) throw malformed('an LZ4 frame is not whole')
    const distance = input.readUInt16LE(from)
    from += 2
    const length = lengthFrom(token & 15) + 4
    if (distance === 0 || distance > to || to + length > output.length) throw malformed('an LZ4 frame is damaged')
    repeat(output, to, distance, length)
    to += length
  }
  return to
}

/** Copies `length` bytes from `distance` before `to`: what has just been written may be part of it. */
function repeat(output: Buffer, to: number, distance: number, length: number): void {
  if (distance === 1) output.fill(output[to - 1]!, to, to + length)
  else if (distance >= length) output.copyWithin(to, to - distance, to - distance + length)
  else for (let index = to; index < to + length; index++) output[index] = output[index - distance]!
}
