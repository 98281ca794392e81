import { createHash } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Codec } from '../core/store.js'
import { fileName, makeFolder, namesIn, syncFolder, temporaryName, writeWhole } from './files.js'
import type { ReadText, ValueCodec } from './lines/line-values.js'

// Values that are too large for a line have files of their own, named by the hash of their content. The file of a value
// stands in a pool, for all who have the same, and in the folder of each flow run that needs it, as a hard link. So the
// results of a flow run go with its folder, and what has one link left in the pool is nobody's.

/** What a file of a value is needed by. */
export type ResultOwner =
  /** The folder of a flow run, by its id. */
  | { readonly flowRunId: string }
  /** An entry of the cache, by its key. */
  | { readonly cacheKey: string }

/** The files of values, each for its owner. */
export class ResultFiles {
  readonly #folder: string
  readonly #temporary: () => string
  readonly #sync: boolean

  /** `folder` is that of the store; `sync`: what is written survives the loss of power. */
  constructor(folder: string, sync = false) {
    this.#folder = folder
    this.#temporary = () => join(folder, 'tmp', temporaryName())
    this.#sync = sync
  }

  /** Keeps a text for its owner. Gives its name. Throws what the file system says. */
  write(owner: ResultOwner, text: string): string {
    const bytes = Buffer.from(text)
    const name = createHash('sha256').update(bytes).digest('hex')
    const own = this.#pathFor(owner, name)
    if (sizeOf(own) === bytes.length) return name
    makeFolder(dirname(own))
    if (!this.#linkFromPool(name, bytes, own)) this.#writeNew(name, bytes, own)
    if (this.#sync) syncFolder(dirname(own))
    return name
  }

  /** The text of that name, or why it cannot be read. */
  read(owner: ResultOwner, name: string): ReadText {
    const path = this.#pathFor(owner, name)
    let bytes: Buffer
    try {
      bytes = readFileSync(path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return { why: code === 'ENOENT' ? `its file is missing: ${path}` : `its file cannot be read (${code}): ${path}` }
    }
    const isWhole = createHash('sha256').update(bytes).digest('hex') === name
    return isWhole ? { text: bytes.toString('utf8') } : { why: `its file is damaged: ${path}` }
  }

  /** Removes a text that its owner needs no more. */
  remove(owner: ResultOwner, name: string): void {
    rmSync(this.#pathFor(owner, name), { force: true })
  }

  /** Another link to what is there already, if it is whole. A sweep that takes its name meanwhile leaves our link. */
  #linkFromPool(name: string, bytes: Buffer, own: string): boolean {
    const pooled = this.#poolPath(name)
    if (sizeOf(pooled) !== bytes.length) return false
    try {
      if (!readFileSync(pooled).equals(bytes)) return false
      rmSync(own, { force: true })
      linkSync(pooled, own)
      return true
    } catch {
      return false
    }
  }

  #writeNew(name: string, bytes: Buffer, own: string): void {
    const temporary = this.#temporary()
    writeWhole(temporary, bytes, this.#sync)
    const pooled = this.#poolPath(name)
    try {
      makeFolder(dirname(pooled))
      // In the place of one that is damaged, if there is one.
      const second = this.#temporary()
      linkSync(temporary, second)
      renameSync(second, pooled)
      if (this.#sync) syncFolder(dirname(pooled))
    } catch {
      // No hard links here: then the flow run has the only copy.
    }
    try {
      renameSync(temporary, own)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }

  #pathFor(owner: ResultOwner, name: string): string {
    const folder = 'flowRunId' in owner ? folderOf(this.#folder, owner.flowRunId) : cachedFolder(this.#folder, owner)
    return join(folder, `${name}.json`)
  }

  #poolPath(name: string): string {
    return join(this.#folder, 'results', 'pool', name.slice(0, 2), `${name}.json`)
  }
}

/** The codec, with files for values that are too large for a line. `ownerOf`: what needs the file of a value of a flow run. */
export function codecWithFiles(
  codec: Codec,
  files: ResultFiles,
  limit: number,
  ownerOf: (flowRunId: string) => ResultOwner,
): ValueCodec {
  return {
    encode: (value, limit) => codec.encode(value, limit),
    decode: text => codec.decode(text),
    files: {
      limit,
      write: (flowRunId, text) => files.write(ownerOf(flowRunId), text),
      read: (flowRunId, name) => files.read(ownerOf(flowRunId), name),
    },
  }
}

/** Removes what the results of a flow run have in files. What it shares with others stays theirs. */
export function removeResultsOf(folder: string, flowRunId: string): void {
  rmSync(folderOf(folder, flowRunId), { recursive: true, force: true })
}

/**
 * Removes from the pool what no flow run and no entry of the cache needs any more. Whoever links one of them at the same
 * moment keeps it: it has a name of its own by then, or writes a new one. Gives the bytes that are free now.
 */
export async function sweepResults(folder: string): Promise<number> {
  const pool = join(folder, 'results', 'pool')
  let freed = 0
  for (const shelf of namesIn(pool)) {
    for await (const { name } of await opendir(join(pool, shelf))) {
      const path = join(pool, shelf, name)
      try {
        const { nlink, size } = statSync(path)
        if (nlink > 1) continue
        rmSync(path)
        freed += size
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }
  return freed
}

/** The flow runs that have results in files. */
export function ownersOfResults(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'results', 'of'))
  } catch {
    return []
  }
}

function folderOf(folder: string, flowRunId: string): string {
  return join(folder, 'results', 'of', fileName(flowRunId))
}

function cachedFolder(folder: string, { cacheKey }: { readonly cacheKey: string }): string {
  return join(folder, 'results', 'cached', fileName(cacheKey))
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}
