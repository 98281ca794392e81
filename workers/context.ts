import { AsyncLocalStorage } from 'node:async_hooks'
import type { MessagePort } from 'node:worker_threads'
import type { TaskContext } from '../lib/core/context.js'
import { MintakaError } from '../lib/core/errors.js'
import type { LogLevel } from '../lib/core/logger.js'
import { asList, type Envelope, type Notice } from '../lib/threads/protocol.js'
import type { Slots } from '../lib/threads/slots.js'
import type { Resolve } from '../lib/values/decoder.js'
import { fromWire, thrownToWire, toWire } from '../lib/values/wire.js'

type Fn = (...args: unknown[]) => unknown

const running = new AsyncLocalStorage<CallContext>()

/**
 * A call, as its worker knows it. Made for every call, so it holds what it is given; what most tasks never ask for is
 * made when one does.
 */
export class CallContext {
  /** How many notices have been posted. */
  posted = 0
  hasEnded = false
  private readonly envelope: Envelope
  private readonly slots: Slots
  private made: TaskContext | undefined
  private controller: AbortController | undefined

  constructor(envelope: Envelope, slots: Slots) {
    this.envelope = envelope
    this.slots = slots
  }

  get n(): number {
    return this.envelope.n
  }

  get taskName(): string {
    return this.envelope.kin.taskName
  }

  get flowRunId(): string {
    return this.envelope.kin.flowRunId
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
    if (this.slots.isStopped(this.n)) throw this.stopError()
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const wire = fields === undefined ? undefined : fieldsToWire(fields)
    this.post({ type: 'log', n: this.n, level, message: String(message), fields: wire, at: Date.now() })
  }

  progress(fraction: number, note?: string): void {
    this.post({ type: 'progress', n: this.n, fraction, note: note === undefined ? undefined : String(note) })
  }

  /** Its code has printed this. */
  printed(level: LogLevel, text: string): void {
    this.post({ type: 'printed', n: this.n, level, text, at: Date.now() })
  }

  /** Nothing of the call runs any more. */
  end(): void {
    this.hasEnded = true
    if (this.controller) this.slots.release()
  }

  private post(notice: Notice): void {
    if (!this.hasEnded) this.posted++
    post(notice)
  }

  private watchStop(): AbortController {
    const controller = new AbortController()
    this.slots.whenStopped(
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
function contextOf(call: CallContext, { id, name, kin }: Envelope): TaskContext {
  const { flowRunId, attempt, tags } = kin
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

/**
 * Runs a function as the code of a call, with the arguments that are at `at` in a parcel. `resolve` gives the shared
 * values that they refer to.
 */
export function runAs(
  context: CallContext,
  fn: Fn,
  args: readonly unknown[],
  at: number,
  arity: number,
  resolve?: Resolve,
): unknown {
  switch (arity) {
    case 1:
      return running.run(context, fn, args[at])
    case asList:
      return running.run(context, () => fn(...(fromWire(args[at], resolve) as unknown[])))
    default:
      return running.run(context, fn, ...args.slice(at, at + arity))
  }
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

let port: MessagePort | undefined

/** Where notices go. */
export function postBy(own: MessagePort): void {
  port = own
}

/** Says something to the pool. */
export function post(notice: Notice, moved?: readonly (ArrayBuffer | MessagePort)[]): void {
  port?.postMessage(notice, moved)
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
