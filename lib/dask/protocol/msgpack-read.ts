import { Fields } from './fields.js'
import { malformed } from './malformed.js'
import { shortText } from './short-text.js'

/** As deep as Python writes. */
const maxDepth = 512

/** What a map stands for; undefined if it is just a map. */
export type Hook = (map: Fields) => unknown

export interface MsgpackOptions {
  readonly hook?: Hook
  /** What becomes of a map with a key that is not a string: the text of the key (the default), or a Map. */
  readonly keys?: 'text' | 'map'
}

/**
 * Reads msgpack as Python writes it. Maps become {@link Fields}; ints become numbers, or bigints if they are not safe;
 * binary data shares the memory of `bytes`. Throws DASK_PROTOCOL. Nothing is allocated for what has only been announced.
 */
export function readMsgpack(bytes: Uint8Array, options: MsgpackOptions = {}): unknown {
  const reader = new MsgpackReader(bytes, options)
  const value = reader.any(0)
  reader.expectEnd()
  return value
}

/**
 * A key of a map as a string. Dask's keys are strings, or tuples, ints and bytes: of these it is a text that is the same for
 * the same key, `["x",0]`.
 */
export function keyText(key: unknown): string {
  return typeof key === 'string' ? key : partText(key)
}

function partText(part: unknown): string {
  if (typeof part === 'string') return JSON.stringify(part)
  if (Array.isArray(part)) return `[${part.map(partText).join(',')}]`
  if (part instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(part).toString('latin1'))}`
  return typeof part === 'object' && part !== null ? '{}' : String(part)
}

class MsgpackReader {
  private readonly bytes: Buffer
  private readonly hook: Hook | undefined
  private readonly keys: 'text' | 'map'
  private at = 0

  constructor(bytes: Uint8Array, { hook, keys = 'text' }: MsgpackOptions) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.hook = hook
    this.keys = keys
  }

  expectEnd(): void {
    if (this.at < this.bytes.length) throw malformed(`${this.bytes.length - this.at} bytes too many`)
  }

  any(depth: number): unknown {
    const code = this.u8()
    if (code < 0x80) return code
    if (code < 0x90) return this.map(code & 0x0f, depth + 1)
    if (code < 0xa0) return this.array(code & 0x0f, depth + 1)
    if (code < 0xc0) return this.text(code & 0x1f)
    if (code >= 0xe0) return code - 0x100
    return this.byCode(code, depth)
  }

  private byCode(code: number, depth: number): unknown {
    switch (code) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.binary(this.u8())
      case 0xc5:
        return this.binary(this.u16())
      case 0xc6:
        return this.binary(this.u32())
      case 0xca:
        return this.bytes.readFloatBE(this.skip(4))
      case 0xcb:
        return this.bytes.readDoubleBE(this.skip(8))
      case 0xcc:
        return this.u8()
      case 0xcd:
        return this.u16()
      case 0xce:
        return this.u32()
      case 0xcf:
        return this.u64()
      case 0xd0:
        return this.bytes.readInt8(this.skip(1))
      case 0xd1:
        return this.bytes.readInt16BE(this.skip(2))
      case 0xd2:
        return this.bytes.readInt32BE(this.skip(4))
      case 0xd3:
        return this.i64()
      case 0xd9:
        return this.text(this.u8())
      case 0xda:
        return this.text(this.u16())
      case 0xdb:
        return this.text(this.u32())
      case 0xdc:
        return this.array(this.u16(), depth + 1)
      case 0xdd:
        return this.array(this.u32(), depth + 1)
      case 0xde:
        return this.map(this.u16(), depth + 1)
      case 0xdf:
        return this.map(this.u32(), depth + 1)
      default:
        throw malformed(`it has the code 0x${code.toString(16)}, which Dask does not use`)
    }
  }

  private array(size: number, depth: number): unknown[] {
    this.check(size, depth)
    const items: unknown[] = []
    for (let index = 0; index < size; index++) items.push(this.any(depth))
    return items
  }

  private map(size: number, depth: number): unknown {
    this.check(size * 2, depth)
    const map = new Fields()
    for (let index = 0; index < size; index++) {
      const key = this.any(depth)
      if (typeof key !== 'string' && this.keys === 'map') return this.otherMap(map, index, key, size, depth)
      map[typeof key === 'string' ? key : keyText(key)] = this.any(depth)
    }
    return this.hook?.(map) ?? map
  }

  /** Goes on as a Map, at the first key that is not a string. */
  private otherMap(before: Fields, index: number, key: unknown, size: number, depth: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(before))
    map.set(key, this.any(depth))
    for (let next = index + 1; next < size; next++) {
      const key = this.any(depth)
      map.set(key, this.any(depth))
    }
    return map
  }

  // Each item takes a byte at least.
  private check(items: number, depth: number): void {
    if (depth > maxDepth) throw malformed(`it is nested more than ${maxDepth} deep`)
    if (items > this.bytes.length - this.at) throw malformed('it has fewer items than it says')
  }

  private text(size: number): string {
    const start = this.skip(size)
    return shortText(this.bytes, start, this.at) ?? this.bytes.toString('utf8', start, this.at)
  }

  private binary(size: number): Buffer {
    const start = this.skip(size)
    return this.bytes.subarray(start, this.at)
  }

  private u64(): number | bigint {
    const start = this.skip(8)
    const number = this.bytes.readUInt32BE(start) * 2 ** 32 + this.bytes.readUInt32BE(start + 4)
    return Number.isSafeInteger(number) ? number : this.bytes.readBigUInt64BE(start)
  }

  private i64(): number | bigint {
    const start = this.skip(8)
    const number = this.bytes.readInt32BE(start) * 2 ** 32 + this.bytes.readUInt32BE(start + 4)
    return Number.isSafeInteger(number) ? number : this.bytes.readBigInt64BE(start)
  }

  private u8(): number {
    return this.bytes[this.skip(1)]!
  }

  private u16(): number {
    return this.bytes.readUInt16BE(this.skip(2))
  }

  private u32(): number {
    return this.bytes.readUInt32BE(this.skip(4))
  }

  private skip(size: number): number {
    const start = this.at
    if (start + size > this.bytes.length) throw malformed('it ends too early')
    this.at = start + size
    return start
  }
}
