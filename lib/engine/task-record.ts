import type { TaskSource } from '../core/executor.js'
import { keyOfConstants, keyOfPreviews, withCaptured } from '../core/input-keys.js'
import type { RunInput, TaskRun } from '../core/run.js'
import type { State } from '../core/state.js'
import { type CallRecord, type TaskCalls, taskRunId, taskRunName } from '../core/task-calls.js'
import type { TaskDefinition } from './definitions.js'
import { describeInputs } from './inputs.js'
import { fileOf, taskKeyOf } from './source.js'

/**
 * The record of a task run, lean: a flow may hold a hundred thousand. What they have in common they share, and what can
 * be derived is derived when somebody reads it.
 */
export class TaskRecord implements CallRecord {
  readonly dynamicKey: number
  state: State
  startTime: number | undefined
  endTime: number | undefined
  totalRunTimeMs = 0
  runCount = 0
  readonly calls: TaskCalls
  readonly number: number
  /** Made of the arguments where they are no small constants: see {@link inputHash}. */
  inputKey: string | undefined
  /** The first state: it says when the run was created. */
  readonly #first: State
  /** The descriptions of its inputs, if they could not wait. */
  readonly #described: readonly RunInput[] | undefined
  /** Else the arguments: small constants, described when somebody asks. */
  readonly constants: readonly unknown[] | undefined

  constructor(
    calls: TaskCalls,
    number: number,
    dynamicKey: number,
    state: State,
    args: readonly unknown[],
    described?: readonly RunInput[],
  ) {
    this.calls = calls
    this.number = number
    this.dynamicKey = dynamicKey
    this.#first = state
    this.state = state
    this.startTime = undefined
    this.endTime = undefined
    this.#described = described
    this.constants = described ? undefined : args
    this.inputKey = undefined
  }

  get kind(): 'task-run' {
    return 'task-run'
  }
  get id(): string {
    return taskRunId(this.calls.flowRunId, this.number)
  }
  get flowRunId(): string {
    return this.calls.flowRunId
  }
  get taskName(): string {
    return this.calls.taskName
  }
  get taskKey(): string {
    return this.calls.taskKey
  }
  get tags(): readonly string[] {
    return this.calls.tags
  }
  get created(): number {
    return this.#first.timestamp
  }
  get name(): string {
    const { runName, taskName, taskKey } = this.calls
    return runName ?? taskRunName(taskName, taskKey, this.dynamicKey)
  }

  get inputs(): readonly RunInput[] {
    return this.#described ?? describeInputs(this.constants ?? [])
  }

  get inputHash(): string | undefined {
    const key =
      this.inputKey ?? (this.constants ? keyOfConstants(this.constants) : keyOfPreviews(this.#described ?? []))
    return withCaptured(key, this.calls.captured)
  }
  get taskVersion(): string | undefined {
    return this.calls.version
  }

  /** As plain data. */
  toData(): TaskRun {
    const { id, name, flowRunId, taskName, taskKey, dynamicKey, created, tags, inputs, state } = this
    const { inputHash, taskVersion } = this
    const { startTime, endTime, totalRunTimeMs, runCount } = this
    const fixed = {
      kind: 'task-run',
      id,
      name,
      flowRunId,
      taskName,
      taskKey,
      dynamicKey,
      created,
      tags,
      inputs,
      inputHash,
      taskVersion,
    } as const
    return { ...fixed, state, startTime, endTime, totalRunTimeMs, runCount, childFlowRunId: undefined }
  }

  toJSON(): TaskRun {
    return this.toData()
  }
}

function placeOf(source: TaskSource): string | undefined {
  switch (source.type) {
    case 'slice':
      return source.file
    case 'module':
      return fileOf(source) ?? source.url
    case 'python':
      return `python:${source.target}`
  }
}

const keys = new WeakMap<TaskDefinition, string>()

/** The task key of a definition; see `taskKeyOf`. */
export function keyOf(task: TaskDefinition): string {
  let key = keys.get(task)
  if (key === undefined) {
    const { source } = task.code
    key = taskKeyOf(placeOf(source), task.name, task.tags)
    keys.set(task, key)
  }
  return key
}
