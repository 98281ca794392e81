import type { Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import { publishBatch, publishThreadEnd, publishThreadLost, publishThreadStart } from './channels.js'
import { Ends } from './ends.js'
import { HeldCalls } from './held-calls.js'
import type { Job } from './job.js'
import { Lookout } from './lookout.js'
import { crashed, isCloneError, notSendable, setupFailed, workerLost } from './losses.js'
import { OneThread, type PiscinaClass, type WorkerOptions } from './one-thread.js'
import { Packer } from './packer.js'
import { mayRefill, patienceMs } from './policy.js'
import { look, type Notice } from './protocol.js'
import { pass } from './said.js'
import { Slots } from './slots.js'

export interface ThreadOptions extends WorkerOptions {
  /** How long code that was asked to stop may go on before its thread is ended. Default 500. */
  readonly cancelGraceMs?: number | undefined
  /** Told of what fails in the background, after the task that caused it has ended. */
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>, flowRunId?: string) => void
}

/** Where a thread belongs. */
export interface ThreadHome {
  /** It holds no calls any more: it takes others, or is of no more use. */
  onFree(thread: Thread): void
  /** It will soon have none left. */
  onRoom(thread: Thread): void
  /** Calls that have not begun come back. */
  onBack(jobs: readonly Job[]): void
  /** It has begun its first call, for all that is known. */
  onBegun(): void
  /** It ended before it could begin anything; what it held comes back. */
  onStillborn(jobs: readonly Job[], error: unknown): void
  /** It has been set up. Nothing is said where there is nothing to set up. */
  onReady(): void
  /** Its setup has failed; what it held comes back. */
  onUnready(jobs: readonly Job[], error: unknown): void
}

/**
 * One thread and the calls it holds, which it runs one at a time in the order in which they came. Once it has lost or
 * ended its thread, it is of no more use.
 *
 * Results are found in shared memory. Whenever everything found has been dealt with, the thread is asked to say when
 * there is more: so results come as soon as they can be used, many at a time when there are many.
 */
export class Thread {
  /** Whether it can take more calls: `false` once its thread is lost, ended or not to be trusted. */
  isUsable = true
  /** Whether it has been set up. */
  isReady: boolean
  /** When it last had calls, as `performance.now()` tells. */
  busyUntil = performance.now()
  private readonly slots: Slots
  private readonly thread: OneThread
  private readonly options: ThreadOptions
  private readonly home: ThreadHome
  private readonly held: HeldCalls
  private readonly packer: Packer
  private readonly ends: Ends
  private readonly lookout: Lookout
  private hasBegun = false
  /** Whether its home knows that it holds no calls. */
  private isFree = false
  private isPreparing = false
  private ending: Promise<void> | undefined

  constructor(Piscina: PiscinaClass, options: ThreadOptions, home: ThreadHome) {
    const memory = new SharedArrayBuffer(Slots.bytes)
    this.slots = new Slots(memory)
    this.held = new HeldCalls(this.slots, this)
    this.packer = new Packer(this.slots)
    this.ends = new Ends(this.slots, this.held, () => this.drain())
    this.lookout = new Lookout(this.slots, this.held, this.ends, () => this.onLook())
    this.options = options
    this.home = home
    this.isReady = options.setup === undefined
    this.thread = new OneThread(Piscina, memory, options, {
      onNotice: notice => this.onNotice(notice),
      onLost: error => this.onLost(error),
    })
    publishThreadStart(this.id)
  }

  /** The `threadId` of its thread. */
  get id(): number {
    return this.thread.id
  }

  /** Whether it can take more calls and has begun some: its worker has started, and lives. */
  get isProven(): boolean {
    return this.isUsable && (this.hasBegun || this.held.running !== undefined)
  }

  /** Has it set up before there are calls for it; it is free when that is done, and keeps the process alive until then. */
  prepare(): void {
    this.isPreparing = true
    this.thread.port.ref()
  }

  /** Carries calls out that have been encoded, one after the other. */
  carryOut(jobs: readonly Job[]): void {
    this.isFree = false
    const first = this.held.number(jobs)
    const parcel = this.packer.pack(first, jobs)
    // Before it can begin: it may be through before this goes on.
    this.slots.want()
    try {
      this.thread.port.postMessage(parcel, jobs[0]?.moved)
    } catch (error) {
      return this.onUnsent(jobs, error)
    }
    publishBatch(this.id, jobs.length)
    if (this.held.left === 0) this.thread.port.ref()
    this.held.sent(jobs)
    this.slots.ring()
  }

  /** The number of a code will mean another code. */
  forget(number: number): void {
    this.packer.forget(number)
  }

  /** How many of its calls have not begun and may be taken back: none before the first of them has. */
  get tail(): number {
    return this.held.tail
  }

  /** The calls that it holds, oldest first. */
  get calls(): Iterable<Job> {
    return this.held
  }

  /** The lowest priority among its calls. */
  get lowestPriority(): number {
    return this.held.lowestPriority
  }

  /** Takes back the calls that have not begun. A thread that has yet to begin keeps its first. */
  giveBack(): Job[] {
    return this.held.takeBackAll(this.slots.isFree(this.held.first) ? this.held.first : undefined)
  }

  /** Stops a call: one that has not begun never will; code that runs is asked, and ended after the time of grace. */
  stop(job: Job): void {
    job.isStopping = true
    if (this.held.takeBack(job)) {
      job.settle({ type: 'stopped' })
      return this.freeIfOver()
    }
    // There is room for one that shall stop: not for one that has ended, and waits to be settled.
    if (this.slots.isRunning(job.n)) this.slots.stop(job.n)
    job.grace = setTimeout(() => this.loseFor(job, { type: 'stopped' }), this.options.cancelGraceMs ?? 500)
  }

  /** Says of the call that runs that it has begun, and gives back those that wait too long for it. */
  report(now: number): void {
    const at = this.held.tellBegun()
    if (at !== undefined && now - at >= patienceMs && this.held.tail > 0) this.home.onBack(this.giveBack())
  }

  /** Whether there is a call of which nobody has been told that it has begun, or one that waits behind another. */
  get needsReports(): boolean {
    return this.held.needsReports
  }

  /** Ends the thread and, with that outcome, all its calls. Resolves when nothing of it runs any more. */
  end(outcome: Outcome = { type: 'stopped' }): Promise<void> {
    return this.endWith(() => outcome)
  }

  private endWith(outcomeOf: (job: Job) => Outcome): Promise<void> {
    this.isUsable = false
    this.ending ??= this.shutDown(outcomeOf)
    return this.ending
  }

  private async shutDown(outcomeOf: (job: Job) => Outcome): Promise<void> {
    this.lookout.close()
    await this.thread.end()
    publishThreadEnd(this.id)
    this.drain()
    this.findEnded()
    const lost = this.held.abandon()
    this.thread.close()
    this.home.onFree(this)
    this.ends.settle()
    for (const job of lost) {
      job.began(this.slots.begunAt(job.n))
      job.settle(outcomeOf(job))
    }
  }

  // --- what has ended

  private onLook(): void {
    this.findEnded()
    this.freeIfOver()
  }

  /**
   * Whether it would soon be through with what it holds: for a pool that is given calls without an end, and has no turn of
   * the loop meanwhile. What has ended is settled when it has.
   */
  runsDry(): boolean {
    if (!this.isUsable) return false
    this.findEnded(true)
    return this.held.left === 0 || this.mayRefill()
  }

  private findEnded(isQuiet = false): void {
    if (this.ends.find(isQuiet)) this.begin()
  }

  private mayRefill(): boolean {
    return mayRefill(this.held.span, this.ends.meanMs)
  }

  private freeIfOver(): void {
    if (this.ending) return
    if (this.held.left === 0) this.becomeFree()
    else if (this.isUsable && this.mayRefill()) this.home.onRoom(this)
  }

  // Said once: what is looked at once more has not ended once more.
  private becomeFree(): void {
    if (this.isFree) return
    this.isFree = true
    this.busyUntil = performance.now()
    this.thread.port.unref()
    this.lookout.leaveNothing()
    this.home.onFree(this)
  }

  // --- losses

  // Nothing has reached the thread. Whose fault it is, shows when they are sent one by one.
  private onUnsent(jobs: readonly Job[], error: unknown): void {
    this.held.unsent(jobs)
    this.packer.unsent(jobs)
    const [only] = jobs
    if (this.held.left === 0) this.becomeFree()
    if (only && jobs.length === 1) {
      const cause = isCloneError(error) ? notSendable(only.code.code.taskName, 'an argument', error) : error
      return only.settleSoon({ type: 'threw', error: cause })
    }
    for (const job of jobs) job.isAlone = true
    this.home.onBack(jobs)
  }

  private onLost(error: unknown): void {
    if (this.ending) return
    publishThreadLost(this.id, error)
    this.drain()
    this.findEnded()
    const { running } = this.held
    const lostTo = (job: Job, hadEnded: boolean) => crashed(workerLost(job.code.code.taskName, error, hadEnded))
    if (!this.hasBegun && !running) {
      const back = this.giveUp(job => lostTo(job, false))
      this.home.onStillborn(back, error)
    } else {
      this.begin()
      if (!running) this.warnOfStray(undefined, workerLost('an earlier task', error))
      this.home.onBack(this.giveUp(job => lostTo(job, !this.slots.isRunning(job.n))))
    }
    this.ends.settle()
  }

  private begin(): void {
    if (!this.hasBegun) this.home.onBegun()
    this.hasBegun = true
  }

  /** Ends the thread: what it has finished counts. Gives what it has not begun, and another could carry out. */
  private giveUp(outcomeOf: (job: Job) => Outcome): Job[] {
    const back = this.held.takeBackAll()
    void this.endWith(outcomeOf)
    // What was moved is gone.
    for (const job of back) if (job.moved) job.settle(outcomeOf(job))
    return back.filter(job => !job.moved)
  }

  /** Ends the thread because of one call, if that is the one that runs. */
  private loseFor(job: Job, outcome: Outcome): void {
    if (job.place !== this || this.ending) return
    job.verdict = outcome
    if (!this.slots.isRunning(job.n)) return this.lookout.look()
    job.began(this.slots.begunAt(job.n))
    const lost = new Error('it was ended to stop another task')
    publishThreadLost(this.id, lost, job.code.code.taskName)
    const outcomeOf = (other: Job) =>
      other === job ? outcome : crashed(workerLost(other.code.code.taskName, lost, true))
    this.home.onBack(this.giveUp(outcomeOf))
  }

  private onReady(): void {
    this.isReady = true
    if (this.isPreparing && !this.ending) this.freeIfOver()
    this.isPreparing = false
    this.home.onReady()
  }

  private onUnready(error: unknown): void {
    if (this.ending) return
    const back = this.giveUp(() => crashed(setupFailed(error)))
    this.home.onUnready(back, error)
  }

  // --- what the thread says

  /** Takes what has been posted now, not when the loop comes to it. */
  private drain(): void {
    for (const notice of this.thread.posted()) this.hear(notice)
  }

  private onNotice(notice: Notice): void {
    this.hear(notice)
    if (notice === look || notice.type === 'reply') this.lookout.look()
  }

  private hear(notice: Notice): void {
    if (notice === look) return
    if (notice.type === 'home') return void import('./home.js').then(({ welcome }) => welcome(notice.port))
    if (notice.type === 'ready') return this.onReady()
    if (notice.type === 'unready') return this.onUnready(fromWire(notice.error))
    const job = this.held.at(notice.n)
    if (notice.type === 'stray') return this.onStray(job, notice)
    if (notice.type !== 'reply') return pass(notice, job?.work.call)
    if (job) this.ends.replied(notice.n, notice.reply)
  }

  // Of a running call: it fails, and as its code may still go on, its thread ends. Of an earlier one or nobody's: no
  // other call shall pay for it, so the thread begins none after the running one.
  private onStray(job: Job | undefined, { taskName, flowRunId, error: wire }: Stray): void {
    if (this.ending) return
    const error = fromWire(wire)
    if (!this.isReady) return this.onUnready(error)
    this.isUsable = false
    if (job) return this.loseFor(job, { type: 'threw', error })
    this.warnOfStray(taskName, error, flowRunId)
    if (this.held.left > 0) this.home.onBack(this.giveBack())
    else void this.end()
  }

  private warnOfStray(taskName: string | undefined, error: unknown, flowRunId?: string): void {
    const whose = taskName === undefined ? 'a task' : `task '${taskName}'`
    const text = `Something that ${whose} left running in a worker failed after the task had ended.`
    this.options.warn(text, flowRunId === undefined ? { error } : { error, flowRunId }, flowRunId)
  }
}

type Stray = Extract<Notice, { readonly type: 'stray' }>
