import type { FlowRun, TaskRun } from '../../core/run.js'
import type { State } from '../../core/state.js'

/** What a display has to know of a flow run. It may be the live record: it is read when lines are made. */
export type FlowRunFacts = Readonly<
  Pick<FlowRun, 'id' | 'name' | 'flowName' | 'parentFlowRunId' | 'state' | 'startTime' | 'endTime'>
>

/** What a display has to know of a task run. */
export type TaskRunFacts = Readonly<Pick<TaskRun, 'id' | 'name' | 'taskName' | 'flowRunId' | 'state'>>

/** Where a task run, or a flow run, stands, as far as a bar shows it. */
export type Place =
  /** Not begun, or between two attempts. */
  | 'waiting'
  | 'running'
  | 'completed'
  /** Completed with the result of an earlier run. */
  | 'cached'
  | 'failed'
  | 'crashed'
  | 'cancelled'
  /** At rest for ever, for what it waits for did not complete. */
  | 'notReady'

/** How many runs are at each place, and how many attempts there were beyond the first ones. */
export type Tally = Readonly<Record<Place | 'retries', number>>

/**
 * What a live display is told. An engine in this process tells it by its events (`tellEvents`); whoever follows the run of
 * another process reads the store again and again, and tells what it finds. Flow runs come before what is below them;
 * what is told of one that is not known is dropped. Times are epoch milliseconds.
 */
export interface ProgressFacts {
  /** A flow run that is new, or that has entered another state. Nothing is told of it once its state is settled. */
  flowRun(run: FlowRunFacts): void
  /** A task run, or the mirror of a subflow run in its parent, has entered the state `to`; `from` is undefined for a new one. */
  taskRun(run: TaskRunFacts, from: State | undefined, to: State, at: number): void
  /** How many task runs of one name there are by now, instead of `taskRun` for each: for who reads a store. */
  tally(flowRunId: string, taskName: string, tally: Tally, at: number): void
  /** What a running task says of itself. `fraction` is between 0 and 1. It is forgotten when that attempt has ended. */
  taskProgress(run: TaskRunFacts, fraction: number, note: string | undefined): void
}

/** Where a run in this state stands. */
export function placeOf({ type, name }: Pick<State, 'type' | 'name'>): Place {
  if (name === 'Cached') return 'cached'
  if (name === 'NotReady') return 'notReady'
  return places[type]
}

const places = {
  SCHEDULED: 'waiting',
  PENDING: 'waiting',
  RUNNING: 'running',
  COMPLETED: 'completed',
  FAILED: 'failed',
  CRASHED: 'crashed',
  CANCELLED: 'cancelled',
} as const satisfies Record<State['type'], Place>

/** A tally that can be counted up. */
export type Counting = { -readonly [place in keyof Tally]: number }

export function emptyTally(): Counting {
  return {
    waiting: 0,
    running: 0,
    completed: 0,
    cached: 0,
    failed: 0,
    crashed: 0,
    cancelled: 0,
    notReady: 0,
    retries: 0,
  }
}

export function placesOf(tally: Tally): (keyof Tally)[] {
  return Object.keys(tally) as (keyof Tally)[]
}

/** How many of a tally have settled. */
export function endedOf({ completed, cached, failed, crashed, cancelled, notReady }: Tally): number {
  return completed + cached + failed + crashed + cancelled + notReady
}

export function totalOf(tally: Tally): number {
  return tally.waiting + tally.running + endedOf(tally)
}

/** How many did not end well by themselves; those that were not ready only followed them. */
export function failuresOf({ failed, crashed }: Tally): number {
  return failed + crashed
}
