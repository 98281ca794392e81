import { Admission, type Demand, type Offer } from './admission.js'
import { FairQueue } from './fair-queue.js'
import type { Job } from './job.js'
import { heaviestBatch } from './policy.js'
import { weightOf } from './weight.js'

/**
 * The calls of a pool that wait for a thread, the most urgent first, and beside them those that wait for what they take.
 * Gives those that go together, encoded.
 */
export class Waiting {
  /** How many in the queue still want to run: those that were stopped stay there until their turn. */
  count = 0
  private readonly queue = new FairQueue<Job>()
  private readonly admission: Admission<Claim>
  private readonly onMayGo: () => void

  /** `onMayGo` is called when something has been given back that others wait for. */
  constructor(offer: Offer, onMayGo: () => void) {
    this.admission = new Admission(offer)
    this.onMayGo = onMayGo
  }

  push(job: Job): void {
    if (isClaim(job)) job.onOver = () => this.giveBack(job)
    this.count++
    this.queue.push(job)
  }

  /** Puts back what a thread has not begun. */
  putBack(jobs: readonly Job[]): void {
    this.count += jobs.length
    for (const job of jobs) if (isClaim(job)) this.admission.giveBack(job)
    this.queue.putBack(jobs)
  }

  /** Whether there may be something to hand out. */
  get hasMore(): boolean {
    return this.count > 0 || this.admission.isWaitedFor
  }

  /**
   * The calls that go to a thread together now, `size` at most; one that shares no parcel goes alone, if it may. What
   * cannot be encoded has ended so, and is none of them.
   */
  nextBatch(size: number, mayBeAlone = true): Job[] {
    const jobs: Job[] = []
    let weight = 0
    while (jobs.length < size) {
      const job = (jobs.length === 0 && mayBeAlone && this.nextAdmitted()) || this.nextQueued()
      if (!job) break
      if (!encode(job)) continue
      weight += weightOf(job.work.args)
      if (job.isAlone ? jobs.length > 0 || !mayBeAlone : jobs.length > 0 && weight > heaviestBatch) {
        this.putBack([job])
        break
      }
      jobs.push(job)
      if (job.isAlone) break
    }
    return jobs
  }

  /** Stops a call of the queue: it ends at once. */
  stop(job: Job): void {
    this.count--
    lot.stop(job)
  }

  /** Takes out all that wait, or all of one owner. */
  drain(owner?: object): Job[] {
    const queued = this.queue.drain(owner)
    this.count -= queued.filter(job => !job.isOver).length
    return [...queued, ...this.admission.drain(owner)]
  }

  /** One that waited for what it takes, and can go. */
  private nextAdmitted(): Job | undefined {
    const job = this.admission.isWaitedFor ? this.admission.next(this.queue.peek()) : undefined
    if (job) job.place = 'queue'
    return job
  }

  private nextQueued(): Job | undefined {
    for (let job = this.queue.shift(); job; job = this.queue.shift()) {
      if (job.place !== 'queue') continue
      this.count--
      if (!isClaim(job) || this.admission.admit(job)) return job
      job.place = lot
    }
    return undefined
  }

  private giveBack(job: Claim): void {
    this.admission.giveBack(job)
    if (this.admission.isWaitedFor) this.onMayGo()
  }
}

/** A call that takes something while it runs. */
type Claim = Job & { readonly demand: Demand }

function isClaim(job: Job): job is Claim {
  return job.demand !== undefined
}

/** Where a call is that waits for what it takes. */
const lot = {
  stop(job: Job): void {
    job.isStopping = true
    job.settleSoon({ type: 'stopped' })
  },
}

/** Whether its arguments can be sent; if not, it has ended so. */
function encode(job: Job): boolean {
  try {
    job.encode()
    return true
  } catch (error) {
    job.settleSoon({ type: 'threw', error })
    return false
  }
}
