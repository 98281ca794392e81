import type { CallSeries } from './executor.js'
import type { Run, TaskRun } from './run.js'

/** What the calls of one task in one flow run have in common. */
export interface TaskCalls {
  readonly flowRunId: string
  readonly taskName: string
  readonly taskKey: string
  readonly tags: readonly string[]
  /** What each of them is called; `undefined`: as {@link taskRunName} says. */
  readonly runName: string | undefined
  /** Hash of the task's code. */
  readonly version?: string | undefined
  /** Hash of the values that it captures: part of what each of them is called with. */
  readonly captured?: string | undefined
  /** What their ids and names begin with, unless they are called otherwise. */
  readonly series?: CallSeries | undefined
}

/**
 * A task run whose record says what it shares with others, so that a store may keep thousands of them as one. Its id is
 * `taskRunId(calls.flowRunId, number)`, its name `calls.runName ?? taskRunName(…)`, its tags are `calls.tags`.
 */
export interface CallRecord extends TaskRun {
  readonly calls: TaskCalls
  /** Which call of its flow run it is, from 0. */
  readonly number: number
  /** Its arguments, where they are small constants: `inputs` holds a preview of each, for a number its decimal digits. */
  readonly constants: readonly unknown[] | undefined
  /** Its `inputHash` without what its task has captured, if that does not follow from its inputs. */
  readonly inputKey: string | undefined
}

/** The same run, if its record is a {@link CallRecord}. */
export function callRecord(run: Run): CallRecord | undefined {
  return (run as Partial<CallRecord>).calls === undefined ? undefined : (run as CallRecord)
}

/** What the ids and names of the calls of one task in one flow run begin with. */
export function callSeries(flowRunId: string, taskName: string, taskKey: string): CallSeries {
  return { id: taskRunId(flowRunId, ''), name: taskRunName(taskName, taskKey, '') }
}

/** The id of the call of that number in a flow run. */
export function taskRunId(flowRunId: string, number: number | ''): string {
  return `${flowRunId}-${number}`
}

/** What a task run is called, after Orion: its task, the beginning of its key, its count. */
export function taskRunName(taskName: string, taskKey: string, dynamicKey: number | ''): string {
  return `${taskRunStem(taskName, taskKey)}${dynamicKey}`
}

/** What the names of the calls of one task begin with. */
export function taskRunStem(taskName: string, taskKey: string): string {
  return `${taskName}-${taskKey.slice(0, 8)}-`
}
