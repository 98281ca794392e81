import { AsyncLocalStorage } from 'node:async_hooks'
import { parentPort } from 'node:worker_threads'
import type { TaskContext } from '../lib/core/context.js'
import { MintakaError } from '../lib/core/errors.js'
import type { LogLevel } from '../lib/core/logger.js'
import type { Claims } from '../lib/threads/claims.js'
import type { Envelope, Notice } from '../lib/threads/protocol.js'
import { thrownToWire, toWire } from '../lib/values/wire.js'

const running = new AsyncLocalStorage<CallContext>()

/**
 * A call, as its worker knows it. Made for every call, so it holds what it is given; what most tasks never ask for is
 * made when one does.
 */
export class CallContext {
  readonly taskName: string
  /** How many notices have been posted. */
  posted = 0
  hasEnded = false
  private readonly envelope: Envelope
  private readonly claims: Claims
  private made: TaskContext | undefined
  private controller: AbortController | undefined

  constructor(envelope: Envelope, taskName: string, claims: Claims) {
    this.envelope = envelope
    this.taskName = taskName
    this.claims = claims
  }

  get n(): number {
    return this.envelope.n
  }

  /** What `taskContext()` gives. */
  get context(): TaskContext {
    this.made ??= contextOf(this, this.envelope)
    return this.made
  }

  get signal(): AbortSignal {
    this.controller ??= this.watchStop()
    return this.controller.signal
  }

  throwIfStopped(): void {
    if (this.claims.isStopped(this.n)) throw this.stopError()
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const wire = fields === undefined ? undefined : fieldsToWire(fields)
    this.post({ mintaka: 'log', n: this.n, level, message: String(message), fields: wire, at: Date.now() })
  }

  progress(fraction: number, note?: string): void {
    this.post({ mintaka: 'progress', n: this.n, fraction, note: note === undefined ? undefined : String(note) })
  }

  /** Its code has printed this. */
  printed(level: LogLevel, text: string): void {
    this.post({ mintaka: 'printed', n: this.n, level, text, at: Date.now() })
  }

  /** Nothing of the call runs any more. */
  end(): void {
    this.hasEnded = true
    if (this.controller) this.claims.release()
  }

  private post(notice: Notice): void {
    if (!this.hasEnded) this.posted++
    post(notice)
  }

  private watchStop(): AbortController {
    const controller = new AbortController()
    this.claims.whenStopped(
      this.n,
      () => controller.abort(this.stopError()),
      () => this.hasEnded,
    )
    return controller
  }

  private stopError(): MintakaError {
    const text = `Task run '${this.envelope.name}' was cancelled or ran out of time.`
    return new MintakaError('CANCELLED', text, { task: this.taskName })
  }
}

// Functions of their own, not methods: `const { progress } = taskContext()` works as it does in process.
function contextOf(call: CallContext, { id, name, flowRunId, attempt, tags }: Envelope): TaskContext {
  return {
    taskRunId: id,
    taskRunName: name,
    flowRunId,
    attempt,
    tags,
    get signal() {
      return call.signal
    },
    log: {
      debug: (message, fields) => call.log('debug', message, fields),
      info: (message, fields) => call.log('info', message, fields),
      warn: (message, fields) => call.log('warn', message, fields),
      error: (message, fields) => call.log('error', message, fields),
    },
    progress: (fraction, note) => call.progress(fraction, note),
    throwIfCancelled: () => call.throwIfStopped(),
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
  const call = running.getStore()
  if (call) return call.context
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
