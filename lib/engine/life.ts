import { asError, MintakaError } from '../core/errors.js'
import type { Call } from '../core/executor.js'
import { onAbort } from '../core/on-abort.js'
import type { Run } from '../core/run.js'
import { type SettledState, type State, states } from '../core/state.js'
import type { LeveledLogger } from './logger.js'

/** How a process ends, for runs that it leaves behind. */
export interface ProcessEnd {
  readonly pid: number
  readonly host: string
  readonly exitCode: number
}

type Callback<T> = (state: SettledState<T>) => void

/**
 * A run while it lives: its record, and who waits for it to settle. A run settles once. What a state means for the
 * run's record is `enter` of core; this class only tells those who wait.
 */
export abstract class Life<T = unknown> {
  abstract readonly record: Run
  #settled: SettledState<T> | undefined
  #waiting: Callback<T> | Callback<T>[] | undefined // mostly one: no list for it

  get id(): string {
    return this.record.id
  }
  get name(): string {
    return this.record.name
  }
  get state(): State<T> {
    return this.#settled ?? (this.record.state as State<T>)
  }

  /** The settled state, once there is one. */
  get settled(): SettledState<T> | undefined {
    return this.#settled
  }

  /** Whether its result is kept for a cache or for a later attempt of its flow, and so must stay as it is. */
  get keepsResult(): boolean {
    return false
  }

  /** The attempt that an executor is carrying out, if the run will end as that does. */
  get lastCall(): Call | undefined {
    return undefined
  }

  /** Whether it is a run of that flow run. */
  abstract isIn(flow: object): boolean

  /** Whether it goes on only when another run of the same flow run does. */
  get isResting(): boolean {
    return false
  }

  /** Calls back when the run has settled: now, if it has. */
  whenSettled(callback: Callback<T>): void {
    this.watch()
    if (this.#settled) callback(this.#settled)
    else if (!this.#waiting) this.#waiting = callback
    else if (typeof this.#waiting === 'function') this.#waiting = [this.#waiting, callback]
    else this.#waiting.push(callback)
  }

  /** Takes a callback back. */
  forget(callback: Callback<T>): void {
    if (this.#waiting === callback) this.#waiting = undefined
    else if (Array.isArray(this.#waiting)) this.#waiting = this.#waiting.filter(waiting => waiting !== callback)
  }

  /** Somebody looks at how the run ends: `then`, `wait`, `result`, `cancel`, or a run that waits for it. */
  watch(): void {}

  abstract cancel(reason?: string): void

  /** The process ends now: nothing can be awaited, and nobody is told any more; only the store still is. */
  leave(_why: ProcessEnd): void {}

  /** The run has settled, and those who waited have been told. */
  protected abstract over(): void

  protected settle(state: SettledState<T>): void {
    if (this.#settled) return
    this.#settled = state
    const waiting = this.#waiting
    this.#waiting = undefined
    if (typeof waiting === 'function') waiting(state)
    else if (waiting) for (const callback of waiting) callback(state)
    this.over()
  }

  /** A rule said ABORT: nothing is written, the record stays where it was, and the future throws ABORTED. */
  protected settleAborted(at: number, reason: string): void {
    const { id, name } = this.record
    const error = new MintakaError('ABORTED', `A rule stopped '${name}': ${reason}.`, { run: id })
    this.settle(states.notReady(at, id, error, error.message))
  }
}

/** What becomes of a run whose process ends. */
export function leftBehind({ kind, name, runCount }: Run, { pid, host, exitCode }: ProcessEnd, now: number): State {
  const what = `${kind === 'flow-run' ? 'flow run' : 'task run'} '${name}'`
  const when = runCount > 0 ? `while it carried out ${what}` : `before it carried out ${what}, which never started`
  const message = `The process ${pid} on host '${host}' ended with exit code ${exitCode} ${when}.`
  return states.crashed(now, new MintakaError('CRASHED', message, { pid, host, exitCode }))
}

/** What a cancelled run throws. The reason may be a sentence: that of the run around it. */
export function cancelledError(what: string, reason: string | undefined): MintakaError {
  const why = reason === undefined ? '' : `: ${reason.replace(/\.$/, '')}`
  return new MintakaError('CANCELLED', `${what} was cancelled${why}.`, { reason })
}

/** Cancels a run when the signal fires, unless it is over by then. */
export function cancelOn(signal: AbortSignal, run: Pick<Life, 'cancel'>, whenOver: (forget: () => void) => void): void {
  const cancel = () => run.cancel(signal.reason === undefined ? undefined : asError(signal.reason).message)
  if (signal.aborted) cancel()
  else whenOver(onAbort(signal, cancel))
}

/** Tells the log how a run has ended. */
export function logEnd(logger: LeveledLogger, run: Run, state: State): void {
  const level = state.type === 'COMPLETED' ? 'info' : 'error'
  if (!logger.enabled(level)) return
  const what = run.kind === 'flow-run' ? 'Flow run' : 'Task run'
  const why = state.message === undefined ? '' : `: ${state.message}`
  logger[level](`${what} '${run.name}' finished in state ${state.name}${why}`)
}
