/** One run of a worker's process, from its start to its end. */
export interface Life {
  readonly code: number | null
  readonly livedMs: number
  /** Whether the scheduler ever had it. */
  readonly wasReady: boolean
}

/** What becomes of a worker whose process has ended by itself. */
export type AfterEnd =
  | { readonly type: 'restart'; readonly afterMs: number }
  /** It was told to go by the scheduler. */
  | { readonly type: 'left' }
  | { readonly type: 'given up' }

// A worker that cannot start will not the fourth time. One that dies at work may be innocent: a task of which workers die
// is given up by the scheduler when it has cost four, and a flow may have many such tasks.
const maxFailedStarts = 3
const maxShortLives = 100
const shortMs = 10_000
const longestDelayMs = 5000

/** Earlier ones change no decision. */
export const maxLives = maxShortLives

/** Decides by all its lives so far, the last one just ended. */
export function afterEnd(lives: readonly Life[]): AfterEnd {
  const last = lives.at(-1)
  if (last?.wasReady && last.code === 0) return { type: 'left' }
  const failedStarts = countLast(lives, life => !life.wasReady)
  const shortLives = countLast(lives, life => life.livedMs < shortMs)
  if (failedStarts >= maxFailedStarts || shortLives >= maxShortLives) return { type: 'given up' }
  return { type: 'restart', afterMs: shortLives < 2 ? 0 : Math.min(longestDelayMs, 50 * 2 ** (shortLives - 2)) }
}

function countLast<T>(items: readonly T[], fits: (item: T) => boolean): number {
  const last = items.findLastIndex(item => !fits(item))
  return items.length - 1 - last
}
