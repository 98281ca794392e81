import PQueue from 'p-queue'
import type { Call, Executor, ExecutorSession, Outcome } from '../core/executor.js'
import { check, checkOptions } from '../core/options.js'
import { type InProcessOptions, inProcessChecks, strictly } from './strict.js'

/** Options of {@link ConcurrentExecutor}. */
export interface ConcurrentOptions extends InProcessOptions {
  /** How many tasks may run at once. Default: as many as there are. */
  readonly concurrency?: number
}

/** Tasks overlap on the event loop of this process: for I/O. The default executor. */
export class ConcurrentExecutor implements Executor {
  readonly name = 'concurrent'
  readonly concurrency: number
  readonly #strict: boolean

  /** Throws INVALID_OPTION. */
  constructor(options: ConcurrentOptions = {}) {
    checkOptions('ConcurrentExecutor', options, { ...inProcessChecks, concurrency: check.positive })
    const { concurrency = Number.POSITIVE_INFINITY, strict = false } = options
    this.concurrency = concurrency
    this.#strict = strict
  }

  async start(): Promise<ExecutorSession> {
    const carryOut = this.#strict ? strictly : (call: Call) => call.run()
    return new ConcurrentSession(carryOut, this.concurrency)
  }
}

class ConcurrentSession implements ExecutorSession {
  readonly where = 'here'
  readonly #carryOut: (call: Call) => Outcome | Promise<Outcome>
  readonly #slots: Slots | undefined

  constructor(carryOut: (call: Call) => Outcome | Promise<Outcome>, concurrency: number) {
    this.#carryOut = carryOut
    this.#slots = concurrency === Number.POSITIVE_INFINITY ? undefined : new Slots(concurrency)
  }

  // The call runs in the async context of its caller, not in that of whoever left the slot.
  async submit(call: Call): Promise<Outcome> {
    if (!this.#slots) return this.#carryOut(call)
    await this.#slots.take()
    try {
      return await this.#carryOut(call)
    } finally {
      this.#slots.release()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * Slots over p-queue, first come, first served. A slot that falls free while calls wait is handed straight on, so that
 * a backlog costs p-queue one job per slot rather than one per call.
 */
class Slots {
  readonly #queue: PQueue
  readonly #leave: (() => void)[] = []
  #waiting: ((() => void) | undefined)[] = []
  #head = 0

  constructor(concurrency: number) {
    this.#queue = new PQueue({ concurrency })
  }

  take(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      if (this.#queue.pending + this.#queue.size < this.#queue.concurrency) void this.#queue.add(() => this.#occupy())
    })
  }

  /** A job of the queue: lasts as long as its slot is in use. */
  async #occupy(): Promise<void> {
    const next = this.#next()
    if (!next) return
    next()
    await new Promise<void>(resolve => this.#leave.push(resolve))
  }

  release(): void {
    const next = this.#next()
    if (next) next()
    else this.#leave.pop()?.()
  }

  #next(): (() => void) | undefined {
    const next = this.#waiting[this.#head]
    if (!next) return undefined
    this.#waiting[this.#head] = undefined
    this.#head += 1
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return next
  }
}
