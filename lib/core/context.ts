import type { Logger } from './logger.js'

/** What `taskContext()` gives inside a task, on every executor. */
export interface TaskContext {
  readonly taskRunId: string
  readonly taskRunName: string
  readonly flowRunId: string
  /** From 1. */
  readonly attempt: number
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
  readonly flowRunId: string
  readonly flowRunName: string
  /** Fires when the run is cancelled or out of time. */
  readonly signal: AbortSignal
  /** Writes to the run's log. */
  readonly log: Logger
}
