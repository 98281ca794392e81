/** Times things against each other: interleaved rounds in one process, so that what else the machine does hits all alike. */
import { cpus } from 'node:os'

/** How many rounds count: the environment variable ROUNDS, or 5. */
export const rounds = Number(process.env['ROUNDS'] ?? 5)

/** How two times are compared: the peer's by its own, or its own by the peer's. */
export type Ratio = 'as fast' | 'as long'

/** How far one must come: so many times as fast as its peer, or no more than so many times as long. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

export interface Contest {
  readonly name: string
  /** Runs once and gives a time, in the unit of the table. */
  readonly measure: () => Promise<number>
  /** The name of the one it is held against; none for a peer. */
  readonly against?: string | undefined
  readonly goal?: Goal | undefined
  /** Default: as the goal has it, else how fast it is. */
  readonly ratio?: Ratio | undefined
}

export interface Result {
  readonly name: string
  /** One for each round that counts. */
  readonly times: readonly number[]
  readonly against?: string | undefined
  readonly goal?: Goal | undefined
  readonly ratio: Ratio
  /** One for each round that counts; none for a peer. */
  readonly ratios: readonly number[]
}

/**
 * One round that does not count, then those that do. Each time is taken after the same has been done once without a clock,
 * unless `isCold`: how soon V8 optimizes anew what it had optimized before the others' turns is not what is asked. Nor is
 * the garbage collected by hand, which makes it forget whatever it had optimized for objects of which there are none then.
 */
export async function interleave(
  contests: readonly Contest[],
  { count = rounds, isCold = false }: { readonly count?: number; readonly isCold?: boolean } = {},
): Promise<Result[]> {
  const times = new Map(contests.map(({ name }) => [name, [] as number[]]))
  for (let round = -1; round < count; round++) {
    for (const { name, measure } of contests) {
      if (!isCold) await measure()
      const time = await measure()
      if (round >= 0) times.get(name)?.push(time)
    }
  }
  return contests.map(({ name, against, goal, ratio = goal && 'atMost' in goal ? 'as long' : 'as fast' }) => {
    const own = times.get(name) ?? []
    const peer = against === undefined ? [] : (times.get(against) ?? [])
    return { name, times: own, against, goal, ratio, ratios: ratiosOf(own, peer, ratio) }
  })
}

/** Round by round. */
export function ratiosOf(own: readonly number[], peer: readonly number[], ratio: Ratio): number[] {
  return peer.map((time, round) => {
    const speed = time / (own[round] ?? Number.NaN)
    return ratio === 'as fast' ? speed : 1 / speed
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** `quantile(waits, 0.99)` is what 99 of 100 stay below. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

/** What was measured, on what. Every file of benchmarks begins with it. */
export function heading(title: string, details: string): string {
  return `## ${title}\n\nNode ${process.version}, ${cpus().length} cores, ${rounds} rounds, ${details}`
}

/** A markdown table; `unit` is that of the times. */
export function table(results: readonly Result[], unit = 'µs per task'): string {
  return [
    `| | ${unit} (median) | paired ratio: median (least to most) | goal | |`,
    '|---|---|---|---|---|',
    ...results.map(({ name, times, against, goal, ratio, ratios }) => {
      const compared = against === undefined ? '' : `${spread(ratios)} × ${ratio} as ${against}`
      const verdict = goal && ratios.length > 0 ? `${goalOf(goal)} | ${verdictOf(median(ratios), goal)}` : ' | '
      return `| ${name} | ${brief(median(times))} | ${compared} | ${verdict} |`
    }),
  ].join('\n')
}

/** The median, with the least and the most. */
export function spread(values: readonly number[]): string {
  return `${brief(median(values))} (${brief(Math.min(...values))} to ${brief(Math.max(...values))})`
}

export function verdictOf(value: number, goal: Goal): 'PASS' | 'short' {
  const isReached = 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
  return isReached ? 'PASS' : 'short'
}

function goalOf(goal: Goal): string {
  return 'atLeast' in goal ? `≥ ${goal.atLeast} ×` : `≤ ${goal.atMost} ×`
}

/** Three digits are more than a noisy machine gives. */
export function brief(value: number): string {
  return value.toFixed(Math.abs(value) < 100 ? 2 : 0)
}
