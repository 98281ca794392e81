import { join } from 'node:path'
import type { CacheEntry, Codec } from '../core/store.js'
import { readIfThere, replaceFile, sha256, temporaryName } from './files.js'
import { cacheEntryOf, cacheLine, fileOfEntry } from './lines/cache-line.js'
import type { ValueCodec } from './lines/line-values.js'
import { codecWithFiles, type ResultFiles } from './result-files.js'

/** Results by cache key: a small file for each key, replaced as a whole by whoever has a newer result. */
export class Cache {
  readonly #folder: string
  readonly #codec: Codec
  readonly #files: ResultFiles
  readonly #options: { readonly maxResultBytes: number; readonly sync: boolean }

  constructor(
    folder: string,
    codec: Codec,
    files: ResultFiles,
    options: { readonly maxResultBytes: number; readonly sync: boolean },
  ) {
    this.#folder = folder
    this.#codec = codec
    this.#files = files
    this.#options = options
  }

  /** The newest entry. None, if what it says cannot be read any more. */
  get(key: string): CacheEntry | undefined {
    const text = readIfThere(this.#pathOf(key))
    return text === undefined ? undefined : cacheEntryOf(text, this.#codecFor(key))
  }

  /** Keeps an entry unless there is a newer one that is still good; else gives the reason why it cannot be kept. */
  put(key: string, entry: CacheEntry, now: number): string | undefined {
    const path = this.#pathOf(key)
    const before = readIfThere(path)
    const known = before === undefined ? undefined : cacheEntryOf(before, this.#codecFor(key))
    const isGood = known !== undefined && (known.expires === undefined || known.expires > now)
    if (isGood && known.state.timestamp > entry.state.timestamp) return undefined
    const line = cacheLine(key, entry, this.#codecFor(key))
    if (typeof line !== 'string') return line.notPersisted
    replaceFile(path, line, join(this.#folder, 'tmp', temporaryName()), this.#options.sync)
    const file = before === undefined ? undefined : fileOfEntry(before)
    if (file !== undefined && file !== fileOfEntry(line)) this.#files.remove({ cacheKey: sha256(key) }, file)
    return undefined
  }

  /** Large results have files for the entry, whatever becomes of the run that made them. */
  #codecFor(key: string): ValueCodec {
    const owner = { cacheKey: sha256(key) }
    return codecWithFiles(this.#codec, this.#files, this.#options.maxResultBytes, () => owner)
  }

  #pathOf(key: string): string {
    return join(this.#folder, 'cache', `${sha256(key)}.json`)
  }
}
