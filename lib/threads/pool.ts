import { MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { publishSteal } from './channels.js'
import { Clock } from './clock.js'
import { Job, type Work } from './job.js'
import { KnownCodes } from './known-codes.js'
import { crashed, poolClosed, setupFailed, workersLost } from './losses.js'
import type { PiscinaClass } from './one-thread.js'
import { batchSize, lookEvery, smallestRefill, smallestTopUp } from './policy.js'
import { Roster } from './roster.js'
import { Thread, type ThreadHome, type ThreadOptions } from './thread.js'
import { defaultThreads } from './thread-count.js'
import { Waiting } from './waiting.js'

export interface ThreadPoolOptions extends ThreadOptions {
  /** Default: as many as the processors that this process may use, or MINTAKA_THREADS. */
  readonly threads?: number | undefined
  /** How long a thread without work is kept. Default: as long as its pool. */
  readonly idleTimeoutMs?: number | undefined
  /** What calls may take, and how many with a tag may run at once. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  readonly limits?: Readonly<Record<string, number>> | undefined
}

// Short enough for a deadline of 10 ms, long enough to cost nothing.
const reportEveryMs = 5

/** So many threads in a row that ended before they could begin anything: no more are started for those who wait. */
const mostStillborn = 3

/**
 * Threads that carry calls out, one call each at a time, higher priority first. Threads start as they are needed and
 * keep no process alive while they have nothing to do.
 *
 * A call that finds a thread free goes there by itself. Where calls wait they go in batches (`policy` says how many),
 * because a message costs more than a small task does; what a thread has not begun comes back when another has nothing
 * to do, when a call keeps the others waiting, when something more urgent comes, and when the thread is lost.
 */
export class ThreadPool implements AsyncDisposable {
  private readonly options: ThreadPoolOptions
  /** How many threads there may be. */
  readonly size: number
  private readonly waiting: Waiting
  private readonly codes = new KnownCodes()
  private readonly threads: Roster
  private readonly home: ThreadHome = {
    onFree: thread => this.onFree(thread),
    onRoom: thread => this.onRoom(thread),
    onBack: jobs => this.onBack(jobs),
    onBegun: () => {
      this.stillborn = 0
    },
    onStillborn: (jobs, error) => this.onStillborn(jobs, error),
    onReady: () => this.tellReady(),
    onUnready: (jobs, error) => this.onUnready(jobs, error),
  }
  private readonly clock = new Clock()
  private lowestPriority = 0
  private count = 0
  private stillborn = 0
  private awaiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  private Piscina: PiscinaClass | undefined
  private loading: Promise<void> | undefined
  private reporting: NodeJS.Timeout | undefined
  private isClosed = false
  private isDispatching = false

  constructor(options: ThreadPoolOptions) {
    this.options = options
    this.size = options.threads ?? defaultThreads()
    this.waiting = new Waiting(options, () => this.dispatch())
    this.threads = new Roster({ size: this.size, idleTimeoutMs: options.idleTimeoutMs })
  }

  /** Carries a call out, and tells `work.ended` when its code has ended or was stopped: never before it returns. */
  run(work: Work): void {
    if (this.isClosed) {
      throw new MintakaError('EXECUTOR_CLOSED', 'The thread pool has been closed.', { task: work.code.taskName })
    }
    const job = new Job(this, work, this.codes.of(work.code), this.count++, this.clock.now())
    this.waiting.push(job)
    job.listen()
    this.makeWay(work.priority)
    if (this.Piscina) this.dispatch()
    else this.load()
    if (this.count % lookEvery === 0) this.topUp()
  }

  /** The time, by the clock that notes when calls are queued. */
  now(): number {
    return this.clock.now()
  }

  /** Resolves when a thread has been set up, which it starts if need be; rejects with what the setup threw. */
  ready(): Promise<void> {
    if (this.isClosed) return Promise.reject(poolClosed())
    for (const thread of this.threads) if (thread.isUsable && thread.isReady) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.awaiting.push({ resolve, reject })
      this.prepare()
    })
  }

  /** That code will not come again: its number is given to another, which takes its place in the threads. */
  forget(key: string): void {
    const number = this.codes.forget(key)
    if (number === undefined) return
    for (const thread of this.threads) thread.forget(number)
  }

  /** How many threads there are. */
  get threadCount(): number {
    return this.threads.count
  }

  /** Ends the threads that have nothing to do. */
  endIdle(): void {
    this.threads.endIdle()
  }

  /** Stops all calls of an owner, as their signals would. */
  stopAllOf(owner: object): void {
    const held = [...this.threads].flatMap(thread => [...thread.calls]).filter(job => job.owner === owner)
    for (const job of this.waiting.drain(owner)) job.settle({ type: 'stopped' })
    for (const job of held) this.stop(job)
  }

  /** Ends all threads. Resolves when nothing runs in them any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true
    this.stopReporting()
    this.settleWaiting(crashed(poolClosed()))
    this.tellUnready(poolClosed())
    await this.threads.endAll(crashed(poolClosed()))
  }

  private load(): void {
    this.loading ??= import('piscina').then(
      ({ Piscina }) => {
        this.Piscina = Piscina
        this.dispatch()
        this.prepare()
      },
      error => {
        this.settleWaiting(crashed(error))
        this.tellUnready(error)
      },
    )
  }

  // Sending and stopping may lead back here.
  private dispatch(): void {
    if (this.isDispatching || !this.Piscina || this.isClosed) return
    this.isDispatching = true
    while (this.threads.hasRoom() && (this.waiting.hasMore || this.steal())) {
      const jobs = this.waiting.nextBatch(Math.max(1, this.batchSize))
      if (jobs.length === 0 && this.steal()) continue
      const thread = jobs.length > 0 ? this.freeThread() : undefined
      if (!thread) break
      this.hand(jobs, thread)
    }
    this.isDispatching = false
  }

  private hand(jobs: readonly Job[], thread: Thread): void {
    thread.carryOut(jobs)
    this.reporting ??= setInterval(() => this.report(), reportEveryMs).unref()
  }

  /** How many of the calls that wait go to one thread now. */
  private get batchSize(): number {
    return batchSize(this.waiting.count, this.size)
  }

  private freeThread(): Thread | undefined {
    return this.threads.takeIdle() ?? (this.Piscina && this.start(this.Piscina))
  }

  private start(Piscina: PiscinaClass): Thread {
    return this.threads.add(new Thread(Piscina, this.options, this.home))
  }

  // For those who await a thread that is ready, and have no calls for it yet.
  private prepare(): void {
    if (this.awaiting.length === 0 || this.isClosed) return
    for (const thread of this.threads) if (thread.isUsable) return
    if (this.Piscina) this.start(this.Piscina).prepare()
    else this.load()
  }

  private tellReady(): void {
    this.threads.startAgain()
    for (const { resolve } of this.awaiting.splice(0)) resolve()
  }

  private tellUnready(error: unknown): void {
    for (const { reject } of this.awaiting.splice(0)) reject(error)
  }

  // What fails will mostly fail again. As long as another thread may do the work it is left to that one, and no more are
  // started for a while; otherwise nobody waits: whoever tries again tries the setup again.
  private onUnready(jobs: readonly Job[], error: unknown): void {
    if ([...this.threads].some(({ isUsable }) => isUsable)) return this.leaveToOthers(jobs)
    const outcome = crashed(setupFailed(error))
    for (const job of jobs) job.settle(outcome)
    this.settleWaiting(outcome)
    this.tellUnready(error)
  }

  private leaveToOthers(jobs: readonly Job[]): void {
    this.threads.startLater()
    this.onBack(jobs)
  }

  // For a thread that has nothing to do; none is started for it.
  private steal(): boolean {
    const from = this.threads.longestTail()
    const jobs = from?.giveBack() ?? []
    if (!from || jobs.length === 0) return false
    publishSteal(from.id, jobs.length)
    this.waiting.putBack(jobs)
    return true
  }

  // Of what has been handed out, only what has begun is ahead of a call of a higher priority.
  private makeWay(priority: number): void {
    if (priority < this.lowestPriority) this.lowestPriority = priority
    if (priority === this.lowestPriority) return
    for (const thread of this.threads) {
      // Also where the oldest has not begun yet: that one is kept, and those behind it come back.
      if (thread.lowestPriority < priority) this.waiting.putBack(thread.giveBack())
    }
  }

  private onFree(thread: Thread): void {
    if (!thread.isUsable || this.isClosed) this.threads.end(thread)
    else {
      this.stillborn = 0
      this.threads.rest(thread)
    }
    this.dispatch()
  }

  // Whoever makes thousands of calls in one go shall find many of them done when they are through.
  private topUp(): void {
    if (this.isDispatching) return
    for (const thread of this.threads) {
      if (this.batchSize < smallestTopUp) return
      if (!this.threads.isIdle(thread) && thread.runsDry()) this.onRoom(thread)
    }
  }

  // Only what fills a thread for a while is worth a message that it does not wait for.
  private onRoom(thread: Thread): void {
    if (this.isDispatching || this.isClosed || this.batchSize < smallestRefill) return
    const jobs = this.waiting.nextBatch(this.batchSize, false)
    if (jobs.length > 0) this.hand(jobs, thread)
  }

  private onBack(jobs: readonly Job[]): void {
    if (this.isClosed) for (const job of jobs) job.settle(crashed(poolClosed()))
    else this.waiting.putBack(jobs)
    this.dispatch()
  }

  // One that waits may be let down by a machine that is short of memory for a moment; a file that cannot be loaded shall
  // not have threads started for ever. As long as another thread works it is left to that one.
  private onStillborn(jobs: readonly Job[], error: unknown): void {
    this.stillborn++
    const isHopeless = this.stillborn >= mostStillborn
    if (isHopeless && [...this.threads].some(({ isProven }) => isProven)) return this.leaveToOthers(jobs)
    this.onBack(isHopeless ? [] : jobs)
    if (!isHopeless) return this.prepare()
    const lost = workersLost(this.stillborn, error)
    for (const job of jobs) job.settle(crashed(lost))
    this.settleWaiting(crashed(lost))
    this.tellUnready(lost)
  }

  private settleWaiting(outcome: Outcome): void {
    for (const job of this.waiting.drain()) job.settle(outcome)
  }

  /** Stops a call: one that waits, at once; one that a thread has, as that does. */
  stop(job: Job): void {
    if (job.place === 'settled') return
    if (job.place !== 'queue') return job.place.stop(job)
    this.waiting.stop(job)
  }

  private report(): void {
    this.clock.check()
    const now = this.clock.now()
    let isNeeded = false
    for (const thread of this.threads) {
      thread.report(now)
      if (thread.needsReports) isNeeded = true
    }
    if (!isNeeded) this.stopReporting()
  }

  private stopReporting(): void {
    clearInterval(this.reporting)
    this.reporting = undefined
  }
}
