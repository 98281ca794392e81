/** The times of a schedule. */
export interface Occurrences {
  /** Every time on or after `at`, in order, each once. Epoch milliseconds. May never end: take what you need. */
  from(at: number): Iterable<number>
}
