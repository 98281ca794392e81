/**
 * Values in shared memory: written once, read by any number of threads, each of which gets a value of its own. The
 * memory holds the length of the head, what has to be done to read it, the head (the value without its bytes), then the
 * bytes.
 */
import { types } from 'node:util'
import { Decoder } from './decoder.js'
import { Encoder, unsendable } from './encoder.js'
import { isDetached, nameOfView, tag, viewOf } from './shapes.js'

/** A copy of `value` that every thread can read. Throws for what may not travel, and where there is no memory for it. */
export function share(value: unknown): SharedArrayBuffer {
  const encoder = new SharingEncoder()
  const wire = encoder.encode(value)
  const head = encoder.json ? Buffer.from(JSON.stringify(wire)) : v8().serialize(wire)
  const start = aligned(headAt + head.length)
  const memory = new SharedArrayBuffer(start + encoder.length)
  new Uint32Array(memory).set([head.length, (encoder.json ? isJson : 0) + (encoder.tagged ? isTagged : 0)])
  new Uint8Array(memory).set(head, headAt)
  for (const { at, bytes } of encoder.parts) new Uint8Array(memory).set(bytes, start + at)
  return memory
}

/** A copy of what is in `memory`. */
export function readShared(memory: SharedArrayBuffer): unknown {
  const [length = 0, how = 0] = new Uint32Array(memory, 0, 2)
  const head = Buffer.from(memory, headAt, length)
  // Exact where the encoder says so, and read in half the time.
  const wire: unknown = how & isJson ? JSON.parse(head.toString()) : v8().deserialize(head)
  return how & isTagged ? new SharedDecoder(memory, aligned(headAt + length)).decode(wire) : wire
}

// Most threads never need it, and each would load it as it starts.
const v8 = () => process.getBuiltinModule('node:v8')

const isJson = 1
const isTagged = 2
const headAt = 8

// Views of eight bytes need no copy to be read from there.
function aligned(length: number): number {
  return Math.ceil(length / 8) * 8
}

/** Leaves the bytes out, for them to be copied once, to where they will be. */
class SharingEncoder extends Encoder {
  readonly parts: { readonly at: number; readonly bytes: Uint8Array }[] = []
  /** How much room they need. */
  length = 0

  protected override buffer(value: ArrayBuffer): unknown {
    if (isDetached(value)) throw unsendable
    return this.part(new Uint8Array(value))
  }

  protected override view(value: ArrayBufferView): unknown {
    const { buffer, byteOffset, byteLength } = value
    const name = nameOfView(value)
    if (!types.isArrayBuffer(buffer) || isDetached(buffer) || name === undefined) throw unsendable
    const whole = byteLength === buffer.byteLength
    const bytes = whole ? this.bufferOnce(buffer) : this.part(new Uint8Array(buffer, byteOffset, byteLength))
    return this.record(value, 'view', { name, bytes })
  }

  private part(bytes: Uint8Array): unknown {
    const at = this.length
    this.parts.push({ at, bytes })
    this.length = aligned(at + bytes.length)
    this.tagged = true
    return { [tag]: 'bytes', at, length: bytes.length }
  }
}

class SharedDecoder extends Decoder {
  private readonly memory: SharedArrayBuffer
  private readonly start: number

  constructor(memory: SharedArrayBuffer, start: number) {
    super()
    this.memory = memory
    this.start = start
  }

  protected override other(wire: Record<string, unknown>, kind: unknown): unknown {
    if (kind === 'bytes') return this.keep(wire, this.bytes(wire['at'] as number, wire['length'] as number))
    if (kind === 'view')
      return this.keep(wire, viewOf(wire['name'] as string, this.decode(wire['bytes']) as ArrayBuffer))
    return super.other(wire, kind)
  }

  private bytes(at: number, length: number): ArrayBuffer {
    const own = new ArrayBuffer(length)
    new Uint8Array(own).set(new Uint8Array(this.memory, this.start + at, length))
    return own
  }
}
