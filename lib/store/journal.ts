import * as nodeFs from 'node:fs'
import { dirname } from 'node:path'
import { MintakaError } from '../core/errors.js'
import { messageOf } from '../core/state.js'
import type { Ack } from '../core/store.js'

/** What a journal needs of `node:fs`. */
export type JournalFs = Pick<
  typeof nodeFs,
  'openSync' | 'writeSync' | 'fsyncSync' | 'fdatasync' | 'fdatasyncSync' | 'ftruncateSync' | 'closeSync'
>

export interface JournalOptions {
  /** Gives the path of the n-th attempt; the first that does not exist yet is taken, when there is something to write. */
  readonly file: (attempt: number) => string
  /** The first line. */
  readonly header: string
  /** What an acknowledged line survives: the death of this process, or also the loss of power. */
  readonly durability: 'process' | 'power'
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  readonly fs?: JournalFs
}

/** A line that grows until another one follows it or it has to be written. */
export interface OpenLine {
  /** Ends it: its text, with its number and its newline. */
  end(seq: number): string
}

/** Characters that may wait for the end of the turn. More are written at once: a turn of microtasks may never end. */
const maxWaiting = 256 * 1024

/** Those who wait for the same write. */
interface Group {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: MintakaError) => void
}

/**
 * A file of lines that only grows, written in groups: what is appended in one turn of the microtask queue goes out in
 * one `write(2)`, in order. Synchronous, because what the kernel has taken survives whatever happens to this process,
 * and because an asynchronous write starves together with the loop. A line's cost does not depend on how many there are.
 *
 * A write that fails loses nothing: its lines are not acknowledged, wait, and go first into the next write, at the very
 * byte where the last one stopped; so no line is ever glued to the fragment of another.
 */
export class Journal {
  /** How many lines there are, the header included: the sequence number of the next one. */
  lines = 1
  /** The file, once there is one. */
  path: string | undefined
  readonly #options: JournalOptions
  readonly #fs: JournalFs
  #fd: number | undefined
  #text = ''
  /** The last line, if it still grows. */
  #open: OpenLine | undefined
  #scheduled = false
  /** Who waits for what is in `#text`, or in `#open`. */
  #group: Group | undefined
  /** What could not be written, oldest first, and how many bytes of the first one were. */
  #unwritten: Buffer[] = []
  #done = 0
  #position = 0
  #failure: MintakaError | undefined
  #closed = false
  /** Who waits for the disk, in order: nobody but with durability 'power'. */
  #unsynced: Group[] = []
  #dirty = false
  #syncing: Promise<void> | undefined

  constructor(options: JournalOptions) {
    this.#options = options
    this.#fs = options.fs ?? nodeFs
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

  /** Adds a line that has to be written at the end of the turn, and whose text is asked for when it has ended. */
  begin(line: OpenLine): void {
    if (this.#closed) return
    this.#endOpenLine()
    if (this.#text.length > maxWaiting) this.flush()
    this.#endOpenLine() // of somebody who was told of a failure
    this.#open = line
    this.#schedule()
  }

  /** When everything appended so far is safe. Nobody has to listen to it. */
  acknowledged(): Ack {
    if (this.#closed) return refused('the store has been closed')
    if (this.#text !== '' || this.#open) return (this.#group ??= newGroup()).promise
    if (this.#failure) return handled(Promise.reject(this.#failure))
    if (this.#options.durability === 'process' || this.lines === 1) return undefined
    const group = newGroup()
    this.#unsynced.push(group)
    this.#sync()
    return group.promise
  }

  /** Writes what waits. A failure is told to those who wait for an acknowledgement, and here. */
  flush(): MintakaError | undefined {
    this.#endOpenLine()
    const group = this.#group
    this.#group = undefined
    if (this.#text !== '') {
      this.#unwritten.push(Buffer.from(this.#text))
      this.#text = ''
    }
    if (this.#unwritten.length === 0) return undefined
    try {
      this.#write()
    } catch (cause) {
      this.#failed(cause)
      group?.reject(this.#failure!)
      return this.#failure
    }
    this.#failure = undefined
    if (this.#options.durability === 'process') group?.resolve()
    else if (group) this.#unsynced.push(group)
    this.#sync()
    return undefined
  }

  /** Writes what waits, then `lastLine`, and closes the file. Rejects if something could not be saved. */
  async close(lastLine: (seq: number) => string): Promise<void> {
    if (this.#closed) return
    const seq = this.next()
    if (seq > 1) this.append(lastLine(seq))
    this.flush()
    this.#closed = true
    if (this.#failure) {
      const unsaved = this.#unsavedLines()
      this.#release()
      const { message, cause } = this.#failure
      throw new MintakaError('STORE_WRITE_FAILED', `${message} ${unsaved} lines could not be saved.`, { cause })
    }
    while (this.#syncing) await this.#syncing
    this.#release()
  }

  #add(line: string): void {
    if (this.lines === 1) this.#text = this.#options.header
    this.lines += 1
    this.#text += line
  }

  #endOpenLine(): void {
    const line = this.#open
    if (!line) return
    this.#open = undefined
    this.#add(line.end(this.lines))
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

  #write(): void {
    const fd = (this.#fd ??= this.#create())
    for (let bytes = this.#unwritten[0]; bytes; bytes = this.#unwritten[0]) {
      while (this.#done < bytes.length) {
        // A full disk takes a part of it without an error.
        const count = this.#fs.writeSync(fd, bytes, this.#done, bytes.length - this.#done, this.#position)
        if (count === 0) throw new Error('nothing was written')
        this.#done += count
        this.#position += count
      }
      this.#unwritten.shift()
      this.#done = 0
    }
    this.#dirty = true
  }

  #create(): number {
    for (let attempt = 0; ; attempt += 1) {
      const path = this.#options.file(attempt)
      try {
        // Without O_APPEND, which would ignore the position that a write after a failed one must have.
        const fd = this.#fs.openSync(path, 'wx')
        this.path = path
        if (this.#options.durability === 'power') syncFolder(dirname(path), this.#fs)
        return fd
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 1000) throw error
      }
    }
  }

  /** Brings what has been written to the disk, one `fdatasync` at a time for all that was written before it. */
  #sync(): void {
    if (this.#syncing || this.#fd === undefined || (!this.#dirty && this.#unsynced.length === 0)) return
    const groups = this.#unsynced
    this.#unsynced = []
    this.#dirty = false
    const fd = this.#fd
    this.#syncing = new Promise(resolve => {
      this.#fs.fdatasync(fd, cause => {
        if (cause) {
          this.#options.warn(`The journal ${this.path} could not be brought to the disk: ${cause.message}`)
          for (const group of groups) group.reject(this.#error(cause))
        } else for (const group of groups) group.resolve()
        this.#syncing = undefined
        this.#sync()
        resolve()
      })
    })
  }

  #failed(cause: unknown): void {
    const first = this.#failure === undefined
    this.#failure = this.#error(cause)
    if (first) this.#options.warn(this.#failure.message, { cause })
  }

  #error(cause: unknown): MintakaError {
    const path = this.path ?? this.#options.file(0)
    return new MintakaError('STORE_WRITE_FAILED', `The journal ${path} could not be written: ${messageOf(cause)}.`, {
      cause,
    })
  }

  #unsavedLines(): number {
    let count = 0
    for (const [index, bytes] of this.#unwritten.entries())
      for (let at = index === 0 ? this.#done : 0; (at = bytes.indexOf(10, at)) >= 0; at += 1) count += 1
    return count
  }

  #release(): void {
    if (this.#fd === undefined) return
    try {
      // Whole lines only are left behind.
      const [bytes] = this.#unwritten
      if (bytes) this.#fs.ftruncateSync(this.#fd, this.#position - fragment(bytes, this.#done))
    } catch {}
    this.#fs.closeSync(this.#fd)
    this.#fd = undefined
  }
}

/** How many of the first `done` bytes come after the last newline among them. */
function fragment(bytes: Buffer, done: number): number {
  return done - 1 - bytes.subarray(0, done).lastIndexOf(10)
}

function newGroup(): Group {
  let resolve!: () => void
  let reject!: (error: MintakaError) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise: handled(promise), resolve, reject }
}

/** The same promise, whose rejection is nobody's surprise: not everyone waits for an acknowledgement. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {})
  return promise
}

export function refused(why: string): Promise<void> {
  return handled(Promise.reject(new MintakaError('STORE_WRITE_FAILED', `Nothing was written: ${why}.`)))
}

/** Makes new names in a folder survive the loss of power. Not every system can open a folder; the others need not. */
export function syncFolder(folder: string, fs: Pick<JournalFs, 'openSync' | 'fsyncSync' | 'closeSync'> = nodeFs): void {
  let fd: number
  try {
    fd = fs.openSync(folder, 'r')
  } catch {
    return
  }
  try {
    fs.fsyncSync(fd)
  } catch {
  } finally {
    fs.closeSync(fd)
  }
}
