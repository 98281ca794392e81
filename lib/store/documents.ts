import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Document, Documents } from '../core/documents.js'
import { asError, MintakaError } from '../core/errors.js'
import { createFile, makeFolder, namesIn, readIfThere, replaceFile, sha256, temporaryName } from './files.js'
import { sweepLock, takeLock } from './lock.js'

/** What a store tells its documents. */
interface Surroundings {
  readonly folder: string
  /** Whether the store is open for writing. */
  readonly isWritable: () => boolean
  readonly warn: (message: string) => void
}

/** Documents in a folder of the store: `documents/<kind>/<hash of the key>.json`, each file whole or not there. */
export class JsonDocuments implements Documents {
  readonly #surroundings: Surroundings
  /** Files that have been warned of: they are read again and again. */
  readonly #damaged = new Set<string>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Takes away what processes that have died held exclusively. */
  sweep(): void {
    for (const name of namesIn(this.#folderOf('locks')))
      if (isLock.test(name)) sweepLock(join(this.#folderOf('locks'), name), () => this.#temporary())
  }

  async put(kind: string, key: string, value: unknown): Promise<void> {
    this.#write(kind, key, path => replaceFile(path, textOf(key, value), this.#temporary(), true))
  }

  async create(kind: string, key: string, value: unknown): Promise<boolean> {
    return this.#write(kind, key, path => createFile(path, textOf(key, value), this.#temporary()))
  }

  async get(kind: string, key: string): Promise<unknown> {
    return this.#read(this.#pathOf(kind, key))?.value
  }

  async list(kind: string): Promise<readonly Document[]> {
    const folder = this.#folderOf(kind)
    const all = namesIn(folder).map(name => this.#read(join(folder, name)))
    return all.filter(each => each !== undefined).sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async remove(kind: string, key: string): Promise<boolean> {
    return this.#write(kind, key, path => {
      if (!statSync(path, { throwIfNoEntry: false })) return false
      rmSync(path, { force: true })
      return true
    })
  }

  async exclusively<T>(name: string, action: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    const lock = this.#write('locks', name, path => takeLock(path, () => this.#temporary()))
    if (!lock.held) return undefined
    try {
      return { value: await action() }
    } finally {
      lock.release()
    }
  }

  #write<T>(kind: string, key: string, write: (path: string) => T): T {
    const what = `'${key}' of ${kind} was not written`
    if (!this.#surroundings.isWritable())
      throw new MintakaError('STORE_WRITE_FAILED', `${what}: the store is not open for writing.`)
    try {
      makeFolder(this.#folderOf(kind))
      return write(this.#pathOf(kind, key))
    } catch (cause) {
      throw new MintakaError('STORE_WRITE_FAILED', `${what}: ${asError(cause).message}`, { cause })
    }
  }

  #read(path: string): Document | undefined {
    const text = readIfThere(path)
    if (text === undefined) return undefined
    try {
      const { key, value } = JSON.parse(text) as Partial<Document>
      if (typeof key === 'string') return { key, value }
    } catch {}
    if (!this.#damaged.has(path))
      this.#surroundings.warn(`${path} is damaged and left out. Remove it if nobody needs it.`)
    this.#damaged.add(path)
    return undefined
  }

  #folderOf(kind: string): string {
    return join(this.#surroundings.folder, 'documents', kind)
  }

  #pathOf(kind: string, key: string): string {
    return join(this.#folderOf(kind), `${sha256(key)}.json`)
  }

  #temporary(): string {
    return join(this.#surroundings.folder, 'tmp', temporaryName())
  }
}

const isLock = /^[0-9a-f]{64}\.json$/

function textOf(key: string, value: unknown): string {
  return `${JSON.stringify({ key, value })}\n`
}
