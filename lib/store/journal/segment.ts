import type * as nodeFs from 'node:fs'

/** What a journal needs of `node:fs`. */
export type JournalFs = Pick<
  typeof nodeFs,
  | 'openSync'
  | 'writeSync'
  | 'fsyncSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'ftruncateSync'
  | 'fstatSync'
  | 'closeSync'
  | 'existsSync'
  | 'unlinkSync'
>

/** How far an append has come. */
export interface Appended {
  /** Bytes of whole lines that are there now. */
  readonly bytes: number
  /** Why that is not all of them. */
  readonly failure?: unknown
}

/**
 * One file of a journal: its header twice, then lines, of which it holds whole ones only. What a write could not finish
 * is cut off again, so that no line is ever glued to the fragment of another.
 */
export class Segment {
  readonly path: string
  /** The end of its last whole line. */
  size = 0
  /** Where the room ends that has been made in front of the lines: zeros, which are no line and are cut off at the end. */
  #reserved = 0
  #ahead: number
  readonly #fs: JournalFs
  readonly #header: Buffer
  readonly #fd: number
  /**
   * The same file, opened once more. The kernel tells a failed write-back once to each opening: so an answer on this one
   * is good, whatever the other one was told meanwhile.
   */
  readonly #other: number
  #syncing = false
  #ended = false

  /**
   * Makes the file. Throws what `node:fs` throws: EEXIST if somebody else has made it. `ahead`: how many bytes of room are
   * made at once. A sync that follows each line has less to do then: the file does not grow with every one.
   */
  constructor(path: string, header: string, fs: JournalFs, ahead = 0) {
    this.path = path
    this.#ahead = ahead
    this.#fs = fs
    this.#header = Buffer.from(header + header)
    // Without O_APPEND, which would ignore the position that a write after a failed one must have.
    this.#fd = fs.openSync(path, 'wx')
    try {
      this.#other = fs.openSync(path, 'r+')
    } catch (error) {
      fs.closeSync(this.#fd)
      fs.unlinkSync(path)
      throw error
    }
  }

  /** Whether there is anything but headers in it. */
  get hasLines(): boolean {
    return this.size > this.#header.length
  }

  /** Whether somebody has removed it: what is written into it is gone when this process ends. */
  get isRemoved(): boolean {
    // Not every file system counts links.
    return this.#fs.fstatSync(this.#fd).nlink === 0 && !this.#fs.existsSync(this.path)
  }

  /** Writes lines at its end. */
  append(lines: Buffer): Appended {
    const begins = this.size === 0
    const bytes = begins ? Buffer.concat([this.#header, lines]) : lines
    const { done, failure } = this.#write(bytes)
    const skipped = begins ? this.#header.length : 0
    if (failure === undefined) {
      this.size += bytes.length
      if (this.size > this.#reserved && this.#ahead > 0) this.#reserve()
      return { bytes: lines.length }
    }
    const whole = bytes.subarray(0, done).lastIndexOf(10) + 1
    if (whole >= skipped) this.size += whole
    this.#cut()
    return { bytes: Math.max(0, whole - skipped), failure }
  }

  #write(bytes: Buffer): { done: number; failure?: unknown } {
    let done = 0
    try {
      while (done < bytes.length) {
        // A full disk takes a part of it without an error.
        const count = this.#fs.writeSync(this.#fd, bytes, done, bytes.length - done, this.size + done)
        if (count === 0) throw new Error('nothing was written')
        done += count
      }
    } catch (failure) {
      return { done, failure }
    }
    return { done }
  }

  #reserve(): void {
    try {
      this.#reserved = this.size + this.#fs.writeSync(this.#fd, Buffer.alloc(this.#ahead), 0, this.#ahead, this.size)
    } catch {
      this.#ahead = 0 // there is no room to be had; lines need less of it
      this.#cut()
    }
  }

  /** Gives the room back that has not been used. */
  trim(): void {
    if (this.#reserved > this.size) this.#cut()
  }

  #cut(): void {
    this.#reserved = 0
    try {
      this.#fs.ftruncateSync(this.#fd, this.size)
    } catch {
      // The next write goes there all the same, and readers pass over what follows the last newline.
    }
  }

  /** Brings it to the disk without waiting for that. One at a time. */
  sync(done: (failure: Error | null) => void): void {
    this.#syncing = true
    this.#fs.fdatasync(this.#fd, failure => {
      this.#syncing = false
      if (this.#ended) this.#close()
      done(failure)
    })
  }

  /** Brings it to the disk now. Throws if that fails. */
  syncNow(): void {
    this.#fs.fdatasyncSync(this.#other)
  }

  /** Gives the file back. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#syncing) this.#close()
  }

  #close(): void {
    this.trim()
    for (const fd of [this.#fd, this.#other]) {
      try {
        this.#fs.closeSync(fd)
      } catch {
        // What a close may have to say, a sync has said before.
      }
    }
  }
}
