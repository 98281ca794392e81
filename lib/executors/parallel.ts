import type { ResourceLimits } from 'node:worker_threads'
import { MintakaError } from '../core/errors.js'
import type { Call, Executor, ExecutorSession, ExecutorSurroundings, Outcome, TaskCode } from '../core/executor.js'
import type { ExecutorStats } from '../core/executor-stats.js'
import { type Check, check, checkOptions } from '../core/options.js'
import { CallStats } from '../threads/call-stats.js'
import type { Times, Work } from '../threads/job.js'
import { ThreadPool, type ThreadPoolOptions } from '../threads/pool.js'
import type { Code } from '../threads/protocol.js'
import { type SharedUse, sharedValues } from '../threads/shared-values.js'
import { toWire } from '../values/wire.js'

export interface ParallelOptions {
  /** How many tasks run at once. Default: as many as the processors that this process may use, or MINTAKA_THREADS. */
  readonly threads?: number
  /** Of each thread, as in `node:worker_threads`: `{ maxOldGenerationSizeMb: 512 }`. */
  readonly resourceLimits?: ResourceLimits
  /** How long a task that was cancelled or is out of time may go on before its thread is ended. Default 500. */
  readonly cancelGraceMs?: number
  /** How long a thread without work is kept. Default: as long as the flow runs. */
  readonly idleTimeoutMs?: number
}

/** Runs tasks in parallel on worker threads. Threads start with the first task and end with the flow run. */
export class ParallelExecutor implements Executor {
  readonly name = 'parallel'
  readonly #options: ParallelOptions

  constructor(options: ParallelOptions = {}) {
    checkOptions('ParallelExecutor', options, checks)
    this.#options = options
  }

  async start(surroundings: ExecutorSurroundings): Promise<ExecutorSession> {
    return new ParallelSession(this.#options, surroundings)
  }
}

class ParallelSession implements ExecutorSession {
  readonly where = 'elsewhere'
  readonly #options: ThreadPoolOptions
  readonly #log: ExecutorSurroundings['log']
  readonly #codes = new Map<TaskCode, Code | Promise<Code>>()
  #pool: ThreadPool | undefined
  #stats: CallStats | undefined
  #isClosed = false

  constructor(options: ParallelOptions, { log }: ExecutorSurroundings) {
    this.#log = log
    this.#options = { ...options, warn: (message, fields) => log.warn(message, fields) }
  }

  submit(call: Call): undefined {
    if (this.#isClosed) {
      const text = `Task '${call.task.name}' was submitted to a parallel executor that has been closed.`
      throw new MintakaError('EXECUTOR_CLOSED', text, { task: call.task.name })
    }
    const code = this.#codeOf(call.task)
    if (!(code instanceof Promise)) return this.#run(call, code)
    code.then(
      code => this.#run(call, code),
      error => call.ended({ type: 'threw', error }),
    )
  }

  stats(): ExecutorStats | undefined {
    return this.#stats?.stats()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#pool?.[Symbol.asyncDispose]()
  }

  #run(call: Call, code: Code): undefined {
    this.#pool ??= new ThreadPool(this.#options)
    this.#stats ??= new CallStats(this.#pool.size)
    this.#pool.run(new ParallelWork(call, code, this.#pool, this.#stats))
  }

  // Prepared once per task; what failed once fails again.
  #codeOf(task: TaskCode): Code | Promise<Code> {
    const known = this.#codes.get(task)
    if (known) return known
    const code = task.source.type === 'module' ? moduleCode(task.name, task.source) : this.#ship(task)
    this.#codes.set(task, code)
    return code
  }

  async #ship(task: TaskCode): Promise<Code> {
    const { ship } = await import('../shipping/index.js')
    const { hash, url, warnings } = await ship(task)
    for (const warning of warnings) this.#log.warn(warning, { task: task.name })
    const captures = task.source.type === 'slice' ? task.source.captures : undefined
    const code: Code = {
      key: captures ? `${hash}#${idOf(captures)}` : hash,
      taskName: task.name,
      url,
      captures: captures && toWire(captures, 'captures', { task: task.name }),
    }
    this.#codes.set(task, code)
    return code
  }
}

class ParallelWork implements Work {
  readonly call: Call
  readonly code: Code
  readonly #shared: SharedUse | undefined
  readonly #clock: Pick<ThreadPool, 'now'>
  readonly #stats: CallStats
  readonly #foundThread: boolean

  constructor(call: Call, code: Code, clock: Pick<ThreadPool, 'now'>, stats: CallStats) {
    this.call = call
    this.code = code
    this.#shared = call.shared && sharedValues.useOf(call.shared)
    this.#clock = clock
    this.#stats = stats
    this.#foundThread = stats.came()
  }

  get priority(): number {
    return this.call.annotations?.priority ?? 0
  }

  get args(): readonly unknown[] {
    return this.call.args
  }

  encodeArgs(moved: ArrayBuffer[]): unknown {
    const { args, task } = this.call
    return toWire(args, index => `argument ${index + 1}`, { task: task.name, moved, refer: this.#shared?.refer })
  }

  ended(outcome: Outcome, times: Times | undefined): void {
    this.#shared?.end()
    this.#stats.ended(times, this.#foundThread, times ? this.#clock.now() : 0)
    this.call.ended(outcome)
  }
}

function moduleCode(taskName: string, { url, exportName }: Extract<TaskCode['source'], { type: 'module' }>): Code {
  return { key: `${url}#${exportName}#${taskName}`, taskName, url, exportName }
}

// Two tasks of one source may have captured different values: each has its own function in a thread.
const ids = new WeakMap<object, number>()
let count = 0
function idOf(captures: object): number {
  const id = ids.get(captures) ?? ++count
  ids.set(captures, id)
  return id
}

// Below 3 Node ends the whole process, not the thread (22 and 24 do); below 8 no thread gets to its first task.
const smallestHeapMb = 8

const checks: Record<keyof ParallelOptions, Check> = {
  threads: value => (Number.isInteger(value) && (value as number) >= 1 ? undefined : 'a whole number from 1'),
  resourceLimits: value =>
    areLimits(value) ? undefined : `an object of limits, with a maxOldGenerationSizeMb from ${smallestHeapMb}`,
  cancelGraceMs: check.milliseconds,
  idleTimeoutMs: check.milliseconds,
}

function areLimits(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { maxOldGenerationSizeMb: heap = smallestHeapMb } = value as ResourceLimits
  return typeof heap === 'number' && heap >= smallestHeapMb
}
