import { op } from './opcodes.js'
import { utf8Length, writeUtf8 } from './text.js'

const shortLength = 31

/** The bytes of a pickle (protocol 4) in the making: one method per kind of thing. What may be in it is the caller's rule. */
export class PickleOutput {
  private bytes: Buffer
  private length = 0
  private memoized = 0

  constructor(sizeHint = 512) {
    this.bytes = Buffer.allocUnsafeSlow(sizeHint)
    this.code(op.PROTO)
    this.code(4)
  }

  /** The whole pickle. */
  end(): Buffer {
    this.code(op.STOP)
    return this.soFar()
  }

  soFar(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** One opcode that has no argument. */
  code(code: number): void {
    this.reserve(1)
    this.bytes[this.length++] = code
  }

  none(): void {
    this.code(op.NONE)
  }

  boolean(value: boolean): void {
    this.code(value ? op.NEWTRUE : op.NEWFALSE)
  }

  /** An int if it is a safe integer, else a float: -0 is a float, and so is what is beyond 2^53. */
  number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value)
    else this.float(value)
  }

  bigint(value: bigint): void {
    const bytes = twosComplement(value)
    this.reserve(5)
    if (bytes.length < 256) {
      this.bytes[this.length++] = op.LONG1
      this.bytes[this.length++] = bytes.length
    } else {
      this.bytes[this.length++] = op.LONG4
      this.length = this.bytes.writeInt32LE(bytes.length, this.length)
    }
    this.append(bytes)
  }

  string(value: string): void {
    if (value.length <= shortLength && this.shortString(value)) return
    const length = utf8Length(value)
    this.reserve(length + 9)
    if (length < 256) {
      this.bytes[this.length++] = op.SHORT_BINUNICODE
      this.bytes[this.length++] = length
    } else {
      this.sized(op.BINUNICODE, op.BINUNICODE8, length)
    }
    this.length += writeUtf8(this.bytes, value, this.length)
  }

  // Most texts are short and ASCII: written here they take a third of the time.
  private shortString(value: string): boolean {
    this.reserve(value.length + 2)
    const { bytes } = this
    let at = this.length
    bytes[at++] = op.SHORT_BINUNICODE
    bytes[at++] = value.length
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) return false
      bytes[at++] = code
    }
    this.length = at
    return true
  }

  bytesOf(value: Uint8Array): void {
    this.reserve(9)
    if (value.length < 256) {
      this.bytes[this.length++] = op.SHORT_BINBYTES
      this.bytes[this.length++] = value.length
    } else {
      this.sized(op.BINBYTES, op.BINBYTES8, value.length)
    }
    this.append(value)
  }

  /** A class or function by name. Python imports it when it reads the pickle. */
  global(module: string, name: string): void {
    this.string(module)
    this.string(name)
    this.code(op.STACK_GLOBAL)
  }

  /** Ends a tuple whose items have been written, after a MARK if there are more than three of them. */
  tuple(size: number): void {
    if (size > 3) this.code(op.TUPLE)
    else this.code(size === 0 ? op.EMPTY_TUPLE : op.TUPLE1 + size - 1)
  }

  /** Numbers what was written last, for {@link again}. */
  memoize(): number {
    this.code(op.MEMOIZE)
    return this.memoized++
  }

  /** The very object of that number once more. */
  again(number: number): void {
    this.reserve(5)
    if (number < 256) {
      this.bytes[this.length++] = op.BINGET
      this.bytes[this.length++] = number
    } else {
      this.bytes[this.length++] = op.LONG_BINGET
      this.length = this.bytes.writeUInt32LE(number, this.length)
    }
  }

  private integer(value: number): void {
    if (value < -0x8000_0000 || value > 0x7fff_ffff) return this.bigint(BigInt(value))
    this.reserve(5)
    if (value >= 0 && value < 0x100) {
      this.bytes[this.length++] = op.BININT1
      this.bytes[this.length++] = value
    } else if (value >= 0 && value < 0x1_0000) {
      this.bytes[this.length++] = op.BININT2
      this.length = this.bytes.writeUInt16LE(value, this.length)
    } else {
      this.bytes[this.length++] = op.BININT
      this.length = this.bytes.writeInt32LE(value, this.length)
    }
  }

  private float(value: number): void {
    this.reserve(9)
    this.bytes[this.length++] = op.BINFLOAT
    this.length = this.bytes.writeDoubleBE(value, this.length)
  }

  private sized(short: number, long: number, length: number): void {
    if (length < 2 ** 32) {
      this.bytes[this.length++] = short
      this.length = this.bytes.writeUInt32LE(length, this.length)
    } else {
      this.bytes[this.length++] = long
      this.length = this.bytes.writeBigUInt64LE(BigInt(length), this.length)
    }
  }

  private append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  private reserve(size: number): void {
    const wanted = this.length + size
    if (wanted <= this.bytes.length) return
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, wanted))
    this.bytes.copy(bytes, 0, 0, this.length)
    this.bytes = bytes
  }
}

// Little-endian, as short as possible, with room for the sign.
function twosComplement(value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0)
  const magnitude = (value < 0n ? ~value : value).toString(16)
  const bits = magnitude.length * 4 - Math.clz32(Number.parseInt(magnitude[0]!, 16)) + 28
  const size = Math.floor(bits / 8) + 1
  const unsigned = value < 0n ? value + (1n << BigInt(8 * size)) : value
  return Buffer.from(unsigned.toString(16).padStart(2 * size, '0'), 'hex').reverse()
}
