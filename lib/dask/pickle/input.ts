import { malformed } from '../protocol/malformed.js'
import { readUtf8 } from './text.js'

/** The bytes of a pickle, read from the front. Throws DASK_PROTOCOL where they end too early. */
export class PickleInput {
  private readonly bytes: Buffer
  /** How much has been read. */
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get size(): number {
    return this.bytes.length
  }

  /** Passes `size` bytes, and tells where they start. */
  skip(size: number): number {
    const start = this.at
    if (start + size > this.bytes.length) throw malformed(`a pickle of ${this.bytes.length} bytes is not whole`)
    this.at = start + size
    return start
  }

  u8(): number {
    return this.bytes[this.skip(1)]!
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.skip(2))
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4))
  }

  i32(): number {
    return this.bytes.readInt32LE(this.skip(4))
  }

  u64(): number {
    const start = this.skip(8)
    return this.bytes.readUInt32LE(start) + this.bytes.readUInt32LE(start + 4) * 2 ** 32
  }

  f64(): number {
    return this.bytes.readDoubleBE(this.skip(8))
  }

  /** Shares the memory of the pickle. */
  data(size: number): Buffer {
    const start = this.skip(size)
    return this.bytes.subarray(start, this.at)
  }

  text(size: number): string {
    const start = this.skip(size)
    return readUtf8(this.bytes, start, this.at)
  }

  /** An int in two's complement, little-endian. */
  long(size: number): number | bigint {
    if (size === 0) return 0
    const bytes = this.data(size)
    if (size <= 6) return bytes.readIntLE(0, size)
    const unsigned = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
    return small(bytes[size - 1]! & 0x80 ? unsigned - (1n << BigInt(8 * size)) : unsigned)
  }

  /** A line, as the oldest protocol writes everything. */
  line(): string {
    const end = this.bytes.indexOf(10, this.at)
    if (end < 0) throw malformed('a line of a pickle has no end')
    const text = this.bytes.toString('utf8', this.at, end)
    this.at = end + 1
    return text
  }

  decimalLine(): number | bigint {
    return decimal(this.line().replace(/L$/, ''))
  }

  /** Protocols before 2 wrote booleans as ints with a leading zero. */
  decimalOrBooleanLine(): number | bigint | boolean {
    const line = this.line()
    return line === '00' ? false : line === '01' ? true : decimal(line)
  }

  floatLine(): number {
    const line = this.line()
    if (/^[+-]?nan$/i.test(line)) return Number.NaN
    if (/^[+-]?inf$/i.test(line)) return line.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    const value = Number(line)
    if (line === '' || Number.isNaN(value)) throw malformed('a pickle has a float that is none')
    return value
  }
}

/** More digits than Python itself reads at once. */
const maxDigits = 4_300

function decimal(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text) || text.length > maxDigits) throw malformed('a pickle has an int that is none')
  return small(BigInt(text.replace('+', '')))
}

function small(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
