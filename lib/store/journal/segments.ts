import * as nodeFs from 'node:fs'
import { join } from 'node:path'
import { MintakaError } from '../../core/errors.js'
import type { Ack } from '../../core/store.js'
import { namesIn, syncFolder } from '../files.js'
import { seal } from '../lines/seal.js'
import { type Group, newGroup } from './acks.js'
import { journalName, segmentName } from './journal-names.js'
import { type JournalFs, Segment } from './segment.js'
import { isOfTheFile, RemovedError, Trouble, whyAndFix } from './trouble.js'
import { type Chunk, Unsynced } from './unsynced.js'

export interface SegmentsOptions {
  /** Where its segments are. */
  readonly folder: string
  /** Its name, unless there is a journal of this name already; then it is that of a later session. */
  readonly name: string
  /** The line that each segment begins with. */
  readonly header: (journal: string, segment: number) => string
  /** What an acknowledged line survives: the death of this process, or also the loss of power. */
  readonly durability: 'process' | 'power'
  /** How large a segment becomes before the next one begins. Default: 4 MiB. */
  readonly segmentBytes?: number | undefined
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  /** It goes on in another segment than its first. */
  readonly onSegment?: ((journal: string) => void) | undefined
  /** It cannot be written, and why; `over` resolves when it can again, or is closed. */
  readonly onDegraded?: ((reason: string, over: Promise<void>) => void) | undefined
  /** Says of lines that could not be saved which runs they are about; `undefined`: of none. */
  readonly describe?: ((lines: readonly Buffer[]) => string | undefined) | undefined
  readonly fs?: JournalFs | undefined
}

/** Bytes that are kept until the disk has them. More are brought there at once: they must not fill the memory. */
const maxUnsynced = 8 * 1024 * 1024

/** Bytes that wait while nothing can be written, above which what is not a state is dropped. */
const maxHeld = 32 * 1024 * 1024

const defaultSegmentBytes = 4 * 1024 * 1024

/** Room that is made at once where every state is synced, in bytes. */
const roomAhead = 64 * 1024

/**
 * The files of a journal, which follow each other.
 *
 * A write that fails loses nothing: its lines stay in memory, are not acknowledged, and are tried again, in order, until
 * there is room. A file that could not be brought to the disk is left as it is, and what may be missing from it is written
 * once more, into the next: the kernel has dropped those pages, so a second `fsync` would say nothing about them.
 */
export class Segments {
  readonly #options: SegmentsOptions
  readonly #fs: JournalFs
  /** The name of the journal, once it has a file. */
  #name: string | undefined
  #path: string
  #segment: Segment | undefined
  #segments = 0
  /** What has not been written, oldest first. */
  #pending: Chunk[] = []
  #pendingBytes = 0
  readonly #unsynced = new Unsynced()
  /** Nobody has removed the last file, as far as anybody has looked since the last sync. */
  #isSeen = true
  #syncing: Promise<void> | undefined
  #trouble: Trouble | undefined
  #dropped = 0
  #closed = false

  constructor(options: SegmentsOptions) {
    this.#options = options
    this.#fs = options.fs ?? nodeFs
    this.#path = join(options.folder, segmentName(options.name, 1))
  }

  /** Resolves when it can be written again, or is closed; `undefined` while it can be. */
  get degraded(): Promise<void> | undefined {
    this.#trouble?.isAwaited()
    return this.#trouble?.over
  }

  /** Adds lines that are to be written, and who waits for that. */
  add(bytes: Buffer, group: Group | undefined): void {
    this.#pending.push({ bytes, group })
    this.#pendingBytes += bytes.length
    if (group) this.#trouble?.isAwaited()
  }

  /** Writes what waits, unless that fails at present. */
  write(): void {
    if (this.#pending.length > 0 && !this.#trouble) this.#attempt()
  }

  /** When all that was added is safe. */
  acknowledged(): Ack {
    const last = this.#pending.at(-1) ?? (this.#options.durability === 'power' ? this.#unsynced.last : undefined)
    if (last) this.#trouble?.isAwaited()
    return last && (last.group ??= newGroup()).promise
  }

  /** Whether so much waits for being written that what is dispensable is better left out. Counts how often it was. */
  leaveOut(): boolean {
    if (this.#trouble === undefined || this.#pendingBytes < maxHeld) return false
    this.#dropped += 1
    return true
  }

  /** Tries once more what waits, and gives the files back. Rejects with what is lost. */
  async close(): Promise<void> {
    this.#closed = true
    this.#trouble?.stop()
    this.#attempt()
    while (this.#syncing) await this.#syncing
    const failure = this.#trouble?.error
    const lost = this.#giveUp()
    if (!failure || lost.length === 0) return
    const { describe, warn } = this.#options
    const what = describe ? describe(lost) : ''
    if (what === undefined) return warn(`${failure.message} Its runs are saved; only that it is closed is not.`)
    throw new MintakaError('STORE_WRITE_FAILED', `${failure.message} ${what}`, { cause: failure.cause })
  }

  /** Tries once more what waits, without waiting for anything. Throws what fails. */
  leave(): void {
    this.#closed = true
    this.#trouble?.stop()
    this.#write()
    if (this.#options.durability === 'power') this.#syncNow()
    this.#segment?.trim()
  }

  // --- files

  /** Writes all that waits, and has it brought to the disk. */
  #attempt(): void {
    try {
      this.#write()
    } catch (cause) {
      this.#fail(cause)
      return this.#sync()
    }
    if (this.#unsynced.bytes > maxUnsynced && !this.#syncNow()) return
    if (this.#trouble && (!this.#trouble.untilSynced || !this.#unsynced.first)) this.#recover()
    this.#sync()
  }

  #write(): void {
    for (let chunk = this.#pending[0]; chunk; chunk = this.#pending[0]) {
      this.#leaveRemoved()
      const segment = (this.#segment ??= this.#nextSegment())
      const { bytes, failure } = segment.append(chunk.bytes)
      if (bytes > 0) this.#wrote(chunk, bytes, segment)
      if (failure !== undefined && !(segment.hasLines && isOfTheFile(failure))) throw failure
      if (failure !== undefined || segment.size > (this.#options.segmentBytes ?? defaultSegmentBytes))
        this.#endSegment(segment)
    }
  }

  /**
   * Looks for the file once between two syncs: what is acknowledged must be where others can find it. What may not have been
   * on the disk when somebody removed it is written once more. One that closes does not look: who clears a folder away and
   * then closes its store knows it.
   */
  #leaveRemoved(): void {
    const segment = this.#segment
    if (!segment || this.#isSeen || this.#closed) return
    this.#isSeen = true
    if (!segment.isRemoved) return
    this.#takeBack()
    throw new RemovedError()
  }

  #wrote(chunk: Chunk, length: number, segment: Segment): void {
    const { bytes, group } = chunk
    const isWhole = length === bytes.length
    if (isWhole) this.#pending.shift()
    else this.#pending[0] = { bytes: bytes.subarray(length), group }
    this.#pendingBytes -= length
    const waits = isWhole && this.#options.durability === 'power' ? group : undefined
    const part = isWhole ? bytes : bytes.subarray(0, length)
    this.#unsynced.add({ bytes: part, group: waits }, segment)
    if (isWhole && !waits) group?.resolve()
  }

  #nextSegment(): Segment {
    for (let attempt = 1; ; attempt += 1) {
      const name = this.#name ?? journalName(this.#options.name, attempt)
      if (this.#name === undefined && this.#isTaken(name)) continue
      const number = this.#name === undefined ? 1 : this.#segments + attempt
      try {
        const path = join(this.#options.folder, segmentName(name, number))
        const ahead = this.#options.durability === 'power' ? roomAhead : 0
        const segment = new Segment(path, seal(this.#options.header(name, number)), this.#fs, ahead)
        this.#name = name
        this.#segments = number
        if (number > 1) this.#options.onSegment?.(name)
        this.#path = path
        if (this.#options.durability === 'power') syncFolder(this.#options.folder, this.#fs)
        return segment
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 1000) throw error
      }
    }
  }

  /** Whether there are files of a journal of that name. Its first segment may have been folded. */
  #isTaken(name: string): boolean {
    return namesIn(this.#options.folder).some(file => file.startsWith(`${name}.`))
  }

  /** The next line begins another one. The file is given back when it is on the disk. */
  #endSegment(segment: Segment): void {
    if (this.#segment === segment) this.#segment = undefined
    segment.trim() // at once: on a full disk the next one needs that room
    if (!this.#unsynced.isIn(segment)) segment.end()
  }

  // --- the disk

  /** Brings what has been written to the disk: one `fdatasync` at a time, for all that was written before it. */
  #sync(): void {
    const { first } = this.#unsynced
    if (this.#syncing || !first) return
    const { segment } = first
    const last = this.#unsynced.lastIn(segment)
    this.#syncing = new Promise(resolve => {
      segment.sync(failure => {
        this.#syncing = undefined
        if (failure) this.#suspect(segment, failure)
        else this.#synced(segment, last)
        this.#sync()
        resolve()
      })
    })
  }

  /** The same for everything, now. */
  #syncNow(): boolean {
    for (let first = this.#unsynced.first; first; first = this.#unsynced.first) {
      const { segment } = first
      try {
        segment.syncNow()
      } catch (failure) {
        this.#suspect(segment, failure)
        return false
      }
      this.#synced(segment, this.#unsynced.lastIn(segment))
    }
    return true
  }

  /** The disk has everything up to that write, which was into that segment. */
  #synced(segment: Segment, last: number): void {
    this.#isSeen = false
    this.#unsynced.reached(last)
    if (segment !== this.#segment) this.#endSegment(segment)
    if (this.#trouble?.untilSynced && !this.#unsynced.first) this.#syncWorks(this.#trouble)
  }

  /** What has come meanwhile has waited for this. */
  #syncWorks(trouble: Trouble): void {
    trouble.untilSynced = false
    if (this.#pending.length === 0) this.#recover()
    else this.#attempt()
  }

  /** What the disk does not have for certain is written once more, into the next segment. */
  #suspect(segment: Segment, failure: unknown): void {
    if (segment !== this.#segment && !this.#unsynced.isIn(segment)) return // it has been left behind already
    this.#takeBack()
    this.#fail(failure, true)
  }

  /** Leaves the files of all that the disk may not have, and has that wait again. */
  #takeBack(): void {
    const { segments, bytes } = this.#unsynced
    this.#pending.unshift(...this.#unsynced.take())
    this.#pendingBytes += bytes
    if (this.#segment) segments.add(this.#segment)
    for (const each of segments) this.#endSegment(each)
  }

  // --- trouble

  #fail(cause: unknown, untilSynced = false): void {
    const isNew = this.#trouble === undefined
    const trouble = (this.#trouble ??= this.#newTrouble(cause))
    if (untilSynced) trouble.untilSynced = true
    if (isNew && untilSynced) this.#attempt()
    else if (!this.#closed) trouble.tryLater()
  }

  #newTrouble(cause: unknown): Trouble {
    const { folder, warn, onDegraded } = this.#options
    const message = `The journal ${this.#path} could not be written: ${whyAndFix(cause, folder)}`
    const trouble = new Trouble(new MintakaError('STORE_WRITE_FAILED', message, { cause }), () => this.#attempt())
    if (this.#unsynced.isAwaited || this.#pending.some(({ group }) => group)) trouble.isAwaited()
    if (this.#closed) return trouble
    const sofar = cause instanceof RemovedError ? '' : ' Nothing is lost so far.'
    warn(`${message}${sofar} What is to be written waits, and is tried again by itself.`, { cause })
    onDegraded?.(message, trouble.over)
    return trouble
  }

  #recover(): void {
    const dropped = this.#dropped > 0 ? ` ${this.#dropped} lines of logs were left out meanwhile.` : ''
    if (!this.#closed) this.#options.warn(`The journal can be written again, in ${this.#path}.${dropped}`)
    this.#dropped = 0
    this.#trouble?.end()
    this.#trouble = undefined
  }

  /** Gives everything back, and tells those who still wait that it was in vain. */
  #giveUp(): readonly Buffer[] {
    const { segments } = this.#unsynced
    const lost: Chunk[] = [...this.#unsynced.take(), ...this.#pending]
    if (this.#segment) segments.add(this.#segment)
    for (const segment of segments) segment.end()
    this.#segment = undefined
    this.#pending = []
    for (const { group } of lost) group?.reject(this.#trouble?.error as MintakaError)
    this.#trouble?.end()
    return lost.map(({ bytes }) => bytes)
  }
}
