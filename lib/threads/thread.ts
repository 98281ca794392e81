import type { Worker } from 'node:worker_threads'
import type { Piscina as PiscinaType } from 'piscina'
import type { Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import { Claims } from './claims.js'
import { type Job, outcomeOf } from './job.js'
import { isCloneError, notSendable, workerLost } from './losses.js'
import { oneThread, type PiscinaClass, type WorkerOptions } from './one-thread.js'
import { allowanceAfterDelay, allowanceAfterReturn, largestBatch, patienceMs } from './policy.js'
import { print } from './print.js'
import { type Notice, type PackedReplies, packBatch, packCall, type Reply, unpackReplies } from './protocol.js'

export interface ThreadOptions extends WorkerOptions {
  /** How long code that was asked to stop may go on before its thread is ended. Default 500. */
  readonly cancelGraceMs?: number | undefined
  /** Told of what fails in the background, after the task that caused it has ended. */
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Where a thread belongs. */
export interface ThreadHome {
  /** Its batch is over: the thread takes another, or is of no more use. */
  onFree(thread: Thread): void
  /** Calls that have not begun come back. */
  onBack(jobs: readonly Job[]): void
}

interface Batch {
  /** The number of its first call. */
  readonly first: number
  readonly jobs: readonly Job[]
  /** How many are neither settled nor taken back. */
  left: number
  /** All before it have begun or were taken back. */
  next: number
  /** Whether a call kept the others waiting. */
  isLate: boolean
  /** Whether the thread has said that it is through. */
  isThrough: boolean
}

/**
 * One thread and the batch of calls it runs, one call at a time. Starts its thread with its first batch; once it has
 * lost or ended it, it is of no more use.
 */
export class Thread {
  /** Whether it can take another batch: `false` once its thread is lost, ended or not to be trusted. */
  isUsable = true
  private readonly piscina: PiscinaType
  private readonly claims: Claims
  private readonly options: ThreadOptions
  private readonly home: ThreadHome
  /** The numbers of the codes that the worker has. */
  private readonly known = new Set<number>()
  private worker: Worker | undefined
  private batch: Batch | undefined
  private hasBegun = false
  private n = 0
  private ending: Promise<void> | undefined

  constructor(Piscina: PiscinaClass, options: ThreadOptions, home: ThreadHome) {
    const memory = new SharedArrayBuffer(Claims.bytes)
    this.claims = new Claims(memory)
    this.options = options
    this.home = home
    this.piscina = oneThread(Piscina, memory, options)
    this.piscina.on('error', error => this.onBackgroundError(error))
    this.piscina.on('workerDestroy', () => this.forgetWorker())
    this.piscina.on('message', notice => this.onNotice(notice as Notice))
  }

  /** Carries calls out that have been encoded, one after the other. */
  carryOut(jobs: readonly Job[]): void {
    const first = this.n + 1
    this.n += jobs.length
    this.batch = { first, jobs, left: jobs.length, next: 0, isLate: false, isThrough: false }
    this.claims.offer(jobs.length)
    const packed = packBatch(first)
    for (const [index, job] of jobs.entries()) {
      const { call } = job.work
      const { code, number } = job.code
      job.place = this
      job.index = index
      const newCode = this.known.has(number) ? undefined : code
      if (newCode) this.known.add(number)
      const { id, name, flowRunId, attempt, tags } = call
      packCall(packed, { id, name, flowRunId, attempt, tags, code: number, newCode, args: job.args() })
    }
    const moved = jobs[0]?.moved
    this.piscina.run(packed, moved ? { transferList: moved } : undefined).then(this.onThrough, this.onLost)
    this.worker ??= this.piscina.threads[0]
  }

  /** How many calls of its batch have not begun and may be taken back: none before the first of them has. */
  get tail(): number {
    const { batch } = this
    if (!batch || batch.jobs.length === 1 || this.claims.isFree(0)) return 0
    return batch.jobs.length - this.skipBegun(batch)
  }

  /** The lowest priority in its batch: the last one's. */
  get lowestPriority(): number {
    return this.batch?.jobs.at(-1)?.work.priority ?? Number.POSITIVE_INFINITY
  }

  /** Takes back the calls that have not begun. A thread that has yet to begin keeps its first. */
  giveBack(from = this.claims.isFree(0) ? 1 : 0): Job[] {
    const { batch } = this
    if (!batch) return []
    const jobs = batch.jobs.filter(job => job.place === this && job.index >= from && this.claims.takeBack(job.index))
    batch.left -= jobs.length
    for (const job of jobs) job.place = 'queue'
    return jobs
  }

  /** Stops a call: one that has not begun never will; code that runs is asked, and ended after the time of grace. */
  stop(job: Job): void {
    const { batch } = this
    if (!batch) return
    job.isStopping = true
    if (this.claims.takeBack(job.index)) {
      batch.left--
      job.settle({ type: 'stopped' })
      return this.freeIfOver(batch)
    }
    this.claims.stop(batch.first + job.index)
    job.grace = setTimeout(() => this.loseFor(job, { type: 'stopped' }), this.options.cancelGraceMs ?? 500)
  }

  /** Says of calls that they have begun, and gives back those that wait too long for the one that runs. */
  report(now: number): void {
    const { batch } = this
    if (!batch) return
    const next = this.skipBegun(batch)
    const job = batch.jobs.slice(0, next).findLast(job => job.place === this)
    const at = job && this.claims.begunAt(job.index)
    if (!job || at === undefined || !this.claims.isRunning(job.index)) return
    job.began(at)
    if (now - at < patienceMs || next === batch.jobs.length) return
    batch.isLate = true
    job.code.allowance = allowanceAfterDelay(job.code.allowance, next)
    this.home.onBack(this.giveBack())
  }

  /** Whether there is a call of which nobody has been told that it has begun. */
  get hasUnreported(): boolean {
    return this.batch?.jobs.some(job => job.place === this && !job.wasReported) ?? false
  }

  /** Ends the thread and, with that outcome, all its calls. Resolves when nothing of it runs any more. */
  end(outcome?: Outcome): Promise<void> {
    this.isUsable = false
    this.ending ??= this.shutDown(() => outcome ?? { type: 'stopped' })
    return this.ending
  }

  private async shutDown(outcomeOf: (job: Job) => Outcome): Promise<void> {
    // What was posted comes before the end of the thread.
    if (this.batch) await this.worker?.terminate()
    await this.piscina.destroy()
    const { batch } = this
    if (!batch) return
    this.batch = undefined
    const lost = batch.jobs.filter(job => job.place === this)
    for (const job of lost) job.began(this.claims.begunAt(job.index))
    this.home.onFree(this)
    for (const job of lost) job.settle(outcomeOf(job))
  }

  // Calls begin in order; one that was taken back before its turn is passed over.
  private skipBegun(batch: Batch): number {
    while (batch.next < batch.jobs.length && !this.claims.isFree(batch.next)) batch.next++
    return batch.next
  }

  private forgetWorker(): void {
    this.worker = undefined
    this.known.clear()
  }

  private readonly onThrough = (packed: PackedReplies | undefined): void => {
    const { batch } = this
    if (!batch) return
    this.hasBegun = true
    batch.isThrough = true
    if (!batch.isLate) allowMore(batch.jobs)
    if (packed) this.onReplies(packed)
    this.freeIfOver(batch)
  }

  private onReplies(packed: PackedReplies): void {
    for (const [n, reply] of unpackReplies(packed)) {
      const job = this.jobOf(n)
      if (!job) continue
      job.reply = reply
      if (job.isComplete) this.settle(job, reply)
    }
  }

  private settle(job: Job, reply: Reply): void {
    const { batch } = this
    if (!batch) return
    const at = this.claims.begunAt(job.index)
    batch.left--
    this.freeIfOver(batch)
    if (reply.type !== 'stopped') job.began(at)
    job.settle(outcomeOf(reply))
  }

  // Before the last call is settled: the thread shall not wait for what that sets off.
  private freeIfOver(batch: Batch): void {
    if (this.batch !== batch || !batch.isThrough || batch.left > 0 || this.ending) return
    this.batch = undefined
    this.home.onFree(this)
  }

  private jobOf(n: number): Job | undefined {
    const job = this.batch?.jobs[n - this.batch.first]
    return job?.place === this ? job : undefined
  }

  private readonly onLost = (error: unknown): void => {
    const { batch } = this
    if (!batch || this.ending) return
    if (isCloneError(error)) return this.onUnsent(batch, error)
    const isBorn = this.hasBegun || !this.claims.isFree(0)
    this.lose(isBorn ? 0 : 1, job =>
      crashed(workerLost(job.code.code.taskName, error, isBorn && !this.claims.isRunning(job.index))),
    )
  }

  // Nothing has reached the thread. Whose fault it is, shows when they are sent one by one.
  private onUnsent(batch: Batch, error: unknown): void {
    this.batch = undefined
    for (const { code } of batch.jobs) this.known.delete(code.number)
    const [only] = batch.jobs
    this.home.onFree(this)
    if (only && batch.jobs.length === 1) {
      return only.settle({ type: 'threw', error: notSendable(only.code.code.taskName, 'an argument', error) })
    }
    const back = batch.jobs.filter(job => job.place === this)
    for (const job of back) job.isAlone = true
    this.home.onBack(back)
  }

  /** Ends the thread: what it has not begun, counted from `from`, goes back; what it has posted counts. */
  private lose(from: number, outcomeOf: (job: Job) => Outcome): void {
    this.isUsable = false
    const back = this.giveBack(from)
    // What was moved is gone.
    const resendable = back.filter(job => !job.moved)
    this.ending ??= this.shutDown(outcomeOf)
    for (const job of back) if (job.moved) job.settle(outcomeOf(job))
    this.home.onBack(resendable)
  }

  /** Ends the thread because of one call, if that is the one that runs. */
  private loseFor(job: Job, outcome: Outcome): void {
    if (job.place !== this || this.ending) return
    job.verdict = outcome
    const back = this.giveBack(0)
    if (!this.claims.isRunning(job.index)) {
      // It has ended, and its reply is held up: no other call shall pay for that.
      this.home.onBack(back)
      return this.endOnly(job, outcome)
    }
    job.began(this.claims.begunAt(job.index))
    const lost = new Error('it was ended to stop another task')
    this.lose(0, other => (other === job ? outcome : crashed(workerLost(other.code.code.taskName, lost, true))))
    this.home.onBack(back)
  }

  private endOnly(job: Job, outcome: Outcome): void {
    const { batch } = this
    if (!batch) return
    job.began(this.claims.begunAt(job.index))
    job.settle(outcome)
    batch.left--
    this.freeIfOver(batch)
  }

  private onBackgroundError(error: unknown): void {
    // Without a call that it belongs to, Piscina reports it here: also when a thread could not even start.
    if (this.batch) this.onLost(error)
    else this.warnOfStray(undefined, error)
  }

  private onNotice(notice: Notice): void {
    if (notice.mintaka === 'replies') return this.onReplies(notice.replies)
    const job = this.jobOf(notice.n)
    switch (notice.mintaka) {
      case 'log':
        job?.work.call.log(notice.level, notice.message, fromWire(notice.fields) as Fields, notice.at)
        break
      case 'printed':
        print(notice.level, notice.text)
        job?.work.call.printed(notice.level, notice.text, notice.at)
        break
      case 'progress':
        job?.work.call.progress(notice.fraction, notice.note)
        break
      case 'stray':
        return this.onStray(job, notice.taskName, fromWire(notice.error))
      case 'unsent':
        if (job) this.lose(0, () => unsent(job, fromWire(notice.error)))
        return
      default:
        return
    }
    if (!job) return
    job.received++
    if (job.reply && job.isComplete) this.settle(job, job.reply)
  }

  // Of a running call: it fails, and as its code may still go on, its thread ends. Of an earlier one or nobody's: no
  // other call shall pay for it, so the thread begins none after the running one.
  private onStray(job: Job | undefined, taskName: string | undefined, error: unknown): void {
    this.isUsable = false
    if (job) return this.loseFor(job, { type: 'threw', error })
    this.warnOfStray(taskName, error)
    if (this.batch) this.home.onBack(this.giveBack())
    else void this.end()
  }

  private warnOfStray(taskName: string | undefined, error: unknown): void {
    const whose = taskName === undefined ? 'a task' : `task '${taskName}'`
    this.options.warn(`Something that ${whose} left running in a worker failed after the task had ended.`, { error })
  }
}

// Once per batch, whether it holds one call of that code or many.
function allowMore(jobs: readonly Job[]): void {
  const growing = jobs.filter(job => job.code.allowance < largestBatch).map(job => job.code)
  for (const code of new Set(growing)) code.allowance = allowanceAfterReturn(code.allowance)
}

type Fields = Readonly<Record<string, unknown>> | undefined

function unsent(job: Job, error: unknown): Outcome {
  return { type: 'threw', error: notSendable(job.code.code.taskName, 'the result', error) }
}

function crashed(error: unknown): Outcome {
  return { type: 'crashed', error }
}
