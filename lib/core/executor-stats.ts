/** How an executor did in one session. All times in milliseconds. Plain data: it is kept with the flow run. */
export interface ExecutorStats {
  /** How many calls could run at once. */
  readonly threads: number
  /** How many calls ran to their end: those that never began, or whose thread was lost, are not in here. */
  readonly calls: number
  /**
   * From 0 to 1: of the time that the threads had, from the coming of the first call to the end of the last one, the part
   * that went into the code of tasks of this flow run. What is missing was waiting for calls, for other flow runs on the
   * same threads, and the way from one call to the next.
   */
  readonly utilisation: number
  /** From the coming of a call, its inputs being there, to the start of its code. */
  readonly queueWaitMs: Distribution
  /** From the start of its code to its end, by the clock of where it ran. */
  readonly runTimeMs: Distribution
  /**
   * What being run elsewhere costs a call: from the end of its code until its end is known here; and for a call that
   * found a thread without a call of this flow run, its queue wait as well (for the first calls that is the start of
   * threads and the loading of code). For others the queue wait is mostly waiting for each other, and not counted.
   */
  readonly dispatchMs: Distribution
}

/** How values are spread. Quantiles are off by 1.6 % of their value at most; count, mean and max are exact. */
export interface Distribution {
  /** How many values. */
  readonly count: number
  /** Their mean. */
  readonly mean: number
  /** The median. */
  readonly p50: number
  /** Nine of ten values are no greater. */
  readonly p90: number
  /** Ninety-nine of a hundred are no greater. */
  readonly p99: number
  /** The greatest. */
  readonly max: number
}
