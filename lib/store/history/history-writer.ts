import { closeSync, fsync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder, syncFolder } from '../files.js'

const bufferBytes = 256 * 1024

/** Writes a file from some byte on, whatever an earlier attempt has left there. */
export class FileWriter {
  readonly path: string
  /** Where the next byte goes. */
  position: number
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafe(bufferBytes)
  #held = 0
  #isNew: boolean

  constructor(path: string, from: number) {
    makeFolder(dirname(path))
    this.path = path
    this.position = from
    this.#isNew = from === 0
    this.#fd = openSync(path, from === 0 ? 'w' : 'r+')
    ftruncateSync(this.#fd, from)
  }

  write(bytes: Buffer): void {
    if (this.#held + bytes.length > bufferBytes) this.flush()
    if (bytes.length > bufferBytes) this.#out(bytes)
    else this.#held += bytes.copy(this.#buffer, this.#held)
    this.position += bytes.length
  }

  flush(): void {
    this.#out(this.#buffer.subarray(0, this.#held))
    this.#held = 0
  }

  #out(bytes: Buffer): void {
    let at = this.position - this.#held
    for (let done = 0; done < bytes.length; ) {
      const count = writeSync(this.#fd, bytes, done, bytes.length - done, at)
      if (count === 0) throw new Error('nothing was written')
      done += count
      at += count
    }
  }

  /** Brings all of it to the disk. */
  async sync(): Promise<void> {
    this.flush()
    await new Promise<void>((resolve, reject) => fsync(this.#fd, error => (error ? reject(error) : resolve())))
    if (this.#isNew) syncFolder(dirname(this.path))
    this.#isNew = false
  }

  close(): void {
    closeSync(this.#fd)
  }
}
