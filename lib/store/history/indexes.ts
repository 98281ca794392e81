import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { quoted } from '../lines/line.js'
import { OpenFiles } from '../lines/line-bytes.js'
import type { RawLine } from '../lines/scan.js'
import { unseal } from '../lines/seal.js'
import type { Damage } from '../lines/whole-lines.js'
import type { Segment } from './catalogue.js'
import { type IndexEntry, indexEntry, indexLinesOf } from './history-index.js'
import { Moved } from './moved.js'

export interface IndexesOptions {
  readonly onDamage: (damage: Damage) => void
  /** Whether the catalogue is still the one that the segments are from. */
  readonly isCurrent: () => boolean
  /** Indexes whose every line has been found whole, for all who read them one after the other. */
  readonly checked: Set<string>
  /** Indexes that are in no file, by the name of their segment. */
  readonly indexes: ReadonlyMap<string, Buffer> | undefined
}

const pieceBytes = 1024 * 1024

/**
 * The indexes of the history, which are searched as bytes and of which nothing is kept in memory. One that is damaged is
 * made anew from its file of the history, and read once more.
 */
export class Indexes {
  readonly #folder: string
  readonly #onDamage: (damage: Damage) => void
  readonly #isCurrent: () => boolean
  readonly #checked: Set<string>
  /** Indexes that were damaged, as their history says they should be. */
  readonly #mended: Map<string, Buffer>
  readonly #files = new OpenFiles()

  /** `folder` is that of the store. */
  constructor(folder: string, options: IndexesOptions) {
    this.#folder = folder
    this.#onDamage = options.onDamage
    this.#isCurrent = options.isCurrent
    this.#checked = options.checked
    this.#mended = new Map(options.indexes)
  }

  /** Gives back the files that it holds open. It can be asked on. */
  rest(): void {
    this.#files.close()
  }

  /** Whether one of them was damaged. */
  get anyMended(): boolean {
    return this.#mended.size > 0
  }

  /** What an index says of a flow run: of its section, and of those with what came later. */
  find(segment: Segment, id: string): Promise<IndexEntry[]> {
    const needle = Buffer.from(`{"i":${quoted(id)},`)
    return this.#retried(segment, () => this.#search(segment, needle))
  }

  /**
   * Gives the lines of an index from its end on, until `onLine` gives `false`; whether it never did. `onAgain`: what has
   * been given does not count, it begins once more.
   */
  backwards(segment: Segment, onLine: (line: RawLine) => boolean, onAgain = () => {}): Promise<boolean> {
    let isAgain = false
    return this.#retried(segment, () => {
      if (isAgain) onAgain()
      isAgain = true
      return this.#backwards(segment, onLine)
    })
  }

  /** Whether every line of it has been found whole. */
  isChecked(segment: Segment): boolean {
    return this.#checked.has(keyOf(segment))
  }

  /** Looks at every line of an index, once. */
  async check(segment: Segment): Promise<void> {
    if (this.isChecked(segment)) return
    await this.backwards(segment, line => {
      if (!unseal(line)) throw new DamagedIndex(segment)
      return true
    })
    this.#checked.add(keyOf(segment))
  }

  async #search(segment: Segment, needle: Buffer): Promise<IndexEntry[]> {
    const found: IndexEntry[] = []
    const { indexBytes } = this.#sizeOf(segment)
    for (let from = 0; from < indexBytes; from += pieceBytes) {
      // Pieces overlap, so that no needle is cut.
      const piece = this.#read(segment, from, Math.min(pieceBytes + needle.length, indexBytes - from))
      for (let at = -1; (at = piece.indexOf(needle, at + 1)) >= 0; ) {
        const isBeginning = at > 0 ? piece[at - 1] === 10 : from === 0 || this.#read(segment, from - 1, 1)[0] === 10
        if (isBeginning && at < pieceBytes) found.push(this.#entryAt(segment, from + at))
      }
      if (from % (8 * pieceBytes) === 0) await nextTurn()
    }
    return found
  }

  #entryAt(segment: Segment, offset: number): IndexEntry {
    const { indexBytes } = this.#sizeOf(segment)
    for (let length = 4096; ; length *= 8) {
      const bytes = this.#read(segment, offset, Math.min(length, indexBytes - offset))
      const end = bytes.indexOf(10)
      if (end >= 0) return entryOf(segment, { bytes, start: 0, end, offset })
      if (length > indexBytes - offset) throw new DamagedIndex(segment)
    }
  }

  async #backwards(segment: Segment, onLine: (line: RawLine) => boolean): Promise<boolean> {
    const { indexBytes } = this.#sizeOf(segment)
    let end = indexBytes
    for (let size = 64 * 1024; end > 0; ) {
      const from = Math.max(0, end - size)
      const piece = this.#read(segment, from, end - from)
      let lineEnd = piece.length - 1 // its newline
      if (piece[lineEnd] !== 10) throw new DamagedIndex(segment)
      for (;;) {
        const before = lineEnd === 0 ? -1 : piece.lastIndexOf(10, lineEnd - 1)
        if (before < 0 && from > 0) break
        if (!onLine({ bytes: piece, start: before + 1, end: lineEnd, offset: from + before + 1 })) return false
        if (before < 0) return true
        lineEnd = before
      }
      // The line that was cut comes with the next piece.
      const next = from + lineEnd + 1
      size = next === end ? size * 8 : pieceBytes
      end = next
      await nextTurn()
    }
    return true
  }

  /** Calls `read`, and once more with an index made anew if that there is damaged. */
  async #retried<T>(segment: Segment, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof DamagedIndex)) throw error
      await this.#mend(segment)
      return read()
    }
  }

  /** Makes an index anew in memory: readers change nothing. Whoever folds next writes it. */
  async #mend(segment: Segment): Promise<void> {
    if (!this.#isCurrent()) throw new Moved()
    const path = historyPath(this.#folder, segment)
    const lines: Buffer[] = []
    const options = { from: 0, until: segment.bytes, mc: segment.mc }
    if (isThere(path)) await indexLinesOf(path, options, line => lines.push(line))
    this.#mended.set(segment.name, Buffer.concat(lines))
    this.#onDamage({ path: this.#indexPath(segment), offset: 0, bytes: segment.indexBytes })
  }

  #sizeOf(segment: Segment): { indexBytes: number } {
    const mended = this.#mended.get(segment.name)
    return { indexBytes: mended ? mended.length : segment.indexBytes }
  }

  #read(segment: Segment, offset: number, length: number): Buffer {
    const mended = this.#mended.get(segment.name)
    // A copy, because who takes the seal off a line writes into it.
    if (mended) return Buffer.from(mended.subarray(offset, offset + length))
    try {
      const bytes = this.#files.read(this.#indexPath(segment), offset, length)
      if (bytes.length === length) return bytes
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    throw new DamagedIndex(segment)
  }

  #indexPath({ index }: Segment): string {
    return join(this.#folder, 'index', `${index}.ndjson`)
  }
}

/** What a line of an index says. One that is damaged has the index made anew. */
export function entryOf(segment: Segment, raw: RawLine): IndexEntry {
  const line = unseal(raw)
  if (!line) throw new DamagedIndex(segment)
  return indexEntry(line)
}

/** The file of the history that a segment is of. */
export function historyPath(folder: string, { name }: Segment): string {
  return join(folder, 'history', `${name}.ndjson`)
}

/** Whether there is a file. */
export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

const keyOf = ({ index, indexBytes }: Segment) => `${index}:${indexBytes}`

class DamagedIndex extends Error {
  constructor(segment: Segment) {
    super(`The index ${segment.index} is damaged.`)
  }
}
