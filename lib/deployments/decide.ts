import type { Occurrences } from './schedules/occurrences.js'

/** What becomes of an occurrence that is due while another run of its deployment has not ended. */
export type OverlapPolicy = 'allow' | 'skip' | 'queue'

/** Which of the occurrences that nobody was there to start are made up for. */
export type CatchUpPolicy = 'none' | 'last' | 'all'

/** How a deployment stands when somebody looks at it. Times are epoch milliseconds. */
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
  /** `queue`: it waits until no other run of the deployment is running. `skip`: it is left out because one is. */
  readonly type: 'start' | 'queue' | 'skip'
}

export interface Decisions {
  readonly decisions: readonly Decision[]
  /** Those that are not made up for, of this look. */
  readonly missed: { readonly count: number; readonly first: number; readonly last: number } | undefined
  /** What follows has to be decided yet; if that is before now, right after this. */
  readonly decidedUntil: number
}

/** The most occurrences that one look decides. */
const mostAtOnce = 100

/**
 * What is to be done about the occurrences of a deployment that are due. A pure function: whoever carries it out claims
 * each occurrence first, so that of several who decide alike one does it.
 */
export function decide(standing: Standing): Decisions {
  const due = dueOf(standing)
  const wanted = wantedOf(due, standing)
  const missed = due.slice(0, due.length - wanted.length)
  const decisions: Decision[] = []
  let others = standing.running
  const start = (at: number) => {
    decisions.push({ at, type: 'start' })
    others += 1
  }
  const [next, ...waiting] = standing.queued
  if (next !== undefined && others === 0) start(next)
  else others += next === undefined ? 0 : 1
  others += waiting.length
  for (const at of wanted) {
    if (others === 0 || standing.overlap === 'allow') start(at)
    else {
      decisions.push({ at, type: standing.overlap })
      if (standing.overlap === 'queue') others += 1
    }
  }
  const [first, last] = [missed[0], missed.at(-1)]
  return {
    decisions,
    missed: first === undefined || last === undefined ? undefined : { count: missed.length, first, last },
    decidedUntil: due.at(-1) ?? standing.decidedUntil,
  }
}

/** The first occurrence that has not been decided; `undefined`: there is none. */
export function nextDue(standing: Pick<Standing, 'occurrences' | 'decidedUntil'>): number | undefined {
  for (const at of standing.occurrences.from(standing.decidedUntil + 1)) return at
  return undefined
}

/** Those that are due, the earliest first. A month of missed seconds is not decided in one look. */
function dueOf({ occurrences, decidedUntil, now }: Standing): readonly number[] {
  const due: number[] = []
  for (const at of occurrences.from(decidedUntil + 1)) {
    if (at > now || due.length === mostAtOnce) break
    due.push(at)
  }
  return due
}

/** Those of the due that are not missed, or made up for. The last of many is known when the look reaches the present. */
function wantedOf(due: readonly number[], { occurrences, catchUp, now, lateAfterMs }: Standing): readonly number[] {
  if (catchUp === 'all') return due
  const timely = due.filter(at => at >= now - lateAfterMs)
  if (timely.length > 0 || catchUp === 'none') return timely
  const last = due.at(-1)
  if (last === undefined) return due
  for (const following of occurrences.from(last + 1)) return following > now ? [last] : []
  return [last]
}
