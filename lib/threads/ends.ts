import type { Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import type { HeldCalls } from './held-calls.js'
import type { Job } from './job.js'
import type { Reply } from './protocol.js'
import { form } from './results.js'
import type { Slots } from './slots.js'

/** A call that has ended, and how. */
interface Ended {
  readonly job: Job
  readonly outcome: Outcome
  readonly startedAt: number | undefined
  readonly endedAt: number
}

/**
 * How the calls of a thread have ended: `find` takes those that have from the calls that it holds, in their order, and
 * `settle` tells of each. In between the thread can be given others, which shall not wait for what the results set off.
 */
export class Ends {
  private readonly slots: Slots
  private readonly held: HeldCalls
  private readonly drain: () => void
  /** What has come by message, by number. */
  private readonly replies = new Map<number, Reply>()
  /** Found, and not yet settled. */
  private found: Ended[] = []
  private mean = Number.POSITIVE_INFINITY
  /** Of those found last and of those found before: one may have been held up. */
  private least: readonly [number, number] = [0, 0]

  /** `drain` takes in what has been posted, and hands the replies over. */
  constructor(slots: Slots, held: HeldCalls, drain: () => void) {
    this.slots = slots
    this.held = held
    this.drain = drain
  }

  /** How long calls have taken of late, on average. */
  get meanMs(): number {
    return this.mean
  }

  /** The least that a call has taken of late. */
  get leastMs(): number {
    return Math.min(...this.least)
  }

  /** Whether some have been found, and not settled. */
  get areUnsettled(): boolean {
    return this.found.length > 0
  }

  /** The thread has posted how call `n` ended. */
  replied(n: number, reply: Reply): void {
    this.replies.set(n, reply)
  }

  /** Finds what has ended: quietly, only so far as nothing else is to be heard of it. Says whether it has found any. */
  find(isQuiet = false): boolean {
    const { slots, found, held } = this
    const { length } = found
    let [spentMs, leastMs] = [0, Number.POSITIVE_INFINITY]
    while (held.hasMore) {
      const n = held.first
      if (slots.isTakenBack(n)) {
        held.takeFirst()
        continue
      }
      if (!slots.hasEnded(n)) break
      if (isQuiet && slots.isHeardOf(n)) break
      // What a call has said was posted before it ended, and comes before its end.
      if (slots.noticesOf(n) > 0) this.drain()
      const outcome = this.outcomeOf(n)
      if (!outcome) break
      const job = held.takeFirst()
      if (!job) continue
      const startedAt = slots.begunAt(n)
      const endedAt = slots.endedAt(n)
      const ms = endedAt - (startedAt ?? endedAt)
      spentMs += ms
      leastMs = Math.min(leastMs, ms)
      found.push({ job, outcome, startedAt: outcome.type === 'stopped' ? undefined : startedAt, endedAt })
    }
    if (found.length === length) return false
    this.mean = spentMs / (found.length - length)
    this.least = [leastMs, this.least[0]]
    return true
  }

  /** Tells of those that have been found. */
  settle(): void {
    const { found } = this
    this.found = []
    for (const { job, outcome, startedAt, endedAt } of found) {
      if (startedAt !== undefined) job.began(startedAt)
      job.settle(outcome, startedAt, endedAt)
    }
  }

  /** How call `n` has ended; `undefined`: its reply is on its way. */
  private outcomeOf(n: number): Outcome | undefined {
    const { slots } = this
    const own = slots.results.formOf(n)
    if (own === form.stopped) return { type: 'stopped' }
    if (own === form.json) return { type: 'returned', value: fromWire(slots.results.of(n)) }
    if (own !== form.posted) return { type: 'returned', value: slots.results.of(n) }
    if (!this.replies.has(n)) this.drain()
    const reply = this.replies.get(n)
    this.replies.delete(n)
    if (!reply) return undefined
    const value = fromWire(reply.value)
    return reply.type === 'returned' ? { type: 'returned', value } : { type: 'threw', error: value }
  }
}
