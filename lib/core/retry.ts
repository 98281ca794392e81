/** How long to wait before the next attempt: a number, one per attempt (the last repeats), or a function. */
export type RetryDelay = number | readonly number[] | ((attempt: number, error: unknown) => number)

/** When and how often a run is tried again. */
export interface RetryPolicy {
  /** Attempts after the first. 2 runs the body three times at most. */
  readonly retries: number
  /** Between attempts, in milliseconds. */
  readonly retryDelayMs: RetryDelay
  /** Asked with what the attempt threw; false ends the run. */
  readonly retryIf?: ((error: unknown, attempt: number) => boolean) | undefined
}

/** Whether a run that failed in this attempt (from 1) is tried again. */
export function mayRetry(policy: RetryPolicy, attempt: number, error: unknown): boolean {
  if (attempt > policy.retries) return false
  return policy.retryIf ? policy.retryIf(error, attempt) : true
}

/** Milliseconds until the attempt after this one (from 1). */
export function delayAfter(delay: RetryDelay, attempt: number, error: unknown): number {
  if (typeof delay === 'function') return Math.max(0, delay(attempt, error) || 0) // NaN would be no time to wait for
  if (typeof delay === 'number') return delay
  return delay[Math.min(attempt, delay.length) - 1] ?? 0
}

/** Options of {@link exponential}. */
export interface ExponentialOptions {
  /** Milliseconds before the second attempt. Default 1000. */
  readonly initialMs?: number | undefined
  /** Default 2. */
  /** By which the delay grows from attempt to attempt. */
  readonly factor?: number | undefined
  /** No delay is longer. Default 60000. */
  readonly maxMs?: number | undefined
  /** From 0 (none) to 1: each delay is taken at random from `delay × (1 ± jitter)`. Default 0. */
  readonly jitter?: number | undefined
  /** A number from 0 up to 1; default `Math.random`. */
  readonly random?: (() => number) | undefined
}

/**
 * A delay that grows by a factor with every attempt, spread by a jitter so that many runs do not retry at once. For
 * `retryDelayMs`: a function of the attempt that failed, from 1, that gives whole milliseconds.
 */
export function exponential(options: ExponentialOptions = {}): (attempt: number) => number {
  const { initialMs = 1000, factor = 2, maxMs = 60_000, jitter = 0, random = Math.random } = options
  return attempt => {
    const delay = Math.min(maxMs, initialMs * factor ** (attempt - 1))
    return Math.round(delay * (1 + jitter * (2 * random() - 1)))
  }
}
