import { hostname } from 'node:os'
import { MintakaError } from '../../lib/core/errors.js'
import type { Outcome, StopListener } from '../../lib/core/executor.js'
import { missingPackage } from '../../lib/dask/bundle-folder.js'
import type { CallPayload, CodeBundle } from '../../lib/dask/payload.js'
import { Undecodable } from '../../lib/dask/values/decode.js'
import type { Times, Work, WorkCall } from '../../lib/threads/job.js'
import type { ThreadPool } from '../../lib/threads/pool.js'
import { type SharedUse, sharedValues } from '../../lib/threads/shared-values.js'
import { fromWire, toWire } from '../../lib/values/wire.js'
import type { BundleCodes, ReadyCode } from './bundle-codes.js'
import { ToldCall } from './told-call.js'
import type { TopicEvents } from './topic-events.js'

/** How a call ended, and when it ran: epoch milliseconds. */
export interface CallEnd {
  readonly outcome: Outcome
  readonly times: Times | undefined
}

/** Where calls find what they need. */
export interface CallSurroundings {
  readonly pool: ThreadPool
  readonly codes: BundleCodes
  readonly events: TopicEvents
  /** Of this worker, for people. */
  readonly workerName: string
  /** What JavaScript makes of the value of a key. */
  read(key: string): unknown
}

/**
 * One call of a user's function on a thread. `ended` is told once, never before the constructor has returned; what it
 * needs of the worker's values it takes at once.
 */
export class DaskCall implements Work {
  readonly call: WorkCall
  readonly priority = 0
  args: readonly unknown[] = []
  private readonly payload: CallPayload
  private readonly around: CallSurroundings
  private readonly onEnded: (end: CallEnd) => void
  private ready: ReadyCode | undefined
  private sharedUse: SharedUse | undefined
  private stopListener: StopListener | undefined
  private isStopped = false

  constructor(key: string, payload: CallPayload, around: CallSurroundings, onEnded: (end: CallEnd) => void) {
    this.payload = payload
    this.around = around
    this.onEnded = onEnded
    this.call = new ToldCall(key, payload, around.events, listener => this.whenStopped(listener))
    try {
      this.prepare()
    } catch (error) {
      this.endSoon({ type: 'threw', error })
    }
  }

  /** It shall stop. */
  stop(): void {
    if (this.isStopped) return
    this.isStopped = true
    if (typeof this.stopListener === 'function') this.stopListener()
    else this.stopListener?.onStop()
  }

  get code() {
    return (this.ready as ReadyCode).code
  }

  encodeArgs(moved: ArrayBuffer[]): unknown {
    const task = this.payload.taskName
    return toWire(this.args, index => `argument ${index + 1}`, { task, moved, refer: this.sharedUse?.refer })
  }

  ended(outcome: Outcome, times: Times | undefined): void {
    this.sharedUse?.end()
    if (this.ready) this.around.codes.ends(this.ready)
    this.onEnded({ outcome: this.explained(outcome), times })
  }

  private prepare(): void {
    const { payload, around } = this
    const values = payload.deps.map(key => readable(around.read(key), key, payload))
    this.args = fromWire(payload.args, number => values[number]) as readonly unknown[]
    this.sharedUse = sharedValues.useOf(values.filter(isObject))
    const ready = around.codes.of(payload, key => around.read(key) as CodeBundle)
    if (!(ready instanceof Promise)) return this.run(ready)
    ready.then(
      ready => this.run(ready),
      error => this.ended({ type: 'threw', error }, undefined),
    )
  }

  private run(ready: ReadyCode): void {
    if (this.isStopped) return this.endSoon({ type: 'stopped' })
    this.ready = ready
    this.around.codes.begins(ready)
    try {
      this.around.pool.run(this)
    } catch (error) {
      this.endSoon({ type: 'crashed', error })
    }
  }

  private endSoon(outcome: Outcome): void {
    queueMicrotask(() => this.ended(outcome, undefined))
  }

  private whenStopped(listener: StopListener): void {
    this.stopListener = listener
  }

  /** Of a package that is not installed here it is said where here is. */
  private explained(outcome: Outcome): Outcome {
    if (outcome.type !== 'threw' || !this.ready) return outcome
    const missing = missingPackage(outcome.error, this.ready.external)
    if (missing === undefined) return outcome
    const { taskName } = this.payload
    const where = `Worker ${this.around.workerName} (node ${process.versions.node}, ${process.platform}-${process.arch})`
    const text =
      `${where} doesn't have '${missing}', needed by task '${taskName}'. ` +
      `Install it in ${process.cwd()} on ${hostname()}, and restart the worker.`
    return {
      type: 'threw',
      error: new MintakaError('MISSING_ON_WORKER', text, { task: taskName, package: missing, cause: outcome.error }),
    }
  }
}

function readable(value: unknown, key: string, { deps, taskName }: CallPayload): unknown {
  if (!(value instanceof Undecodable)) return value
  const which = deps.length > 1 ? `the value of ${key}` : 'its argument'
  const text =
    `Task '${taskName}': ${which} is ${value.typeName}, which JavaScript cannot read. ` +
    'Let a Python task make plain data of it: numbers, texts, lists, dicts, bytes.'
  throw new MintakaError('NOT_SENDABLE', text, { task: taskName, pyType: value.typeName })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
