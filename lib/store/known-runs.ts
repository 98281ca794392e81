import { join } from 'node:path'
import { MintakaError } from '../core/errors.js'
import { isTerminal, type StateType } from '../core/state.js'
import { namesIn } from './files.js'
import type { Catalogue } from './history/catalogue.js'
import { History } from './history/history.js'
import { journalsOf } from './journal/journal-files.js'
import { JournalReader } from './journal/journal-reader.js'
import { headerOf, isClosed } from './journal/journal-state.js'

/** As much of a flow run as is needed to decide whether it may go. */
export interface KnownRun {
  readonly created: number
  /** When it entered its last state. */
  readonly since: number
  readonly hasEnded: boolean
  readonly parent: string | undefined
  /** It stands in the history, or in a journal to which nothing will be added. */
  readonly isFinal: boolean
}

/** Every flow run of a store, by id. */
export async function knownRuns(folder: string, catalogue: Catalogue): Promise<Map<string, KnownRun>> {
  const runs = new Map<string, KnownRun>()
  const path = join(folder, 'journals')
  for (const files of journalsOf(namesIn(path)).values()) {
    const its = catalogue.folded.filter(({ journal }) => journal === files.name)
    const created = its.length === 0 ? 0 : ((await headerOf(path, files))?.created ?? 0)
    const same = its.filter(each => each.created === created)
    if (same.some(({ upTo }) => upTo === undefined)) continue
    const reader = new JournalReader(path, files.name, Math.max(0, ...same.map(({ upTo }) => upTo ?? 0)))
    await reader.refresh(files)
    const isFinal = files.ended !== undefined || isClosed(path, files)
    for (const { run, isStray } of reader.flowRuns.values()) {
      if (isStray) continue
      const { created, state, parentFlowRunId } = run
      const hasEnded = isTerminal(state)
      runs.set(run.id, { created, since: state.timestamp, hasEnded, parent: parentFlowRunId, isFinal })
    }
  }
  const history = new History(folder, catalogue, { onDamage: () => {} })
  await history.each(({ i, created, since, type, parent, late }) => {
    if (!late) runs.set(i, { created, since, hasEnded: ended.has(type), parent, isFinal: true })
  })
  history.rest()
  return runs
}

const ended: ReadonlySet<StateType> = new Set(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'])

/** What {@link mayGo} is asked to keep. */
export interface Limits {
  /** So many of the newest top-level flow runs stay. */
  readonly keep?: number | undefined
  /** What has ended less than so many milliseconds ago stays. */
  readonly olderThanMs?: number | undefined
}

/**
 * The flow runs that may go, with all their subflow runs: top-level runs that have ended, and all below them. Those that
 * are newer than a limit stay; with two limits, what one of them keeps stays. Pure.
 */
export function mayGo(runs: ReadonlyMap<string, KnownRun>, { keep, olderThanMs }: Limits, now: number): Set<string> {
  const { tops, children } = familiesOf(runs)
  const ended = tops.filter(([, run]) => run.hasEnded).sort(([, a], [, b]) => b.created - a.created)
  const going = new Set<string>()
  for (const [index, [id, run]] of ended.entries()) {
    if (keep !== undefined && index < keep) continue
    if (olderThanMs !== undefined && run.since > now - olderThanMs) continue
    const all = withAllBelow(id, children)
    if (all.every(each => runs.get(each)?.hasEnded && runs.get(each)?.isFinal)) for (const each of all) going.add(each)
  }
  return going
}

/**
 * Those flow runs with all their subflow runs. Throws NOT_FOUND for one that is not there, and NOT_DELETABLE for one that must
 * not go. Pure.
 */
export function mustGo(runs: ReadonlyMap<string, KnownRun>, ids: readonly string[]): Set<string> {
  const { children } = familiesOf(runs)
  const going = new Set<string>()
  for (const id of ids) {
    const run = runs.get(id)
    if (!run) throw new MintakaError('NOT_FOUND', `There is no flow run '${id}' in the store.`, { run: id })
    if (run.parent !== undefined && runs.has(run.parent))
      throw notDeletable(id, `it is part of flow run '${run.parent}': delete that one`)
    for (const each of withAllBelow(id, children)) {
      const its = each === id ? 'it' : `its subflow run '${each}'`
      if (!runs.get(each)?.hasEnded) throw notDeletable(id, `${its} has not ended`)
      if (!runs.get(each)?.isFinal)
        throw notDeletable(id, `the process that carried ${its} out goes on, and may still write about it`)
      going.add(each)
    }
  }
  return going
}

function notDeletable(run: string, why: string): MintakaError {
  return new MintakaError('NOT_DELETABLE', `Flow run '${run}' cannot be deleted: ${why}.`, { run })
}

/** Top-level flow runs, and the subflow runs of each flow run. */
function familiesOf(runs: ReadonlyMap<string, KnownRun>) {
  const children = new Map<string, string[]>()
  const tops: (readonly [id: string, run: KnownRun])[] = []
  for (const [id, run] of runs) {
    // A parent that is not there any more has left its children to themselves.
    if (run.parent === undefined || !runs.has(run.parent)) tops.push([id, run])
    else children.set(run.parent, [...(children.get(run.parent) ?? []), id])
  }
  return { tops, children }
}

function withAllBelow(id: string, children: ReadonlyMap<string, readonly string[]>): string[] {
  const all = [id]
  for (let index = 0; index < all.length; index += 1) all.push(...(children.get(all[index]!) ?? []))
  return all
}
