import { join } from 'node:path'
import type { FinishedJournal } from './crashed.js'
import { namesIn } from './files.js'
import type { Folding } from './folding.js'
import { type Catalogue, emptyCatalogue, readCatalogue, type Segment, writeCatalogue } from './history/catalogue.js'
import { emptySegment, freshName, nextOf, removeOld, writeIndex } from './history/fold.js'
import { History, type HistoryEntry } from './history/history.js'
import { FileWriter } from './history/history-writer.js'
import { type KnownRun, knownRuns, type Limits, mayGo, mustGo } from './known-runs.js'
import { claimsOf, removeClaims, removeExpired, removeInboxes, removeResults } from './leftovers.js'
import { OpenFiles } from './lines/line-bytes.js'
import { withLock } from './open-catalogue.js'

/** What has been removed with flow runs, or would be. */
export interface Removed {
  /** Flow runs, subflow runs included. */
  readonly flowRuns: number
  /** Bytes that are free now: of lines, and of results in files. */
  readonly bytes: number
  /** Idempotency keys, which are free again. */
  readonly claims: number
}

/** What has been removed from a store, or would be. */
export interface Pruned extends Removed {
  /** Entries of the cache that had expired. */
  readonly cacheEntries: number
  /** Inboxes of engines that are gone. */
  readonly inboxes: number
}

/** What a store may let go. With several limits, what one of them keeps stays. */
export interface PruneOptions extends Limits {
  /** Nothing is removed; what would be is told. */
  readonly dryRun?: boolean | undefined
}

export interface PruneSurroundings {
  readonly folder: string
  readonly folding: Folding
  readonly temporary: () => string
  /** Journals to which nothing will be added. */
  readonly finished: readonly FinishedJournal[]
}

type Pause = () => Promise<void> | undefined

/** Which flow runs go, of all that there are. */
type Choose = (runs: ReadonlyMap<string, KnownRun>, now: number) => ReadonlySet<string>

/** Removes flow runs that have ended, with all that belongs to them; and what belongs to nobody any more. */
export async function prune(options: PruneOptions, surroundings: PruneSurroundings): Promise<Pruned> {
  const { folder, temporary } = surroundings
  const choose: Choose = (runs, now) => mayGo(runs, options, now)
  if (options.dryRun) return { ...(await wouldGo(choose, folder)), cacheEntries: 0, inboxes: 0 }
  return withLock(folder, temporary, async () => {
    const now = Date.now()
    const removed = await remove(choose, surroundings, now)
    return { ...removed, cacheEntries: removeExpired(folder, now), inboxes: removeInboxes(folder, now) }
  })
}

/** Removes those flow runs with all that belongs to them, or none if one of them must not go. */
export async function deleteFlowRuns(
  ids: readonly string[],
  surroundings: PruneSurroundings,
  dryRun = false,
): Promise<Removed> {
  const { folder, temporary } = surroundings
  const choose: Choose = runs => mustGo(runs, ids)
  if (dryRun) return wouldGo(choose, folder)
  return withLock(folder, temporary, () => remove(choose, surroundings, Date.now()))
}

async function wouldGo(choose: Choose, folder: string): Promise<Removed> {
  const catalogue = catalogueIn(folder)
  const going = choose(await knownRuns(folder, catalogue), Date.now())
  let bytes = 0
  const history = new History(folder, catalogue, { onDamage: () => {} })
  await history.each(entry => {
    if (going.has(entry.i)) bytes += entry.bytes
  })
  history.rest()
  return { flowRuns: going.size, bytes, claims: 0 }
}

/** The lock must be held. */
async function remove(
  choose: Choose,
  { folder, folding, temporary, finished }: PruneSurroundings,
  now: number,
): Promise<Removed> {
  const before = await folding.foldNow(finished, catalogueIn(folder))
  const runs = await knownRuns(folder, before)
  const going = choose(runs, now)
  const claims = claimsOf(folder, going)
  const after = await removeFromHistory(folder, before, going, folding.pause, temporary)
  await removeReplaced(folder, after, temporary)
  const results = await removeResults(folder, going, runs, now)
  return {
    flowRuns: going.size,
    bytes: sizeOf(before) - sizeOf(after) + results,
    claims: removeClaims(folder, claims),
  }
}

function catalogueIn(folder: string): Catalogue {
  return readCatalogue(join(folder, 'catalogue.json')).catalogue ?? emptyCatalogue()
}

function sizeOf({ segments }: Catalogue): number {
  return segments.reduce((sum, { bytes, indexBytes }) => sum + bytes + indexBytes, 0)
}

/**
 * Writes the files of the history again that hold flow runs which go, without them; each as a new file, so that readers
 * go on with the old one. `lock` must be held. Gives the catalogue that counts then.
 */
export async function removeFromHistory(
  folder: string,
  catalogue: Catalogue,
  going: ReadonlySet<string>,
  pause: Pause,
  temporary: () => string,
): Promise<Catalogue> {
  let current = catalogue
  for (const segment of catalogue.segments) {
    const entries: HistoryEntry[] = []
    let isAffected = false
    const history = new History(folder, { segments: [segment] }, { onDamage: () => {} })
    await history.each(entry => {
      if (going.has(entry.i)) isAffected = true
      else entries.push(entry)
    })
    history.rest()
    if (!isAffected) continue
    const next = nextOf(current, folder)
    const made = await rewritten(folder, segment, entries, freshName(namesOf(folder, current)), pause)
    next.segments = current.segments.flatMap(each => (each.name !== segment.name ? [each] : made ? [made.segment] : []))
    if (current.segments.at(-1)?.name === segment.name) next.mc = made?.mc ?? segment.mc
    const dropped = [`history/${segment.name}.ndjson`, `index/${segment.index}.ndjson`]
    next.dropped.push(...dropped.map(file => ({ file, generation: next.generation })))
    writeCatalogue(join(folder, 'catalogue.json'), next, temporary)
    await removeOld(folder, next)
    current = next
  }
  return current
}

/** Lets what has been replaced go: whoever still reads it begins again. */
export async function removeReplaced(
  folder: string,
  catalogue: Catalogue,
  temporary: () => string,
): Promise<Catalogue> {
  if (catalogue.dropped.length === 0) return catalogue
  const next = nextOf(catalogue, folder)
  writeCatalogue(join(folder, 'catalogue.json'), next, temporary)
  await removeOld(folder, next)
  return next
}

/** Names that are taken: of the catalogue, and of files that wait to be removed. */
function namesOf(folder: string, { segments }: Catalogue): { name: string }[] {
  const files = namesIn(join(folder, 'history')).map(file => ({ name: file.slice(0, -'.ndjson'.length) }))
  return [...segments, ...files]
}

async function rewritten(
  folder: string,
  old: Segment,
  entries: readonly HistoryEntry[],
  name: string,
  pause: Pause,
): Promise<{ segment: Segment; mc: number } | undefined> {
  if (entries.length === 0) return undefined
  const from = join(folder, 'history', `${old.name}.ndjson`)
  const writer = new FileWriter(join(folder, 'history', `${name}.ndjson`), 0)
  const files = new OpenFiles()
  try {
    for (const { at, bytes } of entries)
      for (let done = 0; done < bytes; done += copiedAtOnce) {
        writer.write(files.read(from, at + done, Math.min(copiedAtOnce, bytes - done)))
        await pause()
      }
    await writer.sync()
    return await writeIndex(folder, emptySegment(name, old.mc), writer.position, old.mc, pause)
  } finally {
    files.close()
    writer.close()
  }
}

const copiedAtOnce = 128 * 1024
