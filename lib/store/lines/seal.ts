import { crc32 } from 'node:zlib'
import type { RawLine } from './scan.js'

// Every line of a journal ends with a checksum of itself, as its last field: `,"z":"1a2b3c4d"}`, CRC-32 over the bytes
// before it. So a line is still JSON that any tool reads, and a byte that has changed costs that line and no other.

const opening = ',"z":"'
/** What a seal takes of a line, its brace included, in bytes. */
export const sealLength = opening.length + 8 + 2

/** Puts the seal on a line, which ends with its brace and its newline. */
export function seal(line: string): string {
  const body = line.slice(0, -2)
  return `${body}${opening}${crc32(body).toString(16).padStart(8, '0')}"}\n`
}

/**
 * A line without its seal, if that is whole; else `undefined`. The brace that ends it is put in the place of the seal's
 * first byte: the bytes belong to whoever reads, and nobody needs the seal again.
 */
export function unseal({ bytes, start, end, offset }: RawLine): RawLine | undefined {
  const at = end - sealLength
  if (at <= start || bytes.toString('latin1', at, at + opening.length) !== opening) return undefined
  if (bytes[end - 2] !== 0x22 || bytes[end - 1] !== 0x7d) return undefined
  const expected = bytes.toString('latin1', at + opening.length, end - 2)
  if (crc32(bytes.subarray(start, at)).toString(16).padStart(8, '0') !== expected) return undefined
  bytes[at] = 0x7d
  return { bytes, start, end: at + 1, offset }
}
