import { MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { Admission, type Demand } from './admission.js'
import { publishSteal } from './channels.js'
import { Clock } from './clock.js'
import { FairQueue } from './fair-queue.js'
import { Job, type KnownCode, type Work, type WorkCall } from './job.js'
import { crashed, setupFailed, workersLost } from './losses.js'
import type { PiscinaClass } from './one-thread.js'
import { batchSize, heaviestBatch, longestTail, lookEvery, smallestRefill, smallestTopUp } from './policy.js'
import type { Code } from './protocol.js'
import { Thread, type ThreadHome, type ThreadOptions } from './thread.js'
import { defaultThreads } from './thread-count.js'
import { weightOf } from './weight.js'

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

/** How long a pool makes do with the threads that it has after the setup of another has failed. */
const startAgainAfterMs = 1000

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
  private readonly waiting = new FairQueue<Job>()
  private readonly admission: Admission<Claim>
  /** How many of them still want to run: those that were stopped stay in the queue until their turn. */
  private waitingCount = 0
  private readonly codes = new Map<string, KnownCode>()
  /** Numbers of codes that have been forgotten: those in use and these are the first ones. */
  private readonly freeNumbers: number[] = []
  private readonly idle: Thread[] = []
  private readonly threads = new Set<Thread>()
  private readonly ending = new Set<Promise<void>>()
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
  /** No thread is started beside others before that time, as `performance.now()` tells. */
  private startAgainAt = 0
  private awaiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  private Piscina: PiscinaClass | undefined
  private loading: Promise<void> | undefined
  private reporting: NodeJS.Timeout | undefined
  private retiring: NodeJS.Timeout | undefined
  private isClosed = false
  private isDispatching = false

  constructor(options: ThreadPoolOptions) {
    this.options = options
    this.size = options.threads ?? defaultThreads()
    this.admission = new Admission(options)
  }

  /** Carries a call out, and tells `work.ended` when its code has ended or was stopped: never before it returns. */
  run(work: Work): void {
    if (this.isClosed) {
      throw new MintakaError('EXECUTOR_CLOSED', 'The thread pool has been closed.', { task: work.code.taskName })
    }
    const job = new Job(this, work, this.codeOf(work.code), this.count++, this.clock.now())
    if (isClaim(job)) job.onOver = () => this.giveBack(job)
    this.waitingCount++
    this.waiting.push(job)
    whenStopped(work.call, job)
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
    if (this.isClosed) return Promise.reject(closedError())
    for (const thread of this.threads) if (thread.isUsable && thread.isReady) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.awaiting.push({ resolve, reject })
      this.prepare()
    })
  }

  /** That code will not come again: its number is given to another, which takes its place in the threads. */
  forget(key: string): void {
    const known = this.codes.get(key)
    if (!known) return
    this.codes.delete(key)
    this.freeNumbers.push(known.number)
    for (const thread of this.threads) thread.forget(known.number)
  }

  /** How many threads there are. */
  get threadCount(): number {
    return this.threads.size
  }

  /** Ends the threads that have nothing to do. */
  endIdle(): void {
    for (const thread of this.idle.splice(0)) this.discard(thread)
  }

  /** Stops all calls of an owner, as their signals would. */
  stopAllOf(owner: object): void {
    const held = [...this.threads].flatMap(thread => [...thread.calls]).filter(job => job.owner === owner)
    const waiting = this.waiting.drain(owner)
    this.waitingCount -= waiting.filter(job => !job.isOver).length
    for (const job of [...waiting, ...this.admission.drain(owner)]) job.settle({ type: 'stopped' })
    for (const job of held) this.stop(job)
  }

  /** Ends all threads. Resolves when nothing runs in them any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true
    this.stopReporting()
    clearTimeout(this.retiring)
    this.settleWaiting(closedOutcome())
    this.tellUnready(closedError())
    for (const thread of this.threads) this.discard(thread, closedOutcome())
    await Promise.all(this.ending)
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

  private codeOf(code: Code): KnownCode {
    let known = this.codes.get(code.key)
    if (!known) this.codes.set(code.key, (known = { code, number: this.freeNumbers.pop() ?? this.codes.size }))
    return known
  }

  // Sending and stopping may lead back here.
  private dispatch(): void {
    if (this.isDispatching || !this.Piscina || this.isClosed) return
    this.isDispatching = true
    while (this.hasRoom() && (this.waitingCount > 0 || this.admission.isWaitedFor || this.steal())) {
      const jobs = this.nextBatch()
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

  /** The calls that go to a thread now, encoded. */
  private nextBatch(mayBeAlone = true): Job[] {
    const jobs: Job[] = []
    const size = Math.max(1, batchSize(this.waitingCount, this.size))
    let weight = 0
    while (jobs.length < size) {
      const job = (jobs.length === 0 && mayBeAlone && this.nextAdmitted()) || this.nextWaiting()
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

  /** One that waited for what it takes, and can go. */
  private nextAdmitted(): Job | undefined {
    const job = this.admission.isWaitedFor ? this.admission.next(this.waiting.peek()) : undefined
    if (job) job.place = 'queue'
    return job
  }

  private nextWaiting(): Job | undefined {
    for (let job = this.waiting.shift(); job; job = this.waiting.shift()) {
      if (job.place !== 'queue') continue
      this.waitingCount--
      if (!isClaim(job) || this.admission.admit(job)) return job
      job.place = lot
    }
    return undefined
  }

  private giveBack(job: Claim): void {
    this.admission.giveBack(job)
    if (this.admission.isWaitedFor) this.dispatch()
  }

  private hasRoom(): boolean {
    while (this.idle.length > 0) {
      const thread = this.idle.at(-1) as Thread
      if (thread.isUsable) return true
      this.idle.pop()
      this.discard(thread)
    }
    return this.threads.size < this.size && this.mayStart()
  }

  private mayStart(): boolean {
    return this.threads.size === 0 || this.startAgainAt === 0 || performance.now() >= this.startAgainAt
  }

  // The one that was used last has the warmest code.
  private freeThread(): Thread | undefined {
    return this.idle.pop() ?? (this.Piscina && this.start(this.Piscina))
  }

  private start(Piscina: PiscinaClass): Thread {
    const thread = new Thread(Piscina, this.options, this.home)
    this.threads.add(thread)
    return thread
  }

  // For those who await a thread that is ready, and have no calls for it yet.
  private prepare(): void {
    if (this.awaiting.length === 0 || this.isClosed) return
    for (const thread of this.threads) if (thread.isUsable) return
    if (this.Piscina) this.start(this.Piscina).prepare()
    else this.load()
  }

  private tellReady(): void {
    this.startAgainAt = 0
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
    this.startAgainAt = performance.now() + startAgainAfterMs
    this.onBack(jobs)
  }

  // For a thread that has nothing to do; none is started for it.
  private steal(): boolean {
    if (this.idle.length === 0) return false
    const from = longestTail(this.threads)
    const jobs = from?.giveBack() ?? []
    if (!from || jobs.length === 0) return false
    publishSteal(from.id, jobs.length)
    this.putBack(jobs)
    return true
  }

  // Of what has been handed out, only what has begun is ahead of a call of a higher priority.
  private makeWay(priority: number): void {
    if (priority < this.lowestPriority) this.lowestPriority = priority
    if (priority === this.lowestPriority) return
    for (const thread of this.threads) {
      // Also where the oldest has not begun yet: that one is kept, and those behind it come back.
      if (thread.lowestPriority < priority) this.putBack(thread.giveBack())
    }
  }

  private onFree(thread: Thread): void {
    if (!thread.isUsable || this.isClosed) this.discard(thread)
    else {
      this.stillborn = 0
      this.idle.push(thread)
      this.retireLater()
    }
    this.dispatch()
  }

  // Whoever makes thousands of calls in one go shall find many of them done when they are through.
  private topUp(): void {
    if (this.isDispatching) return
    for (const thread of this.threads) {
      if (batchSize(this.waitingCount, this.size) < smallestTopUp) return
      if (!this.idle.includes(thread) && thread.runsDry()) this.onRoom(thread)
    }
  }

  // Only what fills a thread for a while is worth a message that it does not wait for.
  private onRoom(thread: Thread): void {
    if (this.isDispatching || this.isClosed || batchSize(this.waitingCount, this.size) < smallestRefill) return
    const jobs = this.nextBatch(false)
    if (jobs.length > 0) this.hand(jobs, thread)
  }

  private onBack(jobs: readonly Job[]): void {
    if (this.isClosed) for (const job of jobs) job.settle(closedOutcome())
    else this.putBack(jobs)
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
    const jobs = [...this.waiting.drain(), ...this.admission.drain()]
    this.waitingCount = 0
    for (const job of jobs) job.settle(outcome)
  }

  private putBack(jobs: readonly Job[]): void {
    this.waitingCount += jobs.length
    for (const job of jobs) if (isClaim(job)) this.admission.giveBack(job)
    this.waiting.putBack(jobs)
  }

  /** Stops a call: one that waits, at once; one that a thread has, as that does. */
  stop(job: Job): void {
    if (job.place === 'settled') return
    if (job.place !== 'queue') return job.place.stop(job)
    this.waitingCount--
    job.isStopping = true
    job.settleSoon({ type: 'stopped' })
  }

  private discard(thread: Thread, outcome?: Outcome): void {
    this.threads.delete(thread)
    const ended = thread.end(outcome).finally(() => this.ending.delete(ended))
    this.ending.add(ended)
  }

  private retireLater(): void {
    const { idleTimeoutMs } = this.options
    if (idleTimeoutMs === undefined || this.retiring) return
    this.retiring = setTimeout(() => this.retire(idleTimeoutMs), idleTimeoutMs).unref()
  }

  /** Ends the threads that have been without work for that long. */
  private retire(idleTimeoutMs: number): void {
    this.retiring = undefined
    const longAgo = performance.now() - idleTimeoutMs
    const kept = this.idle.filter(thread => thread.busyUntil > longAgo)
    for (const thread of this.idle) if (thread.busyUntil <= longAgo) this.discard(thread)
    this.idle.splice(0, this.idle.length, ...kept)
    if (this.threads.size > 0) this.retireLater()
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

function closedOutcome(): Outcome {
  return crashed(closedError())
}

function closedError(): MintakaError {
  return new MintakaError('EXECUTOR_CLOSED', 'The threads of the executor were ended before the task had.')
}

function whenStopped(call: WorkCall, job: Job): void {
  if (call.whenStopped) return call.whenStopped(job)
  const callback = () => job.onStop()
  const { signal } = call
  if (signal.aborted) callback()
  else signal.addEventListener('abort', callback)
}
