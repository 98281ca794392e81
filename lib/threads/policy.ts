/**
 * How many calls go to a thread at once. Guided self-scheduling (Polychronopoulos and Kuck, 1987): a thread that is free
 * gets its share of half of what waits, so that batches are large while there is much to do and small towards the end;
 * what turns out to be shared badly is taken back. Nothing is predicted: by our measurements a batcher that reckons with
 * average times loses on every mix of short and long calls.
 *
 * A limit, said honestly: with more than one thread call 128 may start before call 1. Batches are first come, first
 * served, calls are not.
 */

/** Above it batches gain nothing: a call then costs what its own values and its promise cost. */
export const largestBatch = 512

/** How many of `waiting` calls go to one of `threads` threads now. */
export function batchSize(waiting: number, threads: number): number {
  return Math.min(largestBatch, Math.ceil(waiting / (2 * threads)))
}

/** How much may go in one batch, as `weightOf` weighs: calls with large arguments go in small ones. */
export const heaviestBatch = 1024

/** How long a call may run before those that wait behind it are taken back. */
export const patienceMs = 5

/** The least that is sent to a thread that has not finished. */
export const smallestRefill = 32

/**
 * After how many calls the pool looks which threads run dry while more are made, and how many such a thread is sent at
 * least: on a machine with few processors small parcels cost whoever makes the calls more than they bring.
 */
export const lookEvery = 512
export const smallestTopUp = 256

/** Whether a thread would be through with the calls that it holds, `left` at most, before more could reach it. */
export function mayRefill(left: number, meanMs: number): boolean {
  return left <= largestBatch / 2 && left * meanMs < 0.3
}

/**
 * Whether a thread may tell of several ends with one message, where its calls take that long at least. It needs enough to
 * do meanwhile. Where calls are very short
 * many ends come together anyway, and too many would be behind a call that is suddenly long.
 */
export function mayGather(left: number, leastMs: number): boolean {
  return leastMs >= 0.03 && leastMs <= 1 && (left - 1) * leastMs >= 1
}

/** How long an end waits behind a call that is suddenly long, where ends are gathered. */
export const netMs = 1

/** Whose tail a thread without work gets: that of most calls that have not begun. `undefined`: nobody has any. */
export function longestTail<T extends { readonly tail: number }>(batches: Iterable<T>): T | undefined {
  let longest: T | undefined
  let most = 0
  for (const batch of batches) {
    const { tail } = batch
    if (tail > most) [longest, most] = [batch, tail]
  }
  return longest
}
