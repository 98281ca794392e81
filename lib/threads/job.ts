import type { Call, Outcome, StopListener } from '../core/executor.js'
import type { Demand } from './admission.js'
import type { Queued } from './fair-queue.js'
import type { KnownCode } from './known-codes.js'
import type { Code } from './protocol.js'
import { isPrimitive } from './weight.js'

type Needed = 'id' | 'name' | 'attempt' | 'flowRunId' | 'tags' | 'signal' | 'started' | 'log' | 'printed' | 'progress'

export interface WorkCall extends Pick<Call, Needed>, Partial<Pick<Call, 'series' | 'idNumber' | 'nameNumber'>> {
  /** Calls with a deadline never share a parcel. */
  readonly timeoutMs?: number | undefined
  /** Calls back when `signal` fires, or has fired. An AbortController for every call costs a fifth of the throughput. */
  whenStopped?(listener: StopListener): void
}

/** What a thread needs to carry out a call. */
export interface Work {
  readonly call: WorkCall
  readonly code: Code
  readonly priority: number
  /** On whose behalf: owners of equal priority are served in turn. */
  readonly owner?: object | undefined
  /** What the call takes while it runs. */
  readonly demand?: Demand | undefined
  readonly args: readonly unknown[]
  /** The list of arguments in wire form; `moved` takes the buffers to move. Throws NOT_SENDABLE. */
  encodeArgs(moved: ArrayBuffer[]): unknown
  /** Told once, when the code of the call has ended or was stopped. `times` are missing if it never began. */
  ended(outcome: Outcome, times: Times | undefined): void
}

/** When things happened to a call, epoch milliseconds with fractions. */
export interface Times {
  readonly queuedAt: number
  readonly startedAt: number
  readonly endedAt: number
}

/** The pool of a call, and where it is when it is not in the queue. */
export interface JobPlace {
  stop(job: Job): void
}

/** What only few calls have: those that wait are many, and should be small. */
interface Odd {
  grace?: NodeJS.Timeout | undefined
  verdict?: Outcome | undefined
  moved?: ArrayBuffer[] | undefined
  wire?: unknown
  onOver?: (() => void) | undefined
}

/** A call, from the moment the pool is given it until it is settled. */
export class Job implements Queued {
  readonly work: Work
  readonly code: KnownCode
  /** Calls are counted in the order in which they came. */
  readonly order: number
  readonly queuedAt: number
  /** Waiting, on the way to a thread or in one, or settled. */
  place: 'queue' | JobPlace | 'settled' = 'queue'
  /** Its number among the calls of its thread. */
  n = 0
  /** It shares no parcel. */
  isAlone: boolean
  wasReported = false
  isStopping = false
  private readonly pool: JobPlace
  private odd: Odd | undefined = undefined

  constructor(pool: JobPlace, work: Work, code: KnownCode, order: number, queuedAt: number) {
    this.pool = pool
    this.work = work
    this.code = code
    this.order = order
    this.queuedAt = queuedAt
    this.isAlone = work.call.timeoutMs !== undefined || work.demand !== undefined
  }

  get priority(): number {
    return this.work.priority
  }

  get owner(): unknown {
    return this.work.owner
  }

  get demand(): Demand | undefined {
    return this.work.demand
  }

  get isOver(): boolean {
    return this.place === 'settled'
  }

  /** Told when it has ended, for whoever keeps something for it. */
  set onOver(callback: () => void) {
    this.few.onOver = callback
  }

  /** When its time of grace is over, once it has been asked to stop. */
  set grace(timer: NodeJS.Timeout) {
    this.few.grace = timer
  }

  /** How it ends whatever its code makes of it. */
  set verdict(outcome: Outcome) {
    this.few.verdict = outcome
  }

  /** The buffers that its arguments move: once sent, they cannot be sent again. */
  get moved(): ArrayBuffer[] | undefined {
    return this.odd?.moved
  }

  /** The list of arguments in wire form, once it had to be encoded. */
  get wire(): unknown {
    return this.odd?.wire
  }

  /** Has the call stopped when its signal fires, or has fired. */
  listen(): void {
    const { call } = this.work
    if (call.whenStopped) return call.whenStopped(this)
    const { signal } = call
    if (signal.aborted) this.onStop()
    else signal.addEventListener('abort', () => this.onStop())
  }

  /** It shall stop, says whoever wanted it. */
  onStop(): void {
    this.pool.stop(this)
  }

  private get few(): Odd {
    this.odd ??= {}
    return this.odd
  }

  /** Encodes the arguments, unless they are fit to be sent as they are. Once. Throws NOT_SENDABLE. */
  encode(): void {
    if (this.wire !== undefined || this.work.args.every(isPrimitive)) return
    const moved: ArrayBuffer[] = []
    this.few.wire = this.work.encodeArgs(moved)
    if (moved.length > 0) {
      this.few.moved = moved
      this.isAlone = true
    }
  }

  began(at: number | undefined): void {
    if (this.wasReported || at === undefined) return
    this.wasReported = true
    // Clocks of two threads may differ by a little.
    this.work.call.started(Math.floor(Math.max(at, this.queuedAt)))
  }

  /** For an end that is known while somebody still hands the call over: told when they are through. */
  settleSoon(outcome: Outcome): void {
    if (this.place === 'settled') return
    this.place = 'settled'
    this.odd?.onOver?.()
    queueMicrotask(() => this.work.ended(this.isStopping ? { type: 'stopped' } : outcome, undefined))
  }

  /** `startedAt` and `endedAt` as the thread has noted them. */
  settle(outcome: Outcome, startedAt?: number, endedAt?: number): void {
    if (this.place === 'settled') return
    this.place = 'settled'
    const { odd } = this
    odd?.onOver?.()
    clearTimeout(odd?.grace)
    const { queuedAt } = this
    const times =
      startedAt === undefined || endedAt === undefined
        ? undefined
        : { queuedAt, startedAt: Math.max(startedAt, queuedAt), endedAt }
    this.work.ended(this.isStopping ? { type: 'stopped' } : (odd?.verdict ?? outcome), times)
  }
}
