import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileName, namesIn } from './files.js'
import { journalsOf } from './journal/journal-files.js'
import type { KnownRun } from './known-runs.js'
import { parseLine } from './lines/line.js'
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

/** The claims that flow runs have which go: the names of the files of each. To be asked before these runs have gone. */
export function claimsOf(folder: string, going: ReadonlySet<string>): string[][] {
  const claims = [...claimFiles(folder).values()]
  return claims.filter(names => names.every(name => isClaimOf(join(folder, 'claims', name), going)))
}

/**
 * Removes claims whose flow runs have gone: their keys are free again. One that somebody has taken over in the meantime is
 * that of a new run, and stays.
 */
export function removeClaims(folder: string, claims: readonly string[][]): number {
  const present = claimFiles(folder)
  let count = 0
  for (const names of claims) {
    if (present.get(claimKey(names[0]!))?.length !== names.length) continue
    // The newest generation first: an older one is never what is left alone in between.
    for (const name of names) rmSync(join(folder, 'claims', name), { force: true })
    count += 1
  }
  return count
}

/** The files of all claims, by what they are a claim on, the newest generation first. */
function claimFiles(folder: string): Map<string, string[]> {
  const claims = new Map<string, string[]>()
  for (const name of namesIn(join(folder, 'claims'))) {
    const names = claims.get(claimKey(name))
    if (names) names.push(name)
    else claims.set(claimKey(name), [name])
  }
  for (const names of claims.values()) names.sort((a, b) => b.length - a.length || (a < b ? 1 : -1))
  return claims
}

const claimKey = (name: string) => name.slice(0, name.indexOf('.'))

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

/** Whether a claim is that of a flow run which goes: on carrying it out, or on continuing it; or is held by it. */
function isClaimOf(path: string, going: ReadonlySet<string>): boolean {
  try {
    const { key, value } = JSON.parse(textOf(path)) as { key?: unknown; value?: unknown }
    const flowRunId = typeof key === 'string' ? /^(?:flow-run|resume):(.*)$/s.exec(key)?.[1] : undefined
    return (flowRunId !== undefined && going.has(flowRunId)) || (typeof value === 'string' && going.has(value))
  } catch {
    return false
  }
}
