import type { Occurrences } from './schedules/occurrences.js'

/** What happens to an occurrence that is due while a run of its deployment has not ended. */
export type OverlapPolicy = 'allow' | 'skip' | 'queue'

/** Which of the occurrences that nobody was there to start are made up for. */
export type CatchUpPolicy = 'none' | 'last' | 'all'

/** How a deployment stands when it is looked at. Times are epoch milliseconds. */
export interface Standing {
  readonly now: number
  readonly occurrences: Occurrences
  readonly overlap: OverlapPolicy
  readonly catchUp: CatchUpPolicy
  /** An occurrence that is older than this when it is first looked at has been missed. */
  readonly lateAfterMs: number
  /** Every occurrence up to this time, and on it, has been decided. */
  readonly decidedUntil: number
  /** How many of its runs have begun and not ended. */
  readonly running: number
  /** Those that wait for others to end, the earliest first. */
  readonly queued: readonly number[]
}

export interface Decision {
  /** When it was due. */
  readonly at: number
  /** `missed`: it is over, and not made up for. `skip`: another one is running. `queue`: it waits for that one. */
  readonly type: 'start' | 'queue' | 'skip' | 'missed'
}

/** The most occurrences that are decided at once; what is left is decided right after. */
export const mostAtOnce = 100

/**
 * What is to be done about the occurrences of a deployment that are due. A pure function: whoever carries it out claims
 * each occurrence first, so that of several who decide the same one does it.
 */
export function decide(standing: Standing): { readonly decisions: readonly Decision[]; readonly decidedUntil: number } {
  const { queued, decidedUntil } = standing
  const due = dueOf(standing)
  const missed = missedOf(due, standing)
  const decisions: Decision[] = []
  let running = standing.running
  let waiting = queued.length
  for (const at of queued) {
    if (running > 0) break
    decisions.push({ at, type: 'start' })
    running += 1
    waiting -= 1
  }
  for (const at of due) {
    const type = missed.has(at) ? 'missed' : whenDue(standing.overlap, running + waiting)
    decisions.push({ at, type })
    if (type === 'start') running += 1
    if (type === 'queue') waiting += 1
  }
  return { decisions, decidedUntil: due.at(-1) ?? decidedUntil }
}

/** The first occurrence after all that has been decided; `undefined`: there is none. */
export function nextDue({ occurrences, decidedUntil }: Pick<Standing, 'occurrences' | 'decidedUntil'>): number | undefined {
  for (const at of occurrences.from(decidedUntil + 1)) return at
  return undefined
}

function dueOf({ occurrences, decidedUntil, now, catchUp, lateAfterMs }: Standing): readonly number[] {
  const due: number[] = []
  // Of thousands that were missed only those are looked at of which one may be wanted.
  const from = catchUp === 'none' ? Math.max(decidedUntil, now - lateAfterMs) + (decidedUntil < now - lateAfterMs ? 0 : 1) : decidedUntil + 1
  for (const at of occurrences.from(from)) {
    if (at > now) break
    due.push(at)
    if (catchUp === 'last' && due.length > 2 * mostAtOnce) due.splice(0, mostAtOnce)
    if (catchUp !== 'last' && due.length === mostAtOnce) break
  }
  return due
}

function missedOf(due: readonly number[], { catchUp, now, lateAfterMs }: Standing): ReadonlySet<number> {
  const missed = due.filter(at => at < now - lateAfterMs)
  if (catchUp === 'all') return new Set()
  // If something else is due right now, that makes up for those before.
  if (catchUp === 'last' && missed.length === due.length) missed.pop()
  return new Set(missed)
}

function whenDue(overlap: OverlapPolicy, others: number): Decision['type'] {
  return others === 0 || overlap === 'allow' ? 'start' : overlap
}
