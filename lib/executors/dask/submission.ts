import { MintakaError } from '../../core/errors.js'
import type { Call, Outcome } from '../../core/executor.js'
import { decodeValue, Undecodable } from '../../dask/values/decode.js'
import { decodeError } from '../../dask/values/errors.js'
import { readType } from '../../dask/values/inline.js'
import { ClusterResult } from './cluster-result.js'
import type { Entry, Sendable } from './entry.js'

/** What a submission needs of its session. */
export interface SubmissionHome {
  readonly cancelGraceMs: number
  /** Asks the scheduler to stop it. */
  cancel(submission: Submission): void
  /** It is over: nothing more is wanted of its key, unless it `isHeld`. */
  ended(submission: Submission, outcome: Outcome): void
  /** The size of a result that nobody has told, and the result itself if it is small. */
  look(submission: Submission): Promise<{ readonly nbytes: number | undefined; readonly value?: unknown }>
  fetch(submission: Submission, result: ClusterResult): Promise<unknown>
  /** The scheduler is gone. Gives whether the call will be submitted again. */
  lost(error: MintakaError): boolean
}

/** Where a call is. */
type Place =
  /** Its code or its upstream is not ready. */
  | 'preparing'
  | 'sent'
  /** It has completed, and its result is on the cluster. */
  | 'held'
  | 'over'

// A worker that has begun a call tells so at once; what was cancelled before need not be waited for.
const newsMs = 20

/** A call on a cluster, from `submit` to its end; and after it, where its result stays there. */
export class Submission implements Entry {
  readonly key: string
  readonly call: Call
  place: Place = 'preparing'
  sendable: Sendable | undefined
  hasStarted = false
  /** The result, if it is here. */
  result: { readonly value: unknown } | undefined
  readonly #home: SubmissionHome
  #isStopping = false
  #timer: NodeJS.Timeout | undefined
  #whenPrepared: (() => void)[] | undefined
  /** What is asked of a result whose type does not tell. */
  #isLooking = false

  constructor(key: string, call: Call, home: SubmissionHome) {
    this.key = key
    this.call = call
    this.#home = home
  }

  get isPython(): boolean {
    return this.call.task.source.type === 'python'
  }

  /** Whether there is no result of it, and will be none. */
  get isWithoutResult(): boolean {
    return this.#isStopping || (this.place === 'over' && !this.result)
  }

  /** Calls back when it has been sent, or is over without. */
  whenPrepared(callback: () => void): void {
    if (this.place !== 'preparing') return callback()
    this.#whenPrepared ??= []
    this.#whenPrepared.push(callback)
  }

  /** It has been handed to the scheduler. */
  sent(): void {
    this.place = 'sent'
    this.#prepared()
  }

  /** It could not even be sent. */
  failed(error: unknown): void {
    this.#end({ type: 'threw', error })
  }

  // --- what a worker says

  started(at: number): void {
    if (this.place !== 'sent') return
    this.hasStarted = true
    this.call.started(Math.floor(at))
  }

  stopped(): void {
    if (this.#isStopping) this.#end({ type: 'stopped' })
  }

  // --- what the scheduler says

  inMemory(type: Uint8Array | undefined): void {
    if (this.place !== 'sent' || this.#isLooking) return
    const told = type && readType(type)
    if (told?.result) return this.#returned(decodeValue(told.result), told.nbytes)
    if (told?.nbytes !== undefined) return this.#hold(told.typeName, told.nbytes)
    this.#isLooking = true
    this.#home.look(this).then(
      ({ nbytes, ...result }) => {
        this.#isLooking = false
        if ('value' in result) this.#returned(result.value, nbytes)
        else this.#hold(told?.typeName, nbytes)
      },
      error => {
        this.#isLooking = false
        this.#end({ type: 'crashed', error })
      },
    )
  }

  erred(exception: unknown, traceback: unknown): void {
    if (this.place !== 'sent') return
    const { error, crashed, pythonType } = decodeError(exception, traceback)
    if (pythonType?.endsWith('.KilledWorker')) return this.#end({ type: 'crashed', error: killed(this.call, error) })
    this.#end({ type: crashed ? 'crashed' : 'threw', error })
  }

  cancelled(reason: string | undefined): void {
    if (this.place !== 'sent') return
    if (!this.#isStopping) return this.#end({ type: 'crashed', error: givenUp(this.call, reason) })
    if (this.isPython) return this.#end({ type: 'stopped' })
    if (!this.hasStarted) this.#endIn(newsMs, () => !this.hasStarted)
  }

  lost(error: MintakaError): void {
    this.#isLooking = false
    if (this.place !== 'sent') return void this.#home.lost(error)
    if (this.#isStopping) return this.#end({ type: 'stopped' })
    if (!this.#home.lost(error)) this.#end({ type: 'crashed', error })
  }

  // --- what the engine says

  onStop(): void {
    if (this.#isStopping || this.place === 'held' || this.place === 'over') return
    this.#isStopping = true
    // Nobody hears of an end before `submit` has returned.
    if (this.place === 'preparing') return queueMicrotask(() => this.#end({ type: 'stopped' }))
    this.#home.cancel(this)
    this.#endIn(this.#home.cancelGraceMs, () => true)
  }

  /** It cannot be waited for any longer. */
  giveUp(error: unknown): void {
    this.#end(this.#isStopping ? { type: 'stopped' } : { type: 'crashed', error })
  }

  #returned(value: unknown, nbytes: number | undefined): void {
    if (value instanceof Undecodable) return this.#hold(value.typeName, nbytes)
    this.result = { value }
    this.#end({ type: 'returned', value })
  }

  #hold(typeName: string | undefined, nbytes: number | undefined): void {
    if (this.place !== 'sent') return
    const fetch = (result: ClusterResult) => this.#home.fetch(this, result)
    this.#end({ type: 'returned', value: new ClusterResult(this.#home, { typeName, nbytes }, fetch) }, 'held')
  }

  #endIn(ms: number, isDue: () => boolean): void {
    const timer = setTimeout(() => {
      if (isDue()) this.#end({ type: 'stopped' })
    }, ms)
    if (this.#timer === undefined) this.#timer = timer
  }

  #end(outcome: Outcome, place: 'held' | 'over' = 'over'): void {
    if (this.place === 'held' || this.place === 'over') return
    this.place = place
    clearTimeout(this.#timer)
    this.#prepared()
    this.#home.ended(this, outcome)
  }

  #prepared(): void {
    const waiting = this.#whenPrepared
    this.#whenPrepared = undefined
    for (const callback of waiting ?? []) callback()
  }
}

function killed({ name, task }: Call, cause: unknown): MintakaError {
  const text = `Every worker that ran '${name}' died while it did; Dask has given it up. Perhaps it takes more memory than there is.`
  return new MintakaError('WORKER_LOST', text, { task: task.name, cause })
}

function givenUp({ name, task }: Call, reason = 'it does not say why'): MintakaError {
  return new MintakaError('CRASHED', `The Dask scheduler has cancelled '${name}': ${reason}.`, { task: task.name })
}
