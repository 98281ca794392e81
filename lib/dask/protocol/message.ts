import { loads } from '../pickle/read.js'
import { dumps } from '../pickle/write.js'
import { decompress } from './compression.js'
import type { Fields } from './fields.js'
import { guarded, malformed } from './malformed.js'
import { readMsgpack } from './msgpack-read.js'
import { MsgpackWriter } from './msgpack-write.js'

export type Header = Readonly<Record<string, unknown>>
export type Frames = readonly Uint8Array[]

/** A value that only the ends look into: the scheduler passes header and frames on as they are. */
export class Serialized {
  readonly header: Header
  readonly frames: Frames

  constructor(header: Header, frames: Frames) {
    this.header = header
    this.frames = frames
  }
}

/** A value that a Python peer unpickles when the message arrives. */
export class Pickled {
  readonly header: Header
  readonly frames: Frames

  constructor(header: Header, frames: Frames) {
    this.header = header
    this.frames = frames
  }

  static of(value: unknown): Pickled {
    return new Pickled({ 'pickled-obj': dumps(value), compression: [] }, [])
  }

  /** What the pickle says, nothing of it carried out: see `loads`. */
  load(): unknown {
    const pickle = this.header['pickled-obj']
    if (!(pickle instanceof Uint8Array)) throw malformed('a pickled object has no pickle')
    return loads(pickle, decompress(this.header, this.frames))
  }
}

/** Written as a Python set. */
export class PySet {
  readonly items: readonly unknown[]

  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

/**
 * The frames of a message: the first is the message, the others are what it refers to, not copied. Fields that are
 * undefined are left out. Arrays arrive as tuples. Throws INVALID_ARGUMENT for what no message can hold.
 */
export function encodeMessage(message: unknown): Uint8Array[] {
  const writer = new MessageWriter()
  writer.write(message)
  return writer.frames()
}

/** Messages that travel together, as a list: each is encoded when it is added, so that one that cannot be costs itself only. */
export class MessageBatch {
  private readonly writer = new MessageWriter()
  /** How many there are. */
  size = 0

  /** Throws INVALID_ARGUMENT for what no message can hold; the batch is then as it was. */
  add(message: unknown): void {
    this.writer.write(message)
    this.size++
  }

  frames(): Uint8Array[] {
    return this.writer.frames(this.size)
  }
}

class MessageWriter {
  private readonly outOfBand: Uint8Array[] = []
  private readonly writer = new MsgpackWriter(value => this.replace(value))
  private readonly headers = new MsgpackWriter()

  write(message: unknown): void {
    const { length } = this.outOfBand
    try {
      this.writer.write(message)
    } catch (thrown) {
      this.outOfBand.length = length
      throw thrown
    }
  }

  frames(listSize?: number): Uint8Array[] {
    const message = this.writer.take()
    return [listSize === undefined ? message : Buffer.concat([listHead(listSize), message]), ...this.outOfBand]
  }

  private replace(value: object): unknown {
    if (value instanceof Serialized) return { __Serialized__: this.attach(value) }
    if (value instanceof Pickled) return { __Pickled__: this.attach(value) }
    if (value instanceof PySet) return { __Set__: true, 'as-list': value.items }
    return undefined
  }

  private attach({ header, frames }: Serialized | Pickled): number {
    this.headers.write({ ...header, 'num-sub-frames': frames.length })
    // The message itself is number 0.
    const offset = this.outOfBand.length + 1
    this.outOfBand.push(this.headers.take())
    for (const frame of frames) this.outOfBand.push(frame)
    return offset
  }
}

function listHead(size: number): Buffer {
  const head = Buffer.alloc(5)
  head[0] = 0xdd
  head.writeUInt32BE(size, 1)
  return head
}

/**
 * The message of these frames. Maps are `Fields`: just what was sent, without a prototype; a key that is not a string is
 * its `keyText`. Tuples, lists and sets are arrays, a member of an enum is its name. Payloads stay closed, and share the
 * memory of the frames. Throws DASK_PROTOCOL.
 */
export function decodeMessage(frames: Frames): unknown {
  return guarded('it cannot be read', () => new MessageReader(frames).read())
}

class MessageReader {
  private readonly frames: Frames
  private readonly attached = new Map<number, Serialized | Pickled>()
  private unclaimed: number

  constructor(frames: Frames) {
    this.frames = frames
    this.unclaimed = frames.length - 1
  }

  read(): unknown {
    const [message] = this.frames
    if (!message) throw malformed('it has no frames')
    return readMsgpack(message, { hook: map => this.meaning(map) })
  }

  private meaning(map: Fields): unknown {
    const { __Serialized__: serialized, __Pickled__: pickled } = map
    if (isOffset(serialized)) return this.attachment(serialized, Serialized)
    if (isOffset(pickled)) return this.attachment(pickled, Pickled)
    if ('__Set__' in map && Array.isArray(map['as-list'])) return map['as-list']
    if ('__Enum__' in map && typeof map['name'] === 'string') return map['name']
    return undefined
  }

  // What is referred to twice is read once: else a few bytes could ask for any amount of work.
  private attachment(offset: number, Kind: typeof Serialized | typeof Pickled): Serialized | Pickled {
    const known = this.attached.get(offset)
    if (known) return known
    const head = this.frames[offset]
    if (!head) throw malformed(`it refers to frame ${offset} of ${this.frames.length}`)
    const header = readMsgpack(head, { hook: setsAndEnums }) as Header
    const count = Object.hasOwn(header ?? {}, 'num-sub-frames') ? header['num-sub-frames'] : undefined
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || offset + count >= this.frames.length) {
      throw malformed(`frame ${offset} announces more frames than there are`)
    }
    this.unclaimed -= 1 + count
    if (this.unclaimed < 0) throw malformed('two of its payloads share frames')
    const attachment = new Kind(header, this.frames.slice(offset + 1, offset + 1 + count))
    this.attached.set(offset, attachment)
    return attachment
  }
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0
}

function setsAndEnums(map: Fields): unknown {
  return '__Set__' in map && Array.isArray(map['as-list']) ? map['as-list'] : undefined
}
