import type { Group } from './acks.js'
import type { Segment } from './segment.js'

/** Lines that go out in one write, and who waits for them. */
export interface Chunk {
  readonly bytes: Buffer
  group: Group | undefined
}

/** Lines that are in a segment, and perhaps not on the disk. */
export interface Written extends Chunk {
  readonly segment: Segment
  /** Counts the writes, over all segments. */
  readonly number: number
}

/** What has been written, but is not known to be on the disk, in the order of the writes. */
export class Unsynced {
  #written: Written[] = []
  #bytes = 0
  #writes = 0

  /** How many bytes that are: they are kept until the disk has them. */
  get bytes(): number {
    return this.#bytes
  }

  get first(): Written | undefined {
    return this.#written[0]
  }

  get last(): Written | undefined {
    return this.#written.at(-1)
  }

  /** Somebody waits for one of them. */
  get isAwaited(): boolean {
    return this.#written.some(({ group }) => group)
  }

  /** The segments that have some of them. */
  get segments(): Set<Segment> {
    return new Set(this.#written.map(({ segment }) => segment))
  }

  add({ bytes, group }: Chunk, segment: Segment): void {
    this.#written.push({ bytes, group, segment, number: ++this.#writes })
    this.#bytes += bytes.length
  }

  /** Whether some of them are in that segment. */
  isIn(segment: Segment): boolean {
    return this.#written.some(each => each.segment === segment)
  }

  /** The number of the last write into that segment. */
  lastIn(segment: Segment): number {
    return this.#written.findLast(each => each.segment === segment)?.number ?? 0
  }

  /** The disk has everything up to that write. Tells those who waited for it. */
  reached(last: number): void {
    const next = this.#written.findIndex(({ number }) => number > last)
    for (const { bytes, group } of this.#written.splice(0, next < 0 ? this.#written.length : next)) {
      this.#bytes -= bytes.length
      group?.resolve()
    }
  }

  /** Gives them away. */
  take(): Chunk[] {
    const chunks = this.#written.map(({ bytes, group }) => ({ bytes, group }))
    this.#written = []
    this.#bytes = 0
    return chunks
  }
}
