import {
  type Cancelled as CancelledState,
  type Completed as CompletedState,
  type Failed as FailedState,
  states,
} from './core/state.js'

export type { Crashed } from './core/state.js'
/** A state that a run has completed in; the function of that name makes one by hand. */
export type Completed<T = unknown> = CompletedState<T>
/** A state that a run has failed in; the function of that name makes one by hand. */
export type Failed = FailedState
/** A state of a run that was stopped on request; the function of that name makes one by hand. */
export type Cancelled = CancelledState

/** A COMPLETED state made by hand: a flow or task that returns it ends in it. */
export function Completed<T>(result: T, message?: string): Completed<T> {
  return states.completed(Date.now(), result, message)
}

/** A FAILED state made by hand. `await` on the run throws `error`. */
export function Failed(error: unknown, message?: string): Failed {
  return states.failed(Date.now(), error, message)
}

/** A CANCELLED state made by hand. */
export function Cancelled(error: unknown, message?: string): Cancelled {
  return states.cancelled(Date.now(), error, message)
}
