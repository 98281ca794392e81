import type { Distribution, ExecutorStats } from '../core/executor-stats.js'
import { Histogram } from '../core/histogram.js'
import type { Times } from './job.js'

/** Counts how the calls of a session went. Costs a call less than a tenth of a microsecond. */
export class CallStats {
  private readonly threads: number
  private readonly queueWait = new Histogram()
  private readonly runTime = new Histogram()
  private readonly dispatch = new Histogram()
  /** Calls that have come and not ended. */
  private open = 0
  private firstQueuedAt = Number.POSITIVE_INFINITY
  private lastEndedAt = 0

  constructor(threads: number) {
    this.threads = threads
  }

  /** A call comes. Gives whether there is a thread without a call of this session: {@link ended} wants to know. */
  came(): boolean {
    return this.open++ < this.threads
  }

  /** A call has ended, and that is known since `knownAt`. `times`: none if it never began, or nobody knows when it ended. */
  ended(times: Times | undefined, foundThread: boolean, knownAt: number): void {
    this.open--
    if (!times) return
    const { queuedAt, startedAt, endedAt } = times
    const wait = startedAt - queuedAt
    const wayHome = knownAt - endedAt
    this.queueWait.record(wait)
    this.runTime.record(endedAt - startedAt)
    this.dispatch.record(foundThread ? wait + wayHome : wayHome)
    if (queuedAt < this.firstQueuedAt) this.firstQueuedAt = queuedAt
    if (endedAt > this.lastEndedAt) this.lastEndedAt = endedAt
  }

  /** `undefined` if no call has run. */
  stats(): ExecutorStats | undefined {
    const { threads, queueWait, runTime, dispatch } = this
    if (runTime.count === 0) return undefined
    const had = threads * (this.lastEndedAt - this.firstQueuedAt)
    return {
      threads,
      calls: runTime.count,
      utilisation: had > 0 ? toMicro(Math.min(1, runTime.sum / had)) : 0,
      queueWaitMs: rounded(queueWait.distribution()),
      runTimeMs: rounded(runTime.distribution()),
      dispatchMs: rounded(dispatch.distribution()),
    }
  }
}

// To microseconds: the clocks of threads agree no better, and the rest would only be digits in the store.
function rounded({ count, mean, p50, p90, p99, max }: Distribution): Distribution {
  return { count, mean: toMicro(mean), p50: toMicro(p50), p90: toMicro(p90), p99: toMicro(p99), max: toMicro(max) }
}

function toMicro(value: number): number {
  return Math.round(value * 1000) / 1000
}
