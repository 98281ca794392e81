import type { DivergenceReport } from './divergence.js'
import type { ExecutorStats } from './executor-stats.js'
import { isTerminal, type State } from './state.js'

/** What a task run was called with: per argument the runs found in it, and a short preview of constants. */
export interface RunInput {
  /** `0`, `1`, … for arguments, `parameters` for a subflow's parameters, `waitFor` for what it only waits for. */
  readonly name: string
  /** Ids of the runs whose values are part of this input. */
  readonly runs?: readonly string[] | undefined
  /** What it was, in few characters. For people, not for programs. */
  readonly preview?: string | undefined
}

/** What flow runs and task runs have in common. Times are epoch milliseconds, spans milliseconds. */
export interface RunBase {
  /** Unique in the store. Its beginning will do on the command line. */
  readonly id: string
  /** For people: two words for a flow run, `square-3f9c21d0-0` for a task run. */
  readonly name: string
  /** When it was called. */
  readonly created: number
  /** Those of its definition, and of the scopes around the call. */
  readonly tags: readonly string[]
  /** Where it stands now. */
  state: State
  /** The first time it was RUNNING. */
  startTime?: number | undefined
  /** When its state became terminal. */
  endTime?: number | undefined
  /** Time spent in RUNNING, all attempts together. */
  totalRunTimeMs: number
  /** How often it was RUNNING. */
  runCount: number
}

/** One execution of a flow. */
export interface FlowRun extends RunBase {
  readonly kind: 'flow-run'
  /** The name of the flow that it is a run of. */
  readonly flowName: string
  /** Hash of the source file, or what the flow's options say. */
  readonly version?: string | undefined
  /** The file that defines the flow. */
  readonly file?: string | undefined
  /** As the options of the flow say. */
  readonly description?: string | undefined
  /** The name of its executor. */
  readonly executor: string
  /** For a subflow run: the task run of the parent that mirrors it. */
  readonly parentTaskRunId?: string | undefined
  /** For a subflow run: the flow run that called it. */
  readonly parentFlowRunId?: string | undefined
  /** A short preview of the parameters. */
  readonly parameters?: string | undefined
  /** The key that it was called with, if any: there is one run of the flow per key. */
  readonly idempotencyKey?: string | undefined
  /** The deployment that it is a run of: `flow-name/deployment-name`. */
  readonly deployment?: string | undefined
  /** For a run of a deployment: when it was to begin. */
  readonly scheduledTime?: number | undefined
  /** How its executor did, in its last session that had something to tell. */
  executorStats?: ExecutorStats | undefined
  /** The flow run that it continues. That of a subflow is known when its parameters are. */
  continues?: string | undefined
  /** For a run that continues another one: how its calls differ from those of that run. Known when its last one is made. */
  divergence?: DivergenceReport | undefined
}

/** One call of a task in a flow run, with all its attempts; or the mirror of a subflow run in its parent. */
export interface TaskRun extends RunBase {
  readonly kind: 'task-run'
  /** The flow run that called it. */
  readonly flowRunId: string
  /** The name of the task, or of the subflow. */
  readonly taskName: string
  /** Equal on every machine: made of the file relative to the project, the name and the declared tags. */
  readonly taskKey: string
  /** Counts the calls of one task key in its flow run, from 0. */
  readonly dynamicKey: number
  /** What it was called with, argument by argument. */
  readonly inputs: readonly RunInput[]
  /**
   * Key of what it was called with, captured values included: the text of small constants, else a hash. Known at the
   * latest when it has completed. None: what it was called with cannot be told from other things, or nobody would ask.
   */
  inputHash?: string | undefined
  /** Hash of its code: of the file that defines it, else of its function. */
  readonly taskVersion?: string | undefined
  /** For the mirror of a subflow run: that flow run. */
  childFlowRunId?: string | undefined
}

/** A flow run or a task run; `kind` says which. */
export type Run = FlowRun | TaskRun

/** A copy of a run's record, as plain data. */
export function copyOf<R extends Run>(run: R): R {
  return 'toData' in run && typeof run.toData === 'function' ? (run.toData() as R) : { ...run }
}

/**
 * Enters a state into a run's record: times, counts and spans. The one place where bookkeeping happens, live and when
 * a store is read back (after Orion's global transition rules).
 */
export function enter(run: Run, state: State): void {
  const from = run.state
  if (from.type === 'RUNNING') run.totalRunTimeMs += Math.max(0, state.timestamp - from.timestamp)
  if (state.type === 'RUNNING' && state.name !== 'Cancelling') {
    run.runCount += 1
    run.startTime ??= state.timestamp
  }
  run.endTime = isTerminal(state) ? state.timestamp : undefined
  run.state = state
}
