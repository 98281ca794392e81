import { receiveMessageOnPort } from 'node:worker_threads'
import type { Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import { publishBatch, publishThreadEnd, publishThreadLost, publishThreadStart } from './channels.js'
import { HeldCalls } from './held-calls.js'
import type { Job } from './job.js'
import { Kins } from './kins.js'
import { crashed, isCloneError, notSendable, setupFailed, workerLost } from './losses.js'
import { OneThread, type PiscinaClass, type WorkerOptions } from './one-thread.js'
import { mayGather, mayRefill, netMs, patienceMs } from './policy.js'
import { look, type Notice, type Parcel, type Reply } from './protocol.js'
import { pass } from './said.js'
import { form, Slots } from './slots.js'

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

/** A call that has ended, and how. */
interface Ended {
  readonly job: Job
  readonly outcome: Outcome
  readonly startedAt: number | undefined
  readonly endedAt: number
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
  /** The numbers of the codes that the worker has. */
  private readonly known = new Set<number>()
  private readonly kins = new Kins()
  private readonly replies = new Map<number, Reply>()
  /** How long its calls have taken of late, on average. */
  private meanMs = Number.POSITIVE_INFINITY
  /** The least that one of them has taken, of those found last and of those found before: one may have been held up. */
  private leastMs: readonly [number, number] = [0, 0]
  private hasBegun = false
  /** Whether its home knows that it holds no calls. */
  private isFree = false
  private isPreparing = false
  /** Found, and not yet settled. */
  private ended: Ended[] = []
  /** Looks for ends of which the thread could not tell. */
  private net: NodeJS.Timeout | undefined
  private isHarvesting = false
  private ending: Promise<void> | undefined

  constructor(Piscina: PiscinaClass, options: ThreadOptions, home: ThreadHome) {
    const memory = new SharedArrayBuffer(Slots.bytes)
    this.slots = new Slots(memory)
    this.held = new HeldCalls(this.slots, this)
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
    const args: unknown[] = []
    for (const job of jobs) this.pack(job, args)
    const { at, kins } = this.kins.take()
    const parcel: Parcel = [first, jobs.length, at, kins, args]
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

  /** What it shares with others by its place, numbers to its slot, its arguments to those of the others. */
  private pack(job: Job, args: unknown[]): void {
    const { code, number } = job.code
    const newCode = this.known.has(number) ? undefined : code
    if (newCode) this.known.add(number)
    const { call, args: own } = job.work
    this.slots.offer(job.n, this.kins.placeOf(job, newCode), call.idNumber ?? 0, call.nameNumber ?? 0)
    if (job.wire !== undefined) args.push(job.wire)
    else for (const arg of own) args.push(arg)
  }

  /** The number of a code will mean another code. */
  forget(number: number): void {
    this.known.delete(number)
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
    let lowest = Number.POSITIVE_INFINITY
    for (const job of this.held) lowest = Math.min(lowest, job.work.priority)
    return lowest
  }

  /** Takes back the calls that have not begun. A thread that has yet to begin keeps its first. */
  giveBack(): Job[] {
    const keeps = this.slots.isFree(this.held.first) ? this.held.first : 0
    return this.takeBack(job => job.n !== keeps)
  }

  private takeBack(mayGo: (job: Job) => boolean): Job[] {
    const back = [...this.held].filter(job => mayGo(job) && this.held.takeBack(job))
    for (const job of back) job.place = 'queue'
    return back
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
    const job = this.held.running
    const at = job && this.slots.begunAt(job.n)
    if (!job || at === undefined) return
    job.began(at)
    if (now - at >= patienceMs && this.held.tail > 0) this.home.onBack(this.giveBack())
  }

  /** Whether there is a call of which nobody has been told that it has begun, or one that waits behind another. */
  get needsReports(): boolean {
    const { left, running } = this.held
    return left > 1 || (left === 1 && !(running?.wasReported ?? false))
  }

  /** Ends the thread and, with that outcome, all its calls. Resolves when nothing of it runs any more. */
  end(outcome: Outcome = { type: 'stopped' }): Promise<void> {
    this.isUsable = false
    this.ending ??= this.shutDown(() => outcome)
    return this.ending
  }

  private async shutDown(outcomeOf: (job: Job) => Outcome): Promise<void> {
    clearTimeout(this.net)
    await this.thread.end()
    publishThreadEnd(this.id)
    this.drain()
    this.takeEnded()
    const lost = this.held.abandon()
    this.thread.close()
    this.home.onFree(this)
    this.settleEnded()
    for (const job of lost) {
      job.began(this.slots.begunAt(job.n))
      job.settle(outcomeOf(job))
    }
  }

  // --- what has ended

  /** Settles what has ended, and asks to be told of more. */
  private harvest(): void {
    if (this.isHarvesting || this.ending) return
    this.isHarvesting = true
    try {
      this.takeEnded()
      // First the thread: it shall not wait for what the results set off.
      this.freeIfOver()
      this.settleEnded()
    } finally {
      this.isHarvesting = false
    }
    this.askForMore()
  }

  private askForMore(): void {
    const { held, slots } = this
    // What settling has set off may have had the pool look in between.
    if (this.ended.length > 0) this.lookAgain()
    if (held.left === 0) return
    if (held.at(held.first)?.work.call.timeoutMs !== undefined) this.report(0)
    if (mayGather(held.left, Math.min(...this.leastMs))) return this.lookSoon()
    slots.want()
    if (slots.hasEnded(held.first) || slots.isTakenBack(held.first)) this.lookAgain()
  }

  // Not at once: others want to have their turn of the loop.
  private lookAgain(): void {
    setImmediate(() => this.harvest())
  }

  /** Asks to be told in the thread's own time; looks by itself when that may have become too long. */
  private lookSoon(): void {
    this.slots.wantSoon()
    if (this.net) this.net.refresh()
    else this.net = setTimeout(() => this.harvest(), netMs).unref()
  }

  /**
   * Whether it would soon be through with what it holds: for a pool that is given calls without an end, and has no turn of
   * the loop meanwhile. What has ended is settled when it has.
   */
  runsDry(): boolean {
    if (!this.isUsable) return false
    this.takeEnded(true)
    return this.held.left === 0 || mayRefill(this.held.span, this.meanMs)
  }

  /** Finds what has ended, for `settleEnded`: quietly, only so far as nothing else is to be heard of it. */
  private takeEnded(isQuiet = false): void {
    const { slots, ended, held } = this
    const { length } = ended
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
      const reply = this.replyOf(n)
      if (!reply) break
      const job = held.takeFirst()
      if (!job) continue
      this.begin()
      const startedAt = slots.begunAt(n)
      const endedAt = slots.endedAt(n)
      const ms = endedAt - (startedAt ?? endedAt)
      spentMs += ms
      leastMs = Math.min(leastMs, ms)
      if (reply.type === 'stopped') ended.push({ job, outcome: reply, startedAt: undefined, endedAt })
      else ended.push({ job, outcome: reply, startedAt, endedAt })
    }
    if (ended.length === length) return
    this.meanMs = spentMs / (ended.length - length)
    this.leastMs = [leastMs, this.leastMs[0]]
  }

  private settleEnded(): void {
    const { ended } = this
    this.ended = []
    for (const { job, outcome, startedAt, endedAt } of ended) {
      if (startedAt !== undefined) job.began(startedAt)
      job.settle(outcome, startedAt, endedAt)
    }
  }

  /** `undefined`: it is on its way. */
  private replyOf(n: number): Outcome | undefined {
    const { slots } = this
    const own = slots.formOf(n)
    if (own === form.stopped) return { type: 'stopped' }
    if (own === form.json) return { type: 'returned', value: fromWire(slots.resultOf(n)) }
    if (own !== form.posted) return { type: 'returned', value: slots.resultOf(n) }
    if (!this.replies.has(n)) this.drain()
    const reply = this.replies.get(n)
    this.replies.delete(n)
    if (!reply) return undefined
    const value = fromWire(reply.value)
    return reply.type === 'returned' ? { type: 'returned', value } : { type: 'threw', error: value }
  }

  private freeIfOver(): void {
    if (this.ending) return
    if (this.held.left === 0) this.becomeFree()
    else if (this.isUsable && mayRefill(this.held.span, this.meanMs)) this.home.onRoom(this)
  }

  // Said once: what is looked at once more has not ended once more.
  private becomeFree(): void {
    if (this.isFree) return
    this.isFree = true
    this.busyUntil = performance.now()
    this.thread.port.unref()
    // What has been found and not settled keeps the process until it is.
    if (this.ended.length > 0 && !this.isHarvesting) this.lookAgain()
    this.home.onFree(this)
  }

  // --- losses

  // Nothing has reached the thread. Whose fault it is, shows when they are sent one by one.
  private onUnsent(jobs: readonly Job[], error: unknown): void {
    this.held.unsent(jobs)
    for (const job of jobs) this.known.delete(job.code.number)
    this.kins.forgetAll()
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
    this.takeEnded()
    const { running } = this.held
    if (!this.hasBegun && !running) this.isStillborn(error)
    else {
      this.begin()
      if (!running) this.warnOfStray(undefined, workerLost('an earlier task', error))
      this.lose(job => crashed(workerLost(job.code.code.taskName, error, !this.slots.isRunning(job.n))))
    }
    this.settleEnded()
  }

  private begin(): void {
    if (!this.hasBegun) this.home.onBegun()
    this.hasBegun = true
  }

  private isStillborn(error: unknown): void {
    this.home.onStillborn(
      this.giveUp(job => crashed(workerLost(job.code.code.taskName, error))),
      error,
    )
  }

  /** Ends a thread that has begun nothing. Gives the calls that another could carry out; what was moved is gone. */
  private giveUp(outcomeOf: (job: Job) => Outcome): Job[] {
    const back = this.takeBack(() => true)
    void this.end()
    for (const job of back) if (job.moved) job.settle(outcomeOf(job))
    return back.filter(job => !job.moved)
  }

  /** Ends the thread: what it has not begun goes back, what it has finished counts. */
  private lose(outcomeOf: (job: Job) => Outcome): void {
    this.isUsable = false
    const back = this.takeBack(() => true)
    this.ending ??= this.shutDown(outcomeOf)
    // What was moved is gone.
    for (const job of back) if (job.moved) job.settle(outcomeOf(job))
    this.home.onBack(back.filter(job => !job.moved))
  }

  /** Ends the thread because of one call, if that is the one that runs. */
  private loseFor(job: Job, outcome: Outcome): void {
    if (job.place !== this || this.ending) return
    job.verdict = outcome
    if (!this.slots.isRunning(job.n)) return this.harvest()
    job.began(this.slots.begunAt(job.n))
    const lost = new Error('it was ended to stop another task')
    publishThreadLost(this.id, lost, job.code.code.taskName)
    this.lose(other => (other === job ? outcome : crashed(workerLost(other.code.code.taskName, lost, true))))
  }

  private onReady(): void {
    this.isReady = true
    if (this.isPreparing && !this.ending) this.freeIfOver()
    this.isPreparing = false
    this.home.onReady()
  }

  private onUnready(error: unknown): void {
    if (this.ending) return
    this.home.onUnready(
      this.giveUp(() => crashed(setupFailed(error))),
      error,
    )
  }

  // --- what the thread says

  /** Takes what has been posted now, not when the loop comes to it. */
  private drain(): void {
    for (let entry = this.receive(); entry; entry = this.receive()) this.hear(entry.message as Notice)
  }

  private receive(): { readonly message: unknown } | undefined {
    return receiveMessageOnPort(this.thread.port)
  }

  private onNotice(notice: Notice): void {
    this.hear(notice)
    if (notice === look || notice.type === 'reply') this.harvest()
  }

  private hear(notice: Notice): void {
    if (notice === look) return
    if (notice.type === 'home') return void import('./home.js').then(({ welcome }) => welcome(notice.port))
    if (notice.type === 'ready') return this.onReady()
    if (notice.type === 'unready') return this.onUnready(fromWire(notice.error))
    const job = this.held.at(notice.n)
    if (notice.type === 'stray') return this.onStray(job, notice)
    if (notice.type !== 'reply') return pass(notice, job?.work.call)
    if (job) this.replies.set(notice.n, notice.reply)
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
