import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MintakaError } from '../core/errors.js'
import type { StoreSurroundings } from '../core/store.js'
import { createFile, namesIn, readIfThere, replaceFile } from './files.js'
import {
  type Catalogue,
  catalogueText,
  checkFormat,
  emptyCatalogue,
  readCatalogue,
  writeCatalogue,
} from './history/catalogue.js'
import { FileWriter } from './history/history-writer.js'
import { format } from './lines/line.js'
import { type Lock, takeLock } from './lock.js'
import { rebuild } from './rebuild.js'

/** How long one who opens a store waits for another one who mends its catalogue. */
const patienceMs = 10_000

/**
 * The catalogue of a store that is opened for writing: made if there is none, brought to the present format if it is of
 * an older one, rebuilt if it is damaged. What was there before is kept. Throws STORE_FORMAT if it is of a newer one.
 */
export async function openCatalogue(
  folder: string,
  warn: StoreSurroundings['warn'],
  temporary: () => string,
): Promise<Catalogue> {
  const path = join(folder, 'catalogue.json')
  const { catalogue, damaged } = readCatalogue(path)
  if (catalogue) checkFormat(path, catalogue)
  if (catalogue?.format === format) return catalogue
  if (!catalogue && !damaged && namesIn(join(folder, 'history')).length === 0) {
    writeFirst(path, temporary)
    return openCatalogue(folder, warn, temporary)
  }
  await withLock(folder, temporary, async () => {
    const now = readCatalogue(path)
    if (now.catalogue?.format === format) return
    if (now.catalogue) migrate(path, now.catalogue, temporary)
    else await rebuildCatalogue(folder, warn, temporary)
  })
  return openCatalogue(folder, warn, temporary)
}

/** Of several who do this at once the first one wins; they would all write the same. */
function writeFirst(path: string, temporary: () => string): void {
  createFile(path, catalogueText(emptyCatalogue()), temporary())
}

function migrate(path: string, catalogue: Catalogue, temporary: () => string): void {
  const old = join(path, '..', `catalogue.format-${catalogue.format}.json`)
  replaceFile(old, readIfThere(path) ?? '', temporary(), true)
  writeCatalogue(path, { ...emptyCatalogue(), ...catalogue, format }, temporary)
}

/** Makes catalogue and indexes anew, from the history and the journals. `lock` must be held. */
export async function rebuildCatalogue(
  folder: string,
  warn: StoreSurroundings['warn'],
  temporary: () => string,
  pause?: () => Promise<void> | undefined,
): Promise<Catalogue> {
  const path = join(folder, 'catalogue.json')
  const text = readIfThere(path)
  const wasSound = readCatalogue(path).catalogue !== undefined
  const { catalogue, indexes, damage } = await rebuild(folder, { pause })
  for (const segment of catalogue.segments) {
    const writer = new FileWriter(join(folder, 'index', `${segment.index}.ndjson`), 0)
    try {
      writer.write(indexes.get(segment.name) ?? Buffer.alloc(0))
      await writer.sync()
    } finally {
      writer.close()
    }
  }
  const kept = new Set(catalogue.segments.map(({ index }) => `${index}.ndjson`))
  for (const name of namesIn(join(folder, 'index')))
    if (!kept.has(name)) catalogue.dropped.push({ file: `index/${name}`, generation: catalogue.generation })
  const rebuilt = 'It has been rebuilt from the history and the journals'
  if (text === undefined) warn(`The catalogue ${path} was missing. ${rebuilt}.`)
  else {
    const copy = join(folder, `catalogue.${wasSound ? 'before' : 'damaged'}-${Date.now()}.json`)
    replaceFile(copy, text, temporary(), true)
    if (!wasSound) warn(`The catalogue ${path} was damaged. ${rebuilt}; what it was is in ${copy}.`)
  }
  for (const { path, offset, bytes } of damage)
    warn(`${bytes} bytes of ${path} at byte ${offset} are damaged and left out.`)
  writeCatalogue(path, catalogue, temporary)
  return catalogue
}

/** Does something with the lock, for which it waits a while. */
export async function withLock<T>(folder: string, temporary: () => string, act: () => Promise<T>): Promise<T> {
  const path = join(folder, 'fold.lock')
  const until = Date.now() + patienceMs
  let lock: Lock
  while (!(lock = takeLock(path, temporary)).held) {
    if (Date.now() > until || lock.advice !== undefined)
      throw new MintakaError(
        'STORE_OPEN_FAILED',
        `The store in ${folder} is locked: ${lock.why}. ${lock.advice ?? 'Try again when it has finished.'}`,
      )
    await sleep(20)
  }
  try {
    return await act()
  } finally {
    lock.release()
  }
}
