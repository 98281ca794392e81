import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileName, namesIn } from './files.js'
import { journalsOf } from './journal-files.js'
import type { KnownRun } from './known-runs.js'
import { parseLine } from './lines.js'
import { ownersOfResults, removeResultsOf, sweepResults } from './result-files.js'

// What belongs to flow runs, and goes with them; and what belongs to nobody any more.

/** How old a file must be that belongs to nobody: what is being made belongs to somebody in a moment. */
const graceMs = 60_000

/** Removes the results of flow runs that have gone, and of those that nobody knows. Gives the bytes that are free now. */
export async function removeResults(
  folder: string,
  going: ReadonlySet<string>,
  runs: ReadonlyMap<string, KnownRun>,
  now: number,
): Promise<number> {
  for (const id of going) removeResultsOf(folder, id)
  const known = new Set(Array.from(runs.keys(), fileName))
  for (const owner of ownersOfResults(folder)) {
    const path = join(folder, 'results', 'of', owner)
    if (!known.has(owner) && isOld(path, now)) rmSync(path, { recursive: true, force: true })
  }
  return sweepResults(folder)
}

/** Removes entries of the cache that have expired, with their files. */
export function removeExpired(folder: string, now: number): number {
  let count = 0
  for (const name of namesIn(join(folder, 'cache'))) {
    const path = join(folder, 'cache', name)
    const until = parseLine(textOf(path).trimEnd())?.fields.until
    if (until === undefined || until > now) continue
    rmSync(path, { force: true })
    rmSync(join(folder, 'results', 'cached', name.replace(/\.json$/, '')), { recursive: true, force: true })
    count += 1
  }
  return count
}

/** Removes the claims that flow runs have which go: their keys are free again. */
export function removeClaims(folder: string, going: ReadonlySet<string>): number {
  const claims = new Map<string, string[]>()
  for (const name of namesIn(join(folder, 'claims'))) {
    const key = name.slice(0, name.indexOf('.'))
    claims.set(key, [...(claims.get(key) ?? []), name])
  }
  let count = 0
  for (const names of claims.values()) {
    // The newest generation first: an older one is never what is left alone in between.
    names.sort((a, b) => b.length - a.length || (a < b ? 1 : -1))
    const values = names.map(name => claimedBy(join(folder, 'claims', name)))
    if (!values.every(value => value !== undefined && going.has(value))) continue
    for (const name of names) rmSync(join(folder, 'claims', name), { force: true })
    count += 1
  }
  return count
}

/** Removes the inboxes of engines that are not there any more. */
export function removeInboxes(folder: string, now: number): number {
  const journals = [...journalsOf(namesIn(join(folder, 'journals'))).keys()]
  let count = 0
  for (const owner of namesIn(join(folder, 'inbox'))) {
    const path = join(folder, 'inbox', owner)
    const isThere = journals.some(
      name => name === owner || name.startsWith(`${owner}-s`) || name.startsWith(`${owner}.`),
    )
    if (isThere || !isOld(path, now)) continue
    rmSync(path, { recursive: true, force: true })
    count += 1
  }
  return count
}

function isOld(path: string, now: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && stat.mtimeMs < now - graceMs
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function claimedBy(path: string): string | undefined {
  try {
    const { value } = JSON.parse(textOf(path)) as { value?: unknown }
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
