/** The seven types of state. The type drives every rule; the name is for people. */
export type StateType = 'SCHEDULED' | 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CRASHED' | 'CANCELLED'

interface Common {
  /** When the run entered the state: epoch milliseconds. */
  readonly timestamp: number
  /** For people: what was thrown says it, or whoever made the state. */
  readonly message?: string | undefined
}

/** Waits for its time. */
export interface Scheduled extends Common {
  readonly type: 'SCHEDULED'
  readonly name: 'Scheduled' | 'Late'
  /** Epoch milliseconds. */
  readonly scheduledTime: number
}

/** An attempt failed; another one follows at `scheduledTime`. */
export interface AwaitingRetry extends Common {
  readonly type: 'SCHEDULED'
  readonly name: 'AwaitingRetry'
  /** When the next attempt begins: epoch milliseconds. */
  readonly scheduledTime: number
  /** The attempt that failed, from 1. */
  readonly attempt: number
  /** What that attempt threw. */
  readonly error: unknown
}

/** Made, not started: it waits for its inputs or for a slot. */
export interface Pending extends Common {
  readonly type: 'PENDING'
  readonly name: 'Pending'
}

/** At rest for ever: a run it waits for did not complete. Settled, though not final. */
export interface NotReady extends Common {
  readonly type: 'PENDING'
  readonly name: 'NotReady'
  /** The id of the run that did not complete. */
  readonly upstreamId: string
  /** UPSTREAM_NOT_COMPLETED, with what was thrown at the root of the chain as its cause. */
  readonly error: unknown
}

/** Its code runs; `Retrying` from the second attempt on. */
export interface Running extends Common {
  readonly type: 'RUNNING'
  readonly name: 'Running' | 'Retrying'
  /** From 1. */
  readonly attempt: number
}

/** Asked to stop, still running. CANCELLED follows when the code has stopped. */
export interface Cancelling extends Common {
  readonly type: 'RUNNING'
  readonly name: 'Cancelling'
  /** The attempt that is to stop, from 1. */
  readonly attempt: number
}

/** Done; `Cached` when the result was taken from an earlier run. */
export interface Completed<T = unknown> extends Common {
  readonly type: 'COMPLETED'
  readonly name: 'Completed' | 'Cached'
  /**
   * What its code returned, as a value: {@link NotPersisted} if it was read from a store that had not kept it, a
   * {@link HeldResult} if it has stayed on a cluster.
   */
  readonly result: T
  /** The run that computed a cached result. */
  readonly cachedFrom?: string | undefined
}

/** Its code threw, or it ran out of time (`TimedOut`). */
export interface Failed extends Common {
  readonly type: 'FAILED'
  readonly name: 'Failed' | 'TimedOut'
  /** What was thrown, as it was thrown; of `TimedOut` TIMED_OUT. */
  readonly error: unknown
}

/** What carried it out was lost: a thread, a process, an executor. */
export interface Crashed extends Common {
  readonly type: 'CRASHED'
  readonly name: 'Crashed'
  /** CRASHED, WORKER_LOST, EXECUTOR_FAILED, SCHEDULER_LOST and the like. */
  readonly error: unknown
}

/** Stopped on request. */
export interface Cancelled extends Common {
  readonly type: 'CANCELLED'
  readonly name: 'Cancelled'
  /** CANCELLED, with the reason that was given. */
  readonly error: unknown
}

/**
 * Where a run stands: a union on `type`, each member with exactly what it needs. States are branded, so that a plain
 * object of the same shape is data. Made by the functions below; never changed afterwards.
 */
export type State<T = unknown> =
  | Scheduled
  | AwaitingRetry
  | Pending
  | NotReady
  | Running
  | Cancelling
  | Completed<T>
  | Failed
  | Crashed
  | Cancelled

/** A state in which a run can end. */
export type TerminalState<T = unknown> = Completed<T> | Failed | Crashed | Cancelled
/** A state after which nothing follows: terminal, or NotReady. */
export type SettledState<T = unknown> = TerminalState<T> | NotReady
/** The fourteen names of states: for people, and for filters. */
export type StateName = State['name']

const brand = Symbol.for('mintaka.state')

// One class per shape, so that V8 keeps one hidden class per kind of state; the brand lives on the prototype and costs
// a state nothing.
class Branded {
  get [brand](): true {
    return true
  }

  /** In the console: `Failed { type: 'FAILED', … }`. */
  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: object, inspect: Inspect): string {
    const { name, ...fields } = this as unknown as State
    return `${name} ${inspect(fields, options)}`
  }
}
type Inspect = (value: unknown, options: object) => string
class ScheduledState extends Branded {
  readonly type = 'SCHEDULED'
  readonly name: 'Scheduled' | 'Late'
  readonly timestamp: number
  readonly message: string | undefined
  readonly scheduledTime: number
  constructor(name: 'Scheduled' | 'Late', timestamp: number, scheduledTime: number, message?: string) {
    super()
    this.name = name
    this.timestamp = timestamp
    this.scheduledTime = scheduledTime
    this.message = message
  }
}
class AwaitingRetryState extends Branded {
  readonly type = 'SCHEDULED'
  readonly name = 'AwaitingRetry'
  readonly timestamp: number
  readonly message: string | undefined
  readonly scheduledTime: number
  readonly attempt: number
  readonly error: unknown
  constructor(timestamp: number, scheduledTime: number, attempt: number, error: unknown, message?: string) {
    super()
    this.timestamp = timestamp
    this.scheduledTime = scheduledTime
    this.attempt = attempt
    this.error = error
    this.message = message
  }
}
class PendingState extends Branded {
  readonly type = 'PENDING'
  readonly name = 'Pending'
  readonly timestamp: number
  readonly message: string | undefined
  constructor(timestamp: number, message?: string) {
    super()
    this.timestamp = timestamp
    this.message = message
  }
}
class NotReadyState extends Branded {
  readonly type = 'PENDING'
  readonly name = 'NotReady'
  readonly timestamp: number
  readonly message: string | undefined
  readonly upstreamId: string
  readonly error: unknown
  constructor(timestamp: number, upstreamId: string, error: unknown, message?: string) {
    super()
    this.timestamp = timestamp
    this.upstreamId = upstreamId
    this.error = error
    this.message = message
  }
}
class RunningState<N extends 'Running' | 'Retrying' | 'Cancelling'> extends Branded {
  readonly type = 'RUNNING'
  readonly name: N
  readonly timestamp: number
  readonly message: string | undefined
  readonly attempt: number
  constructor(name: N, timestamp: number, attempt: number, message?: string) {
    super()
    this.name = name
    this.timestamp = timestamp
    this.attempt = attempt
    this.message = message
  }
}
class CompletedState<T> extends Branded {
  readonly type = 'COMPLETED'
  readonly name: 'Completed' | 'Cached'
  readonly timestamp: number
  readonly result: T
  // Most have neither: a field that is not there takes no room.
  declare readonly message?: string
  declare readonly cachedFrom?: string
  constructor(name: 'Completed' | 'Cached', timestamp: number, result: T, message?: string, cachedFrom?: string) {
    super()
    this.name = name
    this.timestamp = timestamp
    this.result = result
    if (message !== undefined) this.message = message
    if (cachedFrom !== undefined) this.cachedFrom = cachedFrom
  }
}
class ErrorState<Y extends 'FAILED' | 'CRASHED' | 'CANCELLED', N extends StateName> extends Branded {
  readonly type: Y
  readonly name: N
  readonly timestamp: number
  readonly message: string | undefined
  readonly error: unknown
  constructor(type: Y, name: N, timestamp: number, error: unknown, message?: string) {
    super()
    this.type = type
    this.name = name
    this.timestamp = timestamp
    this.error = error
    this.message = message
  }
}

// States are values. Thousands of runs enter the same one in the same millisecond: they share it.
let lastPending: Pending = new PendingState(0)
let lastRunning: Running = new RunningState<'Running' | 'Retrying'>('Running', 0, 1)

/** Makes states, one function per name. Times are epoch milliseconds; nothing here reads a clock. */
export const states = {
  scheduled: (at: number, scheduledTime: number, message?: string): Scheduled =>
    new ScheduledState('Scheduled', at, scheduledTime, message),
  late: (at: number, scheduledTime: number): Scheduled => new ScheduledState('Late', at, scheduledTime),
  awaitingRetry: (at: number, scheduledTime: number, attempt: number, error: unknown): AwaitingRetry =>
    new AwaitingRetryState(at, scheduledTime, attempt, error, messageOf(error)),
  pending: (at: number): Pending => (lastPending.timestamp === at ? lastPending : (lastPending = new PendingState(at))),
  notReady: (at: number, upstreamId: string, error: unknown, message?: string): NotReady =>
    new NotReadyState(at, upstreamId, error, message),
  running: (at: number, attempt: number): Running => {
    if (lastRunning.timestamp === at && lastRunning.attempt === attempt) return lastRunning
    lastRunning = new RunningState(attempt > 1 ? 'Retrying' : 'Running', at, attempt)
    return lastRunning
  },
  cancelling: (at: number, attempt: number, message?: string): Cancelling =>
    new RunningState('Cancelling', at, attempt, message),
  completed: <T>(at: number, result: T, message?: string): Completed<T> =>
    new CompletedState<T>('Completed', at, result, message),
  cached: <T>(at: number, result: T, cachedFrom?: string): Completed<T> =>
    new CompletedState('Cached', at, result, undefined, cachedFrom),
  failed: (at: number, error: unknown, message = messageOf(error)): Failed =>
    new ErrorState('FAILED', 'Failed', at, error, message),
  timedOut: (at: number, error: unknown): Failed => new ErrorState('FAILED', 'TimedOut', at, error, messageOf(error)),
  crashed: (at: number, error: unknown): Crashed => new ErrorState('CRASHED', 'Crashed', at, error, messageOf(error)),
  cancelled: (at: number, error: unknown, message = messageOf(error)): Cancelled =>
    new ErrorState('CANCELLED', 'Cancelled', at, error, message),
}

/** What a state is made of, as data: its fields without its brand. */
export type StateFields = {
  readonly name: StateName
  readonly timestamp: number
  readonly message?: string | undefined
  readonly scheduledTime?: number | undefined
  readonly attempt?: number | undefined
  readonly upstreamId?: string | undefined
  readonly cachedFrom?: string | undefined
  readonly result?: unknown
  readonly error?: unknown
}

/** The state that was taken apart into `fields`; for whoever reads one back from a wire or a file. */
export function reviveState(fields: StateFields): State {
  const { name, timestamp: at, message, error, scheduledTime = at, attempt = 1 } = fields
  switch (name) {
    case 'Scheduled':
    case 'Late':
      return new ScheduledState(name, at, scheduledTime, message)
    case 'AwaitingRetry':
      return new AwaitingRetryState(at, scheduledTime, attempt, error, message)
    case 'Pending':
      return new PendingState(at, message)
    case 'NotReady':
      return new NotReadyState(at, fields.upstreamId ?? '', error, message)
    case 'Running':
    case 'Retrying':
    case 'Cancelling':
      return new RunningState(name, at, attempt, message)
    case 'Completed':
    case 'Cached':
      return new CompletedState(name, at, fields.result, message, fields.cachedFrom)
    case 'Failed':
    case 'TimedOut':
      return new ErrorState('FAILED', name, at, error, message)
    case 'Crashed':
      return new ErrorState('CRASHED', name, at, error, message)
    case 'Cancelled':
      return new ErrorState('CANCELLED', name, at, error, message)
  }
}

/** Whether `value` is a state, rather than a plain object of the same shape. */
export function isState(value: unknown): value is State {
  return typeof value === 'object' && value !== null && brand in value
}

/** Whether a run in this state has ended. Terminal states never change. */
export function isTerminal<T>(state: State<T>): state is TerminalState<T> {
  const { type } = state
  return type === 'COMPLETED' || type === 'FAILED' || type === 'CRASHED' || type === 'CANCELLED'
}

/** Whether nothing will follow: the state is terminal, or NotReady. */
export function isSettled<T>(state: State<T>): state is SettledState<T> {
  return isTerminal(state) || state.name === 'NotReady'
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string | undefined {
  if (error === undefined) return undefined
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message)
  return String(error)
}
