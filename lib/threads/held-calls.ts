import { after, between, capacity, slotOf } from './call-numbers.js'
import type { Job, JobPlace } from './job.js'
import type { Slots } from './slots.js'

/**
 * The calls that a thread holds, in the order in which they were sent. They are told apart by their numbers, which count
 * the calls of the thread; each has the slot of its number until it is settled or taken back.
 */
export class HeldCalls {
  /** How many have neither ended, for all that has been seen, nor been taken back. */
  left = 0
  /** The oldest that may be held, and the number that the next one will have. */
  first = 1
  next = 1
  private readonly slots: Slots
  private readonly place: JobPlace
  /** By slot. */
  private readonly jobs: (Job | undefined)[] = new Array(capacity).fill(undefined)

  constructor(slots: Slots, place: JobPlace) {
    this.slots = slots
    this.place = place
  }

  /** Gives calls their numbers, which they keep once they are `sent`. Gives the first of them. */
  number(jobs: readonly Job[]): number {
    if (this.left === 0) this.first = this.next
    let n = this.next
    for (const job of jobs) {
      job.place = this.place
      job.n = n
      this.jobs[slotOf(n)] = job
      n = after(n)
    }
    return this.next
  }

  sent(jobs: readonly Job[]): void {
    const newest = jobs.at(-1)
    if (newest) this.next = after(newest.n)
    this.left += jobs.length
  }

  unsent(jobs: readonly Job[]): void {
    for (const job of jobs) {
      this.jobs[slotOf(job.n)] = undefined
      job.place = 'queue'
    }
  }

  /** Call `n`, if it is held. */
  at(n: number): Job | undefined {
    const job = this.jobs[slotOf(n)]
    return job?.place === this.place && job.n === n ? job : undefined
  }

  /** Whether there may be an older one than those that have been seen to end. */
  get hasMore(): boolean {
    return this.first !== this.next
  }

  /** How many slots are in use: those of calls that have been taken back count until the thread is past them. */
  get span(): number {
    return between(this.first, this.next)
  }

  /** Takes the oldest out, if it is held. */
  takeFirst(): Job | undefined {
    const job = this.at(this.first)
    this.jobs[slotOf(this.first)] = undefined
    this.first = after(this.first)
    if (job) this.left--
    return job
  }

  /** Takes a call back, unless it has begun. */
  takeBack(job: Job): boolean {
    if (!this.slots.takeBack(job.n)) return false
    this.jobs[slotOf(job.n)] = undefined
    this.left--
    return true
  }

  /** Takes back all that have not begun, but for call `kept`. */
  takeBackAll(kept?: number): Job[] {
    const back = [...this].filter(job => job.n !== kept && this.takeBack(job))
    for (const job of back) job.place = 'queue'
    return back
  }

  /** Lets go of those that are left, which nobody will carry out any more. */
  abandon(): Job[] {
    const jobs = [...this]
    this.left = 0
    return jobs
  }

  /** The one that runs. */
  get running(): Job | undefined {
    const { slots } = this
    let n = this.first
    while (n !== this.next && (slots.hasEnded(n) || slots.isTakenBack(n))) n = after(n)
    return n !== this.next && slots.isRunning(n) ? this.at(n) : undefined
  }

  /** Tells the one that runs that it has begun. Gives when, epoch milliseconds; `undefined`: none runs. */
  tellBegun(): number | undefined {
    const { running } = this
    const at = running && this.slots.begunAt(running.n)
    running?.began(at)
    return at
  }

  /** Whether one has not been told that it has begun, or waits behind another. */
  get needsReports(): boolean {
    const { left, running } = this
    return left > 1 || (left === 1 && !(running?.wasReported ?? false))
  }

  /** The lowest priority among them. */
  get lowestPriority(): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const job of this) lowest = Math.min(lowest, job.work.priority)
    return lowest
  }

  /** How many have not begun and may be taken back: none before the first of them has. */
  get tail(): number {
    if (this.left < 2) return 0
    let n = this.first
    while (n !== this.next && !this.slots.isFree(n)) n = after(n)
    return n === this.first ? 0 : this.countFrom(n)
  }

  private countFrom(n: number): number {
    let count = 0
    for (; n !== this.next; n = after(n)) if (this.at(n)) count++
    return count
  }

  /** Oldest first. */
  *[Symbol.iterator](): Iterator<Job> {
    for (let n = this.first; n !== this.next; n = after(n)) {
      const job = this.at(n)
      if (job) yield job
    }
  }
}
