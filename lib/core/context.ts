import type { Logger } from './logger.js'

/** What `taskContext()` gives inside a task, on every executor. */
export interface TaskContext {
  /** Id of the task run, the same for all attempts: good as a key for effects that must not happen twice. */
  readonly taskRunId: string
  /** Name of the task run. */
  readonly taskRunName: string
  /** Id of the flow run around it. */
  readonly flowRunId: string
  /** From 1. */
  readonly attempt: number
  /** Those of the task, and of the scopes around the call. */
  readonly tags: readonly string[]
  /** Fires when the run is cancelled or out of time. */
  readonly signal: AbortSignal
  /** Writes to the run's log. */
  readonly log: Logger
  /** Says how far the task is, from 0 to 1. */
  progress(fraction: number, note?: string): void
  /** Throws once the run is cancelled or out of time: for loops that never await. */
  throwIfCancelled(): void
}

/** What `flowContext()` gives inside a flow. */
export interface FlowContext {
  /** Id of the flow run. */
  readonly flowRunId: string
  /** Name of the flow run. */
  readonly flowRunName: string
  /** Fires when the run is cancelled or out of time. */
  readonly signal: AbortSignal
  /** Writes to the run's log. */
  readonly log: Logger
}
