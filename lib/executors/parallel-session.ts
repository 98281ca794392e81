import { MintakaError } from '../core/errors.js'
import type { Call, ExecutorSession, ExecutorSurroundings, Outcome, TaskCode } from '../core/executor.js'
import type { ExecutorStats } from '../core/executor-stats.js'
import type { Demand } from '../threads/admission.js'
import { CallStats } from '../threads/call-stats.js'
import type { Times, Work } from '../threads/job.js'
import type { ThreadPool } from '../threads/pool.js'
import type { Code } from '../threads/protocol.js'
import { type SharedUse, sharedValues } from '../threads/shared-values.js'
import { toWire } from '../values/wire.js'
import type { Codes, Prepared } from './codes.js'
import type { Demands } from './demands.js'

/** What the sessions of one executor share. */
export interface Shared {
  readonly pool: ThreadPool
  readonly codes: Codes
  readonly demands: Demands
}

/** The calls of one flow run, on threads that it may share with others. Its end touches no calls but its own. */
export class ParallelSession implements ExecutorSession {
  readonly where = 'elsewhere'
  readonly #shared: Shared
  readonly #log: ExecutorSurroundings['log']
  readonly #onClosed: () => void
  readonly #stats: CallStats
  readonly #codes = new Map<TaskCode, Code>()
  /** The calls that wait for the code of their task. */
  readonly #preparing = new Map<TaskCode, Call[]>()
  /** How many of its calls have not ended. */
  #open = 0
  #isClosed = false
  #whenAllEnded: (() => void) | undefined

  constructor(shared: Shared, log: ExecutorSurroundings['log'], onClosed: () => void) {
    this.#shared = shared
    this.#log = log
    this.#onClosed = onClosed
    this.#stats = new CallStats(shared.pool.size)
  }

  submit(call: Call): Promise<never> | undefined {
    if (this.#isClosed) return Promise.reject(closedError(call))
    this.#open += 1
    const known = this.#codes.get(call.task)
    if (known) this.#run(call, known)
    else this.#runPrepared(call)
    return undefined
  }

  stats(): ExecutorStats | undefined {
    return this.#stats.stats()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#open > 0) {
      const ended = new Promise<void>(resolve => (this.#whenAllEnded = resolve))
      this.#shared.pool.stopAllOf(this)
      await ended
    }
    this.#onClosed()
  }

  /** Runs a call when its code is ready. What comes meanwhile waits in a list: a promise for each would cost too much. */
  #runPrepared(call: Call): void {
    const { task } = call
    const waiting = this.#preparing.get(task)
    if (waiting) return void waiting.push(call)
    const prepared = this.#shared.codes.of(task)
    if (!(prepared instanceof Promise)) {
      this.#keep(task, prepared)
      return this.#run(call, prepared.code)
    }
    const calls = [call]
    this.#preparing.set(task, calls)
    prepared.then(
      prepared => {
        this.#preparing.delete(task)
        this.#keep(task, prepared)
        for (const call of calls) this.#run(call, prepared.code)
      },
      error => {
        this.#preparing.delete(task)
        for (const call of calls) this.#ended(call, { type: 'threw', error })
      },
    )
  }

  // Said once to each flow run: its log is where somebody looks.
  #keep(task: TaskCode, { code, warnings }: Prepared): void {
    if (this.#codes.has(task)) return
    this.#codes.set(task, code)
    for (const warning of warnings) this.#log.warn(warning, { task: task.name })
  }

  #run(call: Call, code: Code): void {
    if (this.#isClosed) return this.#endLater(call, { type: 'stopped' })
    let demand: Demand | undefined
    try {
      demand = this.#shared.demands.of(call)
    } catch (error) {
      return this.#endLater(call, { type: 'threw', error })
    }
    const work = new ParallelWork(this, call, code, demand, this.#stats.came())
    try {
      this.#shared.pool.run(work)
    } catch (error) {
      queueMicrotask(() => work.ended({ type: 'crashed', error }, undefined))
    }
  }

  // Nobody hears of an end before `submit` has returned.
  #endLater(call: Call, outcome: Outcome): void {
    queueMicrotask(() => this.#ended(call, outcome))
  }

  /** Told by its calls, when they come back from the pool. */
  ran({ call, foundThread }: ParallelWork, outcome: Outcome, times: Times | undefined): void {
    this.#stats.ended(times, foundThread, times ? this.#shared.pool.now() : 0)
    this.#ended(call, outcome)
  }

  #ended(call: Call, outcome: Outcome): void {
    call.ended(outcome)
    this.#open -= 1
    if (this.#open === 0) this.#whenAllEnded?.()
  }
}

class ParallelWork implements Work {
  readonly owner: ParallelSession
  readonly call: Call
  readonly code: Code
  readonly demand: Demand | undefined
  readonly priority: number
  /** Whether there was a thread without a call of this session when it came. */
  readonly foundThread: boolean
  readonly #sharedUse: SharedUse | undefined

  constructor(owner: ParallelSession, call: Call, code: Code, demand: Demand | undefined, foundThread: boolean) {
    this.owner = owner
    this.call = call
    this.code = code
    this.demand = demand
    this.priority = call.annotations?.priority ?? 0
    this.foundThread = foundThread
    this.#sharedUse = call.shared && sharedValues.useOf(call.shared)
  }

  get args(): readonly unknown[] {
    return this.call.args
  }

  encodeArgs(moved: ArrayBuffer[]): unknown {
    const { args, task } = this.call
    return toWire(args, index => `argument ${index + 1}`, { task: task.name, moved, refer: this.#sharedUse?.refer })
  }

  ended(outcome: Outcome, times: Times | undefined): void {
    this.#sharedUse?.end()
    this.owner.ran(this, outcome, times)
  }
}

function closedError({ task }: Call): MintakaError {
  const text = `Task '${task.name}' was submitted to a parallel executor whose session has been closed.`
  return new MintakaError('EXECUTOR_CLOSED', text, { task: task.name })
}
