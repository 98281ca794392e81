import type { Call, Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import type { Code, Reply } from './protocol.js'

type Needed = 'id' | 'name' | 'attempt' | 'flowRunId' | 'tags' | 'signal' | 'started' | 'log' | 'printed' | 'progress'

export interface WorkCall extends Pick<Call, Needed> {
  /** Calls with a deadline never share a batch. */
  readonly timeoutMs?: number | undefined
  /** Calls back when `signal` fires, or has fired. An AbortController for every call costs a fifth of the throughput. */
  whenStopped?(callback: () => void): void
}

/** What a thread needs to carry out a call. */
export interface Work {
  readonly call: WorkCall
  readonly code: Code
  readonly priority: number
  /** The list of arguments in wire form; `moved` takes the buffers to move. Throws NOT_SENDABLE. */
  encodeArgs(moved: ArrayBuffer[]): unknown
}

/** A code, as a pool knows it. */
export interface KnownCode {
  readonly code: Code
  readonly number: number
  /** The most of its calls that may share a batch. */
  allowance: number
}

/** Where a call is when it is not in the queue. */
interface JobPlace {
  stop(job: Job): void
}

/** A call, from the moment the pool is given it until it is settled. */
export class Job {
  readonly work: Work
  readonly code: KnownCode
  /** Calls are counted in the order in which they came. */
  readonly order: number
  /** Waiting, on the way to a thread or in one, or settled. */
  place: 'queue' | JobPlace | 'settled' = 'queue'
  /** Its place among the calls of its batch. */
  index = 0
  isAlone: boolean
  wasReported = false
  isStopping = false
  /** How many of its notices have come. */
  received = 0
  reply: Reply | undefined
  grace: NodeJS.Timeout | undefined
  /** How it ends whatever its code makes of it. */
  verdict: Outcome | undefined
  /** The buffers that its arguments move: once sent, they cannot be sent again. */
  moved: ArrayBuffer[] | undefined
  private readonly resolve: (outcome: Outcome) => void
  private encoded: { readonly args: unknown } | undefined

  constructor(work: Work, code: KnownCode, order: number, resolve: (outcome: Outcome) => void) {
    this.work = work
    this.code = code
    this.order = order
    this.resolve = resolve
    this.isAlone = work.call.timeoutMs !== undefined
  }

  /** The arguments in wire form, encoded once. Throws NOT_SENDABLE. */
  args(): unknown {
    if (!this.encoded) {
      const moved: ArrayBuffer[] = []
      this.encoded = { args: this.work.encodeArgs(moved) }
      if (moved.length > 0) {
        this.moved = moved
        this.isAlone = true
      }
    }
    return this.encoded.args
  }

  /** Whether all that the call has said has come: a line of its log must not come after its result. */
  get isComplete(): boolean {
    return this.reply !== undefined && this.received >= this.reply.posted
  }

  began(at: number | undefined): void {
    if (this.wasReported || at === undefined) return
    this.wasReported = true
    this.work.call.started(at)
  }

  settle(outcome: Outcome): void {
    if (this.place === 'settled') return
    this.place = 'settled'
    clearTimeout(this.grace)
    this.resolve(this.isStopping ? { type: 'stopped' } : (this.verdict ?? outcome))
  }
}

export function isBefore(one: Job, other: Job): boolean {
  return one.order < other.order
}

export function outcomeOf({ type, value }: Reply): Outcome {
  if (type === 'stopped') return { type }
  const decoded = fromWire(value)
  return type === 'returned' ? { type, value: decoded } : { type, error: decoded }
}
