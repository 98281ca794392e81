import type { Ack } from '../../core/store.js'
import { seal } from '../lines/seal.js'
import { type Group, newGroup, refused } from './acks.js'
import { Segments, type SegmentsOptions } from './segments.js'

export type JournalOptions = SegmentsOptions

/** A line that grows until another one follows it or it has to be written. */
export interface OpenLine {
  /** Ends it: its text, with its number and its newline. */
  end(seq: number): string
}

/** Characters that may wait for the end of the turn. More are written at once: a turn of microtasks may never end. */
const maxWaiting = 256 * 1024

/**
 * Lines that only grow in number, written in groups: what is appended in one turn of the microtask queue goes out in one
 * `write(2)`, in order. Synchronous, because what the kernel has taken survives whatever happens to this process, and
 * because an asynchronous write starves together with the loop. A line's cost does not depend on how many there are.
 * Where they go, and what happens if they cannot, is a matter of {@link Segments}.
 */
export class Journal {
  /** How many lines there are, and one: the sequence number of the next one. */
  lines = 1
  readonly #segments: Segments
  #text = ''
  /** The last line, if it still grows. */
  #open: OpenLine | undefined
  #scheduled = false
  /** Who waits for what is in `#text`, or in `#open`. */
  #group: Group | undefined
  #closed = false

  constructor(options: JournalOptions) {
    this.#segments = new Segments(options)
  }

  /** Resolves when it can be written again, or is closed; `undefined` while it can be. Who asks waits: the process stays alive. */
  get degraded(): Promise<void> | undefined {
    return this.#segments.degraded
  }

  /** The sequence number of the line that follows. A line that still grew has ended. */
  next(): number {
    this.#endOpenLine()
    return this.lines
  }

  /** Adds a line, which ends with its newline. */
  append(line: string): void {
    if (this.#closed) return
    this.#endOpenLine()
    this.#add(line)
    if (this.#text.length > maxWaiting) this.flush()
    else this.#schedule()
  }

  /** Whether so much waits for being written that what is dispensable is better left out. Counts how often it was. */
  leaveOut(): boolean {
    return this.#segments.leaveOut()
  }

  /** Adds a line that has to be written at the end of the turn, and whose text is asked for when it has ended. */
  begin(line: OpenLine): void {
    if (this.#closed) return
    this.#endOpenLine()
    if (this.#text.length > maxWaiting) this.flush()
    this.#endOpenLine() // of somebody who was told that a write has failed
    this.#open = line
    this.#schedule()
  }

  /** When everything appended so far is safe. Nobody has to listen to it. */
  acknowledged(): Ack {
    if (this.#closed) return refused('the store has been closed')
    if (this.#text !== '' || this.#open) return (this.#group ??= newGroup()).promise
    return this.#segments.acknowledged()
  }

  /** Writes what waits, unless that fails at present. */
  flush(): void {
    this.#takeText()
    this.#segments.write()
  }

  /**
   * Writes what waits, then `lastLine`, and gives the files back. What cannot be written is tried once more; then those
   * who wait for it are told, and it rejects with what is lost.
   */
  async close(lastLine: (seq: number) => string): Promise<void> {
    if (this.#closed) return
    const seq = this.next()
    if (seq > 1) this.append(lastLine(seq))
    this.#takeText()
    this.#closed = true
    await this.#segments.close()
  }

  /** The same at once, as far as it can be. */
  leave(lastLine: (seq: number) => string): void {
    if (this.#closed) return
    const seq = this.next()
    if (seq > 1) this.append(lastLine(seq))
    this.#takeText()
    this.#closed = true
    this.#segments.leave()
  }

  #add(line: string): void {
    this.lines += 1
    this.#text += seal(line)
  }

  #endOpenLine(): void {
    const line = this.#open
    if (!line) return
    this.#open = undefined
    this.#add(line.end(this.lines))
  }

  #takeText(): void {
    this.#endOpenLine()
    if (this.#text === '') return
    this.#segments.add(Buffer.from(this.#text), this.#group)
    this.#text = ''
    this.#group = undefined
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // Not setImmediate: a flow that awaits nothing but promises would never come to it.
    process.nextTick(this.#endOfTurn)
  }

  readonly #endOfTurn = (): void => {
    this.#scheduled = false
    this.flush()
  }
}
