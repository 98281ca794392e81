import type { LogEntry } from './logger.js'
import type { FlowRun, Run, TaskRun } from './run.js'
import type { State } from './state.js'

/**
 * What an engine announces, in order. `at` is epoch milliseconds. `run` is the live record of the run it is about: read it,
 * never change it. `from` and `to` are the states before and after; `fraction` is how far a task says it is, from 0 to 1,
 * and `note` what it says to that; `entry` is a line of a run's log.
 */
export type EngineEvent =
  | { readonly type: 'flow-run-created'; readonly run: Readonly<FlowRun>; readonly at: number }
  | { readonly type: 'task-run-created'; readonly run: Readonly<TaskRun>; readonly at: number }
  | {
      readonly type: 'state-changed'
      readonly run: Readonly<Run>
      readonly from: State
      readonly to: State
      readonly at: number
    }
  | {
      readonly type: 'log'
      readonly entry: LogEntry
      /** The code has printed the line by itself (`console.log` in a worker): it need not be shown once more. */
      readonly printed?: true
      readonly at: number
    }
  | {
      readonly type: 'progress'
      readonly run: Readonly<TaskRun>
      readonly fraction: number
      readonly note?: string | undefined
      readonly at: number
    }
  /** Nothing can be written at present; `reason` says why, where and what to do. What has begun goes on, nothing begins. */
  | { readonly type: 'store-degraded'; readonly reason: string; readonly at: number }
  /** Writing works again, and what waited is saved; or the store has been closed. */
  | { readonly type: 'store-restored'; readonly at: number }
