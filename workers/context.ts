import { AsyncLocalStorage } from 'node:async_hooks'
import { parentPort } from 'node:worker_threads'
import type { TaskContext } from '../lib/core/context.js'
import { MintakaError } from '../lib/core/errors.js'
import type { Logger, LogLevel } from '../lib/core/logger.js'
import type { Claims } from '../lib/threads/claims.js'
import type { Envelope, Notice } from '../lib/threads/protocol.js'
import { thrownToWire, toWire } from '../lib/values/wire.js'

const running = new AsyncLocalStorage<CallContext>()

/** What `taskContext()` gives in a worker, and what the worker knows of the call behind it. */
export class CallContext implements TaskContext {
  readonly n: number
  readonly taskName: string
  readonly taskRunId: string
  readonly taskRunName: string
  readonly flowRunId: string
  readonly attempt: number
  readonly tags: readonly string[]
  /** How many notices have been posted. */
  posted = 0
  hasEnded = false
  readonly #claims: Claims
  #signal: AbortSignal | undefined
  #log: Logger | undefined

  constructor(envelope: Envelope, taskName: string, claims: Claims) {
    this.n = envelope.n
    this.taskName = taskName
    this.taskRunId = envelope.id
    this.taskRunName = envelope.name
    this.flowRunId = envelope.flowRunId
    this.attempt = envelope.attempt
    this.tags = envelope.tags
    this.#claims = claims
  }

  get signal(): AbortSignal {
    if (!this.#signal) {
      const controller = new AbortController()
      this.#signal = controller.signal
      this.#claims.whenStopped(
        this.n,
        () => controller.abort(this.#stopError()),
        () => this.hasEnded,
      )
    }
    return this.#signal
  }

  get log(): Logger {
    this.#log ??= {
      debug: (message, fields) => this.#write('debug', message, fields),
      info: (message, fields) => this.#write('info', message, fields),
      warn: (message, fields) => this.#write('warn', message, fields),
      error: (message, fields) => this.#write('error', message, fields),
    }
    return this.#log
  }

  // Functions of their own, not methods: `const { progress } = taskContext()` works as it does in process.
  readonly progress = (fraction: number, note?: string): void => {
    this.#post({ mintaka: 'progress', n: this.n, fraction, note: note === undefined ? undefined : String(note) })
  }

  readonly throwIfCancelled = (): void => {
    if (this.#claims.isStopped(this.n)) throw this.#stopError()
  }

  /** Nothing of the call runs any more. */
  end(): void {
    this.hasEnded = true
    if (this.#signal) this.#claims.release()
  }

  #write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const wire = fields === undefined ? undefined : fieldsToWire(fields)
    this.#post({ mintaka: 'log', n: this.n, level, message: String(message), fields: wire, at: Date.now() })
  }

  #post(notice: Notice): void {
    if (!this.hasEnded) this.posted++
    post(notice)
  }

  #stopError(): MintakaError {
    const text = `Task run '${this.taskRunName}' was cancelled or ran out of time.`
    return new MintakaError('CANCELLED', text, { task: this.taskName })
  }
}

/** Runs `body` as the code of a call. */
export function runAs<T>(context: CallContext, body: () => T): T {
  return running.run(context, body)
}

/** The call whose code is running, if one is. */
export function currentCall(): CallContext | undefined {
  return running.getStore()
}

/** The run of the task that is running: its ids, its signal, its log. Throws OUTSIDE_RUN outside a task. */
export function taskContext(): TaskContext {
  const context = running.getStore()
  if (context) return context
  throw new MintakaError('OUTSIDE_RUN', 'taskContext() was called outside a task. Call it in the function of a task.')
}

/** Says something to the pool. */
export function post(notice: Notice, moved: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(notice, moved)
}

// A line of a log is never worth an error: what cannot travel is written as text.
function fieldsToWire(fields: Readonly<Record<string, unknown>>): unknown {
  try {
    return toWire(fields)
  } catch {
    return toWire(Object.fromEntries(Object.keys(fields).map(key => [key, thrownToWire(readField(fields, key))])))
  }
}

function readField(fields: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return fields[key]
  } catch (thrown) {
    return thrown
  }
}
