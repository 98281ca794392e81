/**
 * Every code a {@link MintakaError} can have, each with the sentence that says when it happens.
 * `docs/ERRORS.md` has a heading per code; a test reads both lists.
 */
export const errorCodes = {
  // calls
  TASK_OUTSIDE_FLOW: 'a task was called outside any flow',
  FLOW_IN_TASK: 'a flow was called inside a task',
  FLOW_RUN_ENDED: 'a task or flow was called in a flow run that has ended',
  FLOW_DEPTH: 'flows are nested deeper than the limit',
  OTHER_ENGINE: 'a subflow names another engine than the flow run around it',
  OUTSIDE_RUN: 'taskContext() or flowContext() was called outside a task or a flow',
  INVALID_ARGUMENT: 'a function of this library was called with something it cannot use',
  INVALID_OPTION: 'an option has a value it cannot have, or does not exist',
  INVALID_ANNOTATION: 'an annotation is misspelt or has a value it cannot have',
  INVALID_PARAMETERS: 'the parameters of a flow do not fit its schema',
  // runs
  UPSTREAM_NOT_COMPLETED: 'a run could not start, because a run it waits for did not complete',
  TIMED_OUT: 'a run took longer than its timeoutMs',
  CANCELLED: 'a run was cancelled',
  CRASHED: 'a run ended because what carried it out was lost',
  TASKS_FAILED: 'a flow run ended with runs that did not complete',
  NOT_RESUMABLE: 'a flow run cannot be continued',
  NOT_DELETABLE: 'a flow run cannot be deleted',
  DIVERGED: 'a flow run does other things than the one that it continues',
  ABORTED: 'an orchestration rule refused a transition',
  RULE_FAILED: 'an orchestration rule threw',
  // engine and executors
  ENGINE_CLOSED: 'the engine has been closed',
  EXECUTOR_FAILED: 'an executor could not start or broke its contract',
  EXECUTOR_CLOSED: 'a call was submitted to an executor session that is not open',
  WORKER_LOST: 'the worker that ran the task ended',
  RESOURCES_UNAVAILABLE: 'a task takes more of a resource than its executor will ever have',
  NOT_FOUND: 'there is no run, flow or task of that name',
  AMBIGUOUS_ID: 'an id prefix or name fits more than one run',
  // task code
  CAPTURES_LOCAL: 'a task uses a local variable of the function around it',
  CAPTURES_THIS: 'a task uses this or super of the function around it',
  STALE_VARIABLE: 'a task uses a module variable that is assigned outside what a worker runs',
  MAYBE_STALE: 'a line that a worker does not run touches something that a task uses (a warning)',
  UNKNOWN_GLOBAL: 'a task uses a name that does not exist in a worker',
  NOT_LOCATED: 'the call that defines a task was not found in its file',
  DUPLICATE_NAME: 'two tasks of one file have the same name',
  NO_FILE: 'a task was defined where there is no file',
  SOURCE_CHANGED: 'a file changed after it was loaded',
  BUILD: 'the code of a task could not be prepared for workers',
  NATIVE: 'a task needs a native package that cannot be bundled',
  MISSING_ON_WORKER: 'a worker does not have a package that a task needs',
  ASSET: 'a task reads a file next to its source, which a remote worker does not have',
  NOT_SENDABLE: 'a value cannot be sent to a worker',
  // dask
  DASK_CONNECT: 'a connection of a Dask cluster could not be made, or was lost',
  DASK_PROTOCOL: 'a Dask peer sent what this version cannot read',
  DASK_REMOTE: 'a Dask peer could not do what it was asked for',
  NEEDS_DASK: 'a Python function was called where there is no Dask',
  DASK_VERSION: 'a Dask scheduler has a version that is not understood',
  SCHEDULER_LOST: 'the connection to a Dask scheduler was lost',
  RESULT_LOST: 'a result that had stayed on a Dask cluster is there no more',
  DASK_PYTHON: 'no Python with Dask was found, which a temporary cluster needs',
  DASK_CLUSTER: 'a temporary Dask cluster could not start, or ended',
  // store
  STORE_OPEN_FAILED: 'the store could not be opened',
  STORE_WRITE_FAILED: 'the store could not write',
  STORE_FORMAT: 'the store has a format that this version does not know',
} as const

/** Every code that a {@link MintakaError} can have. docs/ERRORS.md has a heading per code. */
export type ErrorCode = keyof typeof errorCodes

/** Where an error happened and whatever else helps to find it; each becomes an own field of the error. */
export interface ErrorDetails {
  /** The original error, if there is one. */
  readonly cause?: unknown
  /** The name of a task. */
  readonly task?: string
  /** The name of a flow. */
  readonly flow?: string
  /** A path. */
  readonly file?: string
  /** From 1. */
  readonly line?: number
  readonly [field: string]: unknown
}

const brand = Symbol.for('mintaka.error')

/**
 * The one class of errors that Mintaka throws by itself. `code` is for programs, `message` names the thing, the place
 * and the fix for people, `cause` keeps the original. Errors of user code are never wrapped: they arrive as thrown.
 */
export class MintakaError extends Error {
  /** `MintakaError`, also where classes cannot be compared. */
  override readonly name: string = 'MintakaError'
  /** For programs: it stays what it is from version to version, the message may not. */
  readonly code: ErrorCode
  /** The task it is about, if it is about one. */
  declare readonly task?: string
  /** The flow it is about, if it is about one. */
  declare readonly flow?: string
  /** The file it is about, if it is about one. */
  declare readonly file?: string
  /** The line in that file, from 1. */
  declare readonly line?: number

  /** `details` become own fields, but for `cause`. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...fields } = details
    super(message, 'cause' in details ? { cause } : undefined)
    this.code = code
    Object.assign(this, fields)
    Object.defineProperty(this, 'name', { enumerable: false })
  }

  /** @internal */
  get [brand](): true {
    return true
  }
}

/** Whether `error` is a {@link MintakaError}, of `code` if one is given; true also across copies of this library. */
export function isMintakaError(error: unknown, code?: ErrorCode): error is MintakaError {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return code === undefined || (error as MintakaError).code === code
}

/** A thrown value as an Error: itself, or an Error that says what was thrown (`throw 'text'` is legal JavaScript). */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'stack' in thrown) return thrown as Error
  return new Error(typeof thrown === 'string' ? thrown : `a value that is not an Error was thrown: ${String(thrown)}`)
}
