import PQueue from 'p-queue'
import type { Call, Executor, ExecutorSession } from '../core/executor.js'
import { check, checkOptions } from '../core/options.js'
import { type InProcessOptions, inProcessChecks, strict } from './strict.js'

/** Options of {@link ConcurrentExecutor}. */
export interface ConcurrentOptions extends InProcessOptions {
  /** How many tasks may run at once. Default: as many as there are. */
  readonly concurrency?: number | undefined
}

/** Tasks overlap on the event loop of this process: for I/O. The default executor. */
export class ConcurrentExecutor implements Executor {
  readonly name = 'concurrent'
  /** How many tasks may run at once: `Infinity` unless it was said. */
  readonly concurrency: number
  readonly #strict: boolean

  /** Throws INVALID_OPTION. */
  constructor(options: ConcurrentOptions = {}) {
    checkOptions('ConcurrentExecutor', options, { ...inProcessChecks, concurrency: check.positive })
    const { concurrency = Number.POSITIVE_INFINITY, strict = false } = options
    this.concurrency = concurrency
    this.#strict = strict
  }

  /** Opens a session for one flow run. */
  async start(): Promise<ExecutorSession> {
    const session =
      this.concurrency === Number.POSITIVE_INFINITY ? new UnlimitedSession() : new LimitedSession(this.concurrency)
    return this.#strict ? strict(session) : session
  }
}

/** The session without a limit: what was called in one go begins when the caller has let go. */
class UnlimitedSession implements ExecutorSession {
  readonly where = 'here'
  #calls: Call[] = []

  submit(call: Call): undefined {
    if (this.#calls.push(call) === 1) queueMicrotask(() => this.#begin())
  }

  #begin(): void {
    const calls = this.#calls
    this.#calls = []
    for (const call of calls) void call.run()
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * The session with a limit, over p-queue. A job of the queue is a slot: it serves call after call while any wait, so
 * that a backlog costs p-queue one job per slot rather than one per call.
 */
class LimitedSession implements ExecutorSession {
  readonly where = 'here'
  readonly #queue: PQueue
  #waiting: (Call | undefined)[] = []
  #head = 0
  /** Slots that look for their next call. p-queue lets go of a finished job later: its count would miss a call. */
  #serving = 0

  constructor(concurrency: number) {
    this.#queue = new PQueue({ concurrency })
  }

  submit(call: Call): undefined {
    this.#waiting.push(call)
    if (this.#serving === this.#queue.concurrency) return
    this.#serving += 1
    void this.#queue.add(() => this.#serve())
  }

  #serve(): Promise<void> {
    return new Promise(leave => {
      const serve = (): void => {
        for (let call = this.#next(); call; call = this.#next()) {
          const ran = call.run()
          if (ran instanceof Promise) return void ran.then(serve)
        }
        this.#serving -= 1
        leave()
      }
      queueMicrotask(serve) // a call never begins before `submit` has returned
    })
  }

  #next(): Call | undefined {
    const call = this.#waiting[this.#head]
    if (!call) return undefined
    this.#waiting[this.#head] = undefined
    this.#head += 1
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return call
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
