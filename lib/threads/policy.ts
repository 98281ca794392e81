/**
 * How many calls go to a thread at once. Guided self-scheduling (Polychronopoulos and Kuck, 1987): a thread that is free
 * gets its share of half of what waits, so that batches are large while there is much to do and small towards the end;
 * what turns out to be shared badly is taken back. Nothing is predicted: by our measurements a batcher that reckons with
 * average times loses on every mix of short and long calls.
 *
 * A code starts with calls of their own, so that the first that is heard of it is as early as it can be. Each batch that
 * comes back whole allows a larger one; one that got stuck behind a long call allows what got done before that.
 *
 * Limits, said honestly: what counts is the number of calls, not the size of their arguments. With more than one thread
 * call 128 may start before call 1: batches are first come, first served, calls are not.
 */

/** Above it batches gain nothing: a call then costs what its own values and its promise cost. */
export const largestBatch = 512

/** How many of `waiting` calls go to one of `threads` threads now. */
export function batchSize(waiting: number, threads: number): number {
  return Math.min(largestBatch, Math.ceil(waiting / (2 * threads)))
}

/** The most calls of a code that may share a batch, at first. */
export const firstAllowance = 1

/** The allowance after a batch has come back whole. */
export function allowanceAfterReturn(allowance: number): number {
  return Math.min(largestBatch, allowance * 8)
}

/** The allowance after a batch was cut because a call of that code, the `position`th of it, kept the others waiting. */
export function allowanceAfterDelay(allowance: number, position: number): number {
  return Math.max(firstAllowance, Math.min(allowance, position))
}

/** How long a call may run before those that wait behind it are taken back. */
export const patienceMs = 5

/** Whose tail a thread without work gets: that of most calls that have not begun. `undefined`: nobody has any. */
export function longestTail<T extends { readonly tail: number }>(batches: Iterable<T>): T | undefined {
  let longest: T | undefined
  for (const batch of batches) {
    if (batch.tail > (longest?.tail ?? 0)) longest = batch
  }
  return longest
}
