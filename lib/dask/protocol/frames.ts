import { constants } from 'node:buffer'
import { malformed } from './malformed.js'

/** What a reader takes from a peer at most. */
export interface FrameLimits {
  readonly maxFrames: number
  /** Of one message. */
  readonly maxBytes: number
}

/** A stock peer sends each item of a list in a frame of its own, and cuts what is larger than 64 MiB. */
export const defaultLimits: FrameLimits = { maxFrames: 2 ** 26, maxBytes: 64 * 2 ** 30 }

/** As much as is allocated because a peer says that it will come. Beyond that, some of it must have come. */
const trustedBytes = 8 * 2 ** 20
/** How many times what has come is allocated for what is to come. */
const trustedRatio = 16
/** Frames are read into one buffer, so that those that belong together need not be joined, up to this size. */
const partBytes = Math.min(2 ** 30, constants.MAX_LENGTH)
/** The frames of a smaller message are copied out of the chunk: kept, each would keep 64 KiB. */
const worthKeeping = 65_536

/** What precedes the frames of a message: the length of all that follows it, the number of frames, the length of each. */
export function frameHead(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.allocUnsafe(16 + 8 * frames.length)
  let total = 8 + 8 * frames.length
  let at = 16
  for (const { length } of frames) {
    at = writeU64(head, length, at)
    total += length
  }
  writeU64(head, total, 0)
  writeU64(head, frames.length, 8)
  return head
}

/**
 * Cuts a stream of bytes into messages, however the bytes arrive. What `onFrames` is given shares the memory of the chunks
 * that were fed. `feed` throws DASK_PROTOCOL when the peer goes beyond the limits; the stream is then of no more use.
 */
export class FrameReader {
  private readonly reading: Generator<number, never, Buffer>
  private readonly gatherer = new Gatherer()
  private wanted: number

  constructor(onFrames: (frames: Buffer[]) => void, limits: FrameLimits = defaultLimits) {
    this.reading = readMessages(onFrames, limits)
    this.wanted = this.reading.next().value
  }

  feed(chunk: Buffer): void {
    let rest = chunk
    for (;;) {
      const piece = this.gatherer.take(rest, this.wanted)
      if (!piece) return
      rest = rest.subarray(this.gatherer.taken)
      this.wanted = this.reading.next(piece).value
    }
  }
}

/** Yields how many bytes it needs next, and is given just these. */
function* readMessages(onFrames: (frames: Buffer[]) => void, limits: FrameLimits): Generator<number, never, Buffer> {
  for (;;) {
    // The first number is not needed: some senders count all that follows, others only a part.
    const head = yield 16
    const count = readU64(head, 8)
    if (count > limits.maxFrames) throw malformed(`it has ${count} frames, more than ${limits.maxFrames}`)
    const lengths = readLengths(yield 8 * count, count)
    const total = lengths.reduce((sum, length) => sum + length, 0)
    if (!(total <= limits.maxBytes)) throw malformed(`it has ${total} bytes, more than ${limits.maxBytes}`)
    const frames: Buffer[] = []
    while (frames.length < count) {
      const { end, bytes } = partFrom(lengths, frames.length)
      const part = yield bytes
      cut(count > 1 && bytes < worthKeeping ? Buffer.from(part) : part, lengths.slice(frames.length, end), frames)
    }
    onFrames(frames)
  }
}

function readLengths(table: Buffer, count: number): number[] {
  const lengths: number[] = []
  for (let index = 0; index < count; index++) lengths.push(readU64(table, 8 * index))
  return lengths
}

/** How many of the frames that begin at `start` are read into one buffer, and its size. */
function partFrom(lengths: readonly number[], start: number): { readonly end: number; readonly bytes: number } {
  let bytes = lengths[start]!
  if (bytes > constants.MAX_LENGTH) throw malformed(`a frame of it has ${bytes} bytes, more than this Node can hold`)
  let end = start + 1
  while (end < lengths.length && bytes + lengths[end]! <= partBytes) bytes += lengths[end++]!
  return { end, bytes }
}

function cut(part: Buffer, lengths: readonly number[], frames: Buffer[]): void {
  let at = 0
  for (const length of lengths) frames.push(part.subarray(at, (at += length)))
}

/** Puts chunks together. */
class Gatherer {
  /** How much of the last chunk has been used. */
  taken = 0
  private held: Buffer | undefined
  private have = 0

  /** The next `wanted` bytes, as soon as they are there. */
  take(chunk: Buffer, wanted: number): Buffer | undefined {
    if (this.held === undefined && chunk.length >= wanted) {
      this.taken = wanted
      return chunk.subarray(0, wanted)
    }
    if (chunk.length === 0) return undefined
    this.taken = Math.min(chunk.length, wanted - this.have)
    const held = this.room(wanted)
    chunk.copy(held, this.have, 0, this.taken)
    this.have += this.taken
    if (this.have < wanted) return undefined
    this.held = undefined
    this.have = 0
    return held
  }

  // A peer may announce anything: memory follows what has come.
  private room(wanted: number): Buffer {
    const needed = this.have + this.taken
    if (this.held && this.held.length >= needed) return this.held
    const size = Math.min(wanted, Math.max(trustedBytes, needed * trustedRatio))
    const grown = Buffer.allocUnsafeSlow(size)
    this.held?.copy(grown, 0, 0, this.have)
    this.held = grown
    return grown
  }
}

function writeU64(target: Buffer, value: number, at: number): number {
  target.writeUInt32LE(value % 2 ** 32, at)
  return target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

function readU64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 2 ** 32
}
