/** A `setTimeout` of more milliseconds (25 days) fires at once. */
export const longestTimer = 2 ** 31 - 1

/**
 * Time, chance and names come in through this door, so that a test of "retry after one hour" takes a millisecond.
 * `simulatedClock` of `mintaka/testing` is another one.
 */
export interface Surroundings {
  /** Epoch milliseconds. */
  now(): number
  /** Calls back after a while. Gives a function that takes it back. */
  timer(ms: number, callback: () => void): () => void
  /** A new id: lower-case letters and digits, never the same. */
  newId(): string
  /** Two words, for people. */
  newName(): string
}
