import type { RunInput, TaskRun } from '../core/run.js'
import type { State } from '../core/state.js'
import { describeInputs } from './inputs.js'

/**
 * The record of a task run, lean: a flow may hold a hundred thousand. What can be derived is derived when somebody
 * reads it.
 */
export class TaskRecord implements TaskRun {
  readonly id: string
  readonly flowRunId: string
  readonly taskName: string
  readonly taskKey: string
  readonly dynamicKey: number
  readonly created: number
  readonly tags: readonly string[]
  state: State
  startTime: number | undefined
  endTime: number | undefined
  totalRunTimeMs = 0
  runCount = 0
  readonly #runName: string | undefined
  /** The descriptions of its inputs, if they could not wait. */
  readonly #described: readonly RunInput[] | undefined
  /** Else the arguments: small constants, described when somebody asks. */
  readonly #constants: readonly unknown[]

  constructor(fields: {
    readonly id: string
    readonly flowRunId: string
    readonly taskName: string
    readonly taskKey: string
    readonly dynamicKey: number
    readonly tags: readonly string[]
    readonly state: State
    readonly runName: string | undefined
    readonly described: readonly RunInput[] | undefined
    readonly constants: readonly unknown[]
  }) {
    this.id = fields.id
    this.flowRunId = fields.flowRunId
    this.taskName = fields.taskName
    this.taskKey = fields.taskKey
    this.dynamicKey = fields.dynamicKey
    this.created = fields.state.timestamp
    this.tags = fields.tags
    this.state = fields.state
    this.startTime = undefined
    this.endTime = undefined
    this.#runName = fields.runName
    this.#described = fields.described
    this.#constants = fields.described ? [] : fields.constants
  }

  get kind(): 'task-run' {
    return 'task-run'
  }

  get name(): string {
    return this.#runName ?? `${this.taskName}-${this.taskKey.slice(0, 8)}-${this.dynamicKey}`
  }

  get inputs(): readonly RunInput[] {
    return this.#described ?? describeInputs(this.#constants)
  }

  /** As plain data. */
  toData(): TaskRun {
    const { id, name, flowRunId, taskName, taskKey, dynamicKey, created, tags, inputs, state } = this
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
    } as const
    return { ...fixed, state, startTime, endTime, totalRunTimeMs, runCount, childFlowRunId: undefined }
  }

  toJSON(): TaskRun {
    return this.toData()
  }
}
