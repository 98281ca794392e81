import { MintakaError } from '../../core/errors.js'

/** The longest text whose length is part of its code. */
const shortLength = 31
/** Of the memory that is written to. */
const chunkBytes = 4_096
/** Deeper than Python reads. */
const maxDepth = 500

/** What to write in place of an instance of a class. */
export type Replace = (value: object) => unknown

/**
 * Writes msgpack: null, booleans, numbers, bigints of 64 bits, strings, bytes, arrays, Maps and the fields of objects that
 * are not undefined. An integral number is an int as far as it is exact. A lone surrogate becomes the replacement
 * character: a peer that cannot read a string hangs up.
 */
export class MsgpackWriter {
  private bytes: Buffer
  private replace: Replace | undefined
  length = 0

  constructor(replace?: Replace, sizeHint = chunkBytes) {
    this.replace = replace
    this.bytes = Buffer.allocUnsafeSlow(sizeHint)
  }

  /** Throws INVALID_ARGUMENT, and has then written nothing. */
  write(value: unknown): void {
    const { length } = this
    try {
      this.any(value, 0)
    } catch (thrown) {
      this.length = length
      throw thrown
    }
  }

  /** What has been written so far. It stays valid: what is written after it goes elsewhere. */
  take(): Buffer {
    const written = this.bytes.subarray(0, this.length)
    this.bytes = this.bytes.subarray(this.length)
    this.length = 0
    return written
  }

  private any(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'undefined':
        return this.code(0xc0)
      case 'boolean':
        return this.code(value ? 0xc3 : 0xc2)
      case 'number':
        return this.number(value)
      case 'string':
        return this.string(value)
      case 'bigint':
        return this.bigint(value)
      case 'object':
        return value === null ? this.code(0xc0) : this.object(value, depth + 1)
      default:
        throw refused(`a ${typeof value}`)
    }
  }

  private object(value: object, depth: number): void {
    if (depth > maxDepth) throw refused('what is nested that deep')
    if (Array.isArray(value)) return this.array(value, depth)
    if (value instanceof Uint8Array) return this.binary(value)
    if (value instanceof Map) return this.map(value, depth)
    const prototype: unknown = Object.getPrototypeOf(value)
    const replaced = prototype === Object.prototype ? undefined : this.replace?.(value)
    if (replaced !== undefined) return this.any(replaced, depth)
    this.fields(value as Record<string, unknown>, depth)
  }

  private array(items: readonly unknown[], depth: number): void {
    this.head(items.length, 0x90, 16, 0xdc)
    for (let index = 0; index < items.length; index++) this.any(items[index], depth)
  }

  private map(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    this.head(map.size, 0x80, 16, 0xde)
    for (const [key, child] of map) {
      this.any(key, depth)
      this.any(child, depth)
    }
  }

  private fields(value: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(value)
    let size = keys.length
    for (const key of keys) if (value[key] === undefined) size--
    this.head(size, 0x80, 16, 0xde)
    for (const key of keys) {
      const child = value[key]
      if (child === undefined) continue
      this.string(key)
      this.any(child, depth)
    }
  }

  private number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.reserve(9)
      this.bytes[this.length++] = 0xcb
      this.length = this.bytes.writeDoubleBE(value, this.length)
    } else if (value >= 0) {
      this.unsigned(value)
    } else {
      this.negative(value)
    }
  }

  private unsigned(value: number): void {
    this.reserve(9)
    if (value < 0x80) {
      this.bytes[this.length++] = value
    } else if (value < 0x100) {
      this.bytes[this.length++] = 0xcc
      this.bytes[this.length++] = value
    } else if (value < 0x1_0000) {
      this.bytes[this.length++] = 0xcd
      this.length = this.bytes.writeUInt16BE(value, this.length)
    } else if (value < 2 ** 32) {
      this.bytes[this.length++] = 0xce
      this.length = this.bytes.writeUInt32BE(value, this.length)
    } else {
      this.bytes[this.length++] = 0xcf
      this.length = this.bytes.writeUInt32BE(Math.floor(value / 2 ** 32), this.length)
      this.length = this.bytes.writeUInt32BE(value % 2 ** 32, this.length)
    }
  }

  private negative(value: number): void {
    this.reserve(9)
    if (value >= -0x20) {
      this.bytes[this.length++] = value + 0x100
    } else if (value >= -0x80) {
      this.bytes[this.length++] = 0xd0
      this.length = this.bytes.writeInt8(value, this.length)
    } else if (value >= -0x8000) {
      this.bytes[this.length++] = 0xd1
      this.length = this.bytes.writeInt16BE(value, this.length)
    } else if (value >= -(2 ** 31)) {
      this.bytes[this.length++] = 0xd2
      this.length = this.bytes.writeInt32BE(value, this.length)
    } else {
      this.bytes[this.length++] = 0xd3
      this.length = this.bytes.writeBigInt64BE(BigInt(value), this.length)
    }
  }

  private bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      return this.number(Number(value))
    }
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw refused('an integer of more than 64 bits')
    this.reserve(9)
    this.bytes[this.length++] = value < 0n ? 0xd3 : 0xcf
    this.length = this.bytes.writeBigUInt64BE(BigInt.asUintN(64, value), this.length)
  }

  private string(value: string): void {
    if (value.length <= shortLength && this.shortString(value)) return
    const length = Buffer.byteLength(value)
    this.reserve(length + 5)
    this.sized(length, length < 32 ? 0xa0 : undefined, 0xd9)
    this.length += this.bytes.write(value, this.length, 'utf8')
  }

  // Most texts are short and ASCII: written here they take a third of the time.
  private shortString(value: string): boolean {
    this.reserve(value.length + 1)
    const { bytes } = this
    let at = this.length
    bytes[at++] = 0xa0 | value.length
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) return false
      bytes[at++] = code
    }
    this.length = at
    return true
  }

  private binary(value: Uint8Array): void {
    this.reserve(value.length + 5)
    this.sized(value.length, undefined, 0xc4)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  // The three codes for lengths of 8, 16 and 32 bits follow each other; short strings have one of their own.
  private sized(length: number, short: number | undefined, code: number): void {
    if (short !== undefined) {
      this.bytes[this.length++] = short | length
    } else if (length < 0x100) {
      this.bytes[this.length++] = code
      this.bytes[this.length++] = length
    } else if (length < 0x1_0000) {
      this.bytes[this.length++] = code + 1
      this.length = this.bytes.writeUInt16BE(length, this.length)
    } else if (length < 2 ** 32) {
      this.bytes[this.length++] = code + 2
      this.length = this.bytes.writeUInt32BE(length, this.length)
    } else {
      throw refused(`${length} bytes at once`)
    }
  }

  private head(size: number, short: number, shortSizes: number, code: number): void {
    this.reserve(5)
    if (size < shortSizes) {
      this.bytes[this.length++] = short | size
    } else if (size < 0x1_0000) {
      this.bytes[this.length++] = code
      this.length = this.bytes.writeUInt16BE(size, this.length)
    } else {
      this.bytes[this.length++] = code + 1
      this.length = this.bytes.writeUInt32BE(size, this.length)
    }
  }

  private code(code: number): void {
    this.reserve(1)
    this.bytes[this.length++] = code
  }

  private reserve(size: number): void {
    const wanted = this.length + size
    if (wanted <= this.bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.length * 2, wanted, chunkBytes))
    this.bytes.copy(bytes, 0, 0, this.length)
    this.bytes = bytes
  }
}

function refused(what: string): MintakaError {
  return new MintakaError('INVALID_ARGUMENT', `A message to a Dask cluster cannot hold ${what}.`)
}
