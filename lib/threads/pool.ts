import { MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { isBefore, Job, type KnownCode, type Work, type WorkCall } from './job.js'
import type { PiscinaClass } from './one-thread.js'
import { batchSize, firstAllowance, longestTail } from './policy.js'
import type { Code } from './protocol.js'
import { PriorityQueue } from './queue.js'
import { Thread, type ThreadHome, type ThreadOptions } from './thread.js'
import { defaultThreads } from './thread-count.js'

export interface ThreadPoolOptions extends ThreadOptions {
  /** Default: as many as the processors that this process may use, or MINTAKA_THREADS. */
  readonly threads?: number | undefined
}

// Short enough for a deadline of 10 ms, long enough to cost nothing.
const reportEveryMs = 5

/**
 * Threads that carry calls out, one call each at a time, higher priority first. Threads start as they are needed and
 * keep no process alive while they have nothing to do.
 *
 * A call that finds a thread free goes there by itself. Where calls wait they go in batches (`policy` says how many),
 * because a message each way costs more than a small task does; what a batch has not begun comes back when a thread has
 * nothing to do, when a call keeps the others waiting, when something more urgent comes, and when its thread is lost.
 */
export class ThreadPool implements AsyncDisposable {
  private readonly options: ThreadPoolOptions
  private readonly size: number
  private readonly waiting = new PriorityQueue<Job>()
  /** How many of them still want to run: those that were stopped stay in the queue until their turn. */
  private waitingCount = 0
  private readonly codes = new Map<string, KnownCode>()
  private readonly idle: Thread[] = []
  private readonly threads = new Set<Thread>()
  private readonly ending = new Set<Promise<void>>()
  private readonly home: ThreadHome = {
    onFree: thread => this.onFree(thread),
    onBack: jobs => this.onBack(jobs),
  }
  private lowestPriority = 0
  private count = 0
  private Piscina: PiscinaClass | undefined
  private loading: Promise<void> | undefined
  private reporting: NodeJS.Timeout | undefined
  private isClosed = false
  private isDispatching = false

  constructor(options: ThreadPoolOptions) {
    this.options = options
    this.size = options.threads ?? defaultThreads()
  }

  /** Resolves when the code of the call has ended or was stopped. Rejects only if there can be no threads at all. */
  run(work: Work): Promise<Outcome> {
    if (this.isClosed) {
      return Promise.reject(
        new MintakaError('EXECUTOR_CLOSED', 'The thread pool has been closed.', { task: work.code.taskName }),
      )
    }
    return new Promise((resolve, reject) => {
      const job = new Job(work, this.codeOf(work.code), this.count++, resolve)
      this.waitingCount++
      whenStopped(work.call, () => this.stop(job))
      if (job.place === 'settled') return
      this.waiting.push(job, work.priority)
      this.makeWay(work.priority)
      if (this.Piscina) this.dispatch()
      else this.load().catch(reject)
    })
  }

  /** Ends all threads. Resolves when nothing runs in them any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true
    this.stopReporting()
    for (let job = this.waiting.shift(); job; job = this.waiting.shift()) job.settle(closedOutcome())
    for (const thread of this.threads) this.discard(thread, closedOutcome())
    await Promise.all(this.ending)
  }

  private load(): Promise<void> {
    this.loading ??= import('piscina').then(({ Piscina }) => {
      this.Piscina = Piscina
      this.dispatch()
    })
    return this.loading
  }

  private codeOf(code: Code): KnownCode {
    let known = this.codes.get(code.key)
    if (!known) this.codes.set(code.key, (known = { code, number: this.codes.size, allowance: firstAllowance }))
    return known
  }

  // A call that cannot be sent settles at once and would dispatch again from in here.
  private dispatch(): void {
    if (this.isDispatching || !this.Piscina || this.isClosed) return
    this.isDispatching = true
    while (this.hasRoom() && (this.waitingCount > 0 || this.steal())) {
      const jobs = this.nextBatch()
      const thread = jobs.length > 0 ? this.freeThread() : undefined
      if (!thread) break
      thread.carryOut(jobs)
      this.reporting ??= setInterval(() => this.report(), reportEveryMs).unref()
    }
    this.isDispatching = false
  }

  /** The calls that go to a thread now, encoded. */
  private nextBatch(): Job[] {
    const jobs: Job[] = []
    let size = batchSize(this.waitingCount, this.size)
    while (jobs.length === 0 || jobs.length < size) {
      const job = this.waiting.shift()
      if (!job) break
      if (job.place !== 'queue') continue
      this.waitingCount--
      if (!encode(job)) continue
      size = Math.min(size, job.isAlone ? 1 : job.code.allowance)
      if (jobs.length > 0 && jobs.length >= size) {
        this.putBack([job])
        break
      }
      jobs.push(job)
    }
    return jobs
  }

  private hasRoom(): boolean {
    while (this.idle.length > 0) {
      const thread = this.idle.at(-1) as Thread
      if (thread.isUsable) return true
      this.idle.pop()
      this.discard(thread)
    }
    return this.threads.size < this.size
  }

  // The one that was used last has the warmest code.
  private freeThread(): Thread | undefined {
    const idle = this.idle.pop()
    if (idle || !this.Piscina) return idle
    const thread = new Thread(this.Piscina, this.options, this.home)
    this.threads.add(thread)
    return thread
  }

  // For a thread that has nothing to do; none is started for it.
  private steal(): boolean {
    if (this.idle.length === 0) return false
    const jobs = longestTail(this.threads)?.giveBack() ?? []
    this.putBack(jobs)
    return jobs.length > 0
  }

  // Of what has been handed out, only what has begun is ahead of a call of a higher priority.
  private makeWay(priority: number): void {
    if (priority < this.lowestPriority) this.lowestPriority = priority
    if (priority === this.lowestPriority) return
    for (const thread of this.threads) {
      if (thread.lowestPriority < priority && thread.tail > 0) this.putBack(thread.giveBack())
    }
  }

  private onFree(thread: Thread): void {
    if (thread.isUsable && !this.isClosed) this.idle.push(thread)
    else this.discard(thread)
    this.dispatch()
  }

  private onBack(jobs: readonly Job[]): void {
    if (this.isClosed) for (const job of jobs) job.settle(closedOutcome())
    else this.putBack(jobs)
    this.dispatch()
  }

  private putBack(jobs: readonly Job[]): void {
    this.waitingCount += jobs.length
    for (const priority of new Set(jobs.map(job => job.work.priority))) {
      const equals = jobs.filter(job => job.work.priority === priority)
      this.waiting.putBack(equals, priority, isBefore)
    }
  }

  private stop(job: Job): void {
    if (job.place === 'settled') return
    if (job.place !== 'queue') return job.place.stop(job)
    this.waitingCount--
    job.isStopping = true
    job.settle({ type: 'stopped' })
  }

  private discard(thread: Thread, outcome?: Outcome): void {
    this.threads.delete(thread)
    const ended = thread.end(outcome).finally(() => this.ending.delete(ended))
    this.ending.add(ended)
  }

  private report(): void {
    const now = Date.now()
    let isNeeded = false
    for (const thread of this.threads) {
      thread.report(now)
      if (thread.hasUnreported) isNeeded = true
    }
    if (!isNeeded) this.stopReporting()
  }

  private stopReporting(): void {
    clearInterval(this.reporting)
    this.reporting = undefined
  }
}

/** Whether its arguments can be sent; if not, it has ended so. */
function encode(job: Job): boolean {
  try {
    job.args()
    return true
  } catch (error) {
    job.settle({ type: 'threw', error })
    return false
  }
}

function closedOutcome(): Outcome {
  const error = new MintakaError('EXECUTOR_CLOSED', 'The thread pool was closed before the task had ended.')
  return { type: 'crashed', error }
}

function whenStopped(call: WorkCall, callback: () => void): void {
  if (call.whenStopped) return call.whenStopped(callback)
  const { signal } = call
  if (signal.aborted) callback()
  else signal.addEventListener('abort', callback)
}
