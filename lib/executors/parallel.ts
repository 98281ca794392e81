import type { ResourceLimits } from 'node:worker_threads'
import type { Executor, ExecutorSession, ExecutorSurroundings, TaskCode } from '../core/executor.js'
import { type Check, check, checkOptions } from '../core/options.js'
import { taskCodeOf } from '../core/task-code.js'
import { callSite } from '../shipping/locate.js'
import { setupName } from '../shipping/setup-name.js'
import { ThreadPool } from '../threads/pool.js'
import { Codes } from './codes.js'
import { Demands } from './demands.js'
import { ParallelSession } from './parallel-session.js'
import { rest, wake } from './resting.js'

/** Options of {@link ParallelExecutor}. */
export interface ParallelOptions {
  /** How many tasks run at once. Default: as many as the processors that this process may use, or MINTAKA_THREADS. */
  readonly threads?: number | undefined
  /** Of each thread, as in `node:worker_threads`: `{ maxOldGenerationSizeMb: 512 }`. */
  readonly resourceLimits?: ResourceLimits | undefined
  /**
   * What tasks may take, by name, all runs of this definition together: `{ GPU: 1, memory: 8e9 }`. Against it stand
   * `annotations: { resources: { GPU: 1 } }` of tasks: such a task runs when that much is free. The names mean what you
   * want them to mean; nothing is measured.
   */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** How many tasks with a tag may run at once, all runs of this definition together: `{ db: 4 }`. */
  readonly limits?: Readonly<Record<string, number>> | undefined
  /**
   * Runs once in each thread before its first task, and is waited for: for `globalThis`, the environment, and what takes
   * long to load. A task, or a function that is written right here; it travels as the code of a task does, and is given
   * nothing. If it fails in the first thread, the flow run is CRASHED with its error as `cause`.
   */
  readonly setup?: (() => unknown) | undefined
  /** How long a task that was cancelled or is out of time may go on before its thread is ended. Default 500. */
  readonly cancelGraceMs?: number | undefined
  /** How long a thread without work is kept. It keeps no process alive. Default 10,000. */
  readonly idleTimeoutMs?: number | undefined
}

// Starting a thread takes some 50 ms and the preparing of its code as much again; keeping it, some 10 MB. Ten seconds
// bridge the gaps between the requests of a service that is in use, and the pauses of a script; a minute of threads that
// nobody will use again would be felt.
const defaultIdleTimeoutMs = 10_000

/**
 * Runs tasks in parallel on worker threads.
 *
 * All flow runs of one definition share its threads. They start with the first task that needs them, stay warm for
 * `idleTimeoutMs`, and keep no process alive; `close()` ends them at once:
 *
 * ```ts
 * await using executor = new ParallelExecutor({ threads: 4 })
 * ```
 */
export class ParallelExecutor implements Executor, AsyncDisposable {
  readonly name = 'parallel'
  readonly #options: ParallelOptions
  readonly #setup: TaskCode | undefined
  readonly #codes = new Codes(key => this.#crew?.pool.forget(key))
  readonly #demands: Demands
  readonly #logs = new Map<string, ExecutorSurroundings['log']>()
  #lastLog: ExecutorSurroundings['log'] | undefined
  #crew: Crew | undefined

  /** Throws INVALID_OPTION. */
  constructor(options: ParallelOptions = {}) {
    checkOptions('ParallelExecutor', options, checks)
    this.#options = options
    this.#demands = new Demands(options)
    this.#setup = options.setup && setupCode(options.setup)
  }

  /** Opens a session for one flow run. With a `setup`, one thread is ready then; rejects with what the setup threw. */
  async start({ flowRunId, log }: ExecutorSurroundings): Promise<ExecutorSession> {
    const crew = this.#crew ?? (await this.#gather())
    this.#logs.set(flowRunId, log)
    this.#lastLog = log
    crew.open += 1
    wake(crew.pool)
    const shared = { pool: crew.pool, codes: this.#codes, demands: this.#demands }
    const session = new ParallelSession(shared, log, () => this.#leave(crew, flowRunId))
    try {
      if (this.#setup) await crew.pool.ready()
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * Ends the threads now, whatever runs in them: calls that have not ended are CRASHED. The definition stays good: a flow
   * run that begins later starts threads again. Closing what is closed does nothing.
   */
  async close(): Promise<void> {
    const crew = this.#crew
    this.#crew = undefined
    if (!crew) return
    wake(crew.pool)
    await crew.pool[Symbol.asyncDispose]()
  }

  /** Ends the threads, as {@link ParallelExecutor.close} does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #gather(): Promise<Crew> {
    const { threads, resourceLimits, resources, limits, cancelGraceMs } = this.#options
    const { idleTimeoutMs = defaultIdleTimeoutMs } = this.#options
    const setup = this.#setup && (await this.#codes.of(this.#setup)).code
    this.#crew ??= {
      pool: new ThreadPool({
        ...{ threads, resourceLimits, resources, limits, cancelGraceMs, idleTimeoutMs, setup },
        warn: (message, fields, flowRunId) => this.#logOf(flowRunId)?.warn(message, fields),
      }),
      open: 0,
    }
    return this.#crew
  }

  #leave(crew: Crew, flowRunId: string): void {
    this.#logs.delete(flowRunId)
    crew.open -= 1
    if (crew.open === 0 && crew === this.#crew) rest(crew.pool)
  }

  // What a task left behind may fail when its flow run has ended: then the latest one hears of it.
  #logOf(flowRunId: string | undefined): ExecutorSurroundings['log'] | undefined {
    return (flowRunId === undefined ? undefined : this.#logs.get(flowRunId)) ?? this.#lastLog
  }
}

/** The threads of a definition, and how many flow runs use them. */
interface Crew {
  readonly pool: ThreadPool
  open: number
}

function setupCode(setup: () => unknown): TaskCode {
  const code = taskCodeOf(setup)
  if (code) return code
  const { file, stamp } = callSite(ParallelExecutor)
  return {
    name: setupName,
    fn: setup,
    source: { type: 'slice', file, stamp, captures: undefined, external: [], files: [] },
  }
}

// Below 3 Node ends the whole process, not the thread (22 and 24 do); below 8 no thread gets to its first task.
const smallestHeapMb = 8

const checks: Record<keyof ParallelOptions, Check> = {
  threads: value => (Number.isInteger(value) && (value as number) >= 1 ? undefined : 'a whole number from 1'),
  resourceLimits: value =>
    areLimits(value) ? undefined : `an object of limits, with a maxOldGenerationSizeMb from ${smallestHeapMb}`,
  resources: value =>
    areAll(value, amount => typeof amount === 'number' && amount >= 0)
      ? undefined
      : 'an object of amounts by name, each a number from 0',
  limits: value =>
    areAll(value, limit => Number.isInteger(limit) && (limit as number) >= 1)
      ? undefined
      : 'an object of limits by tag, each a whole number from 1',
  setup: value => (typeof value === 'function' ? undefined : 'a function or a task'),
  cancelGraceMs: check.milliseconds,
  idleTimeoutMs: check.milliseconds,
}

function areLimits(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { maxOldGenerationSizeMb: heap = smallestHeapMb } = value as ResourceLimits
  return typeof heap === 'number' && heap >= smallestHeapMb
}

function areAll(value: unknown, isRight: (item: unknown) => boolean): boolean {
  return check.object(value) === undefined && Object.values(value as object).every(isRight)
}
