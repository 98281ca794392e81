import type { TaskRun } from '../core/run.js'
import type { Completed, State } from '../core/state.js'
import type { BriefTaskRun } from '../core/store.js'
import { taskRunId, taskRunName } from '../core/task-calls.js'
import { callOf } from './lines/line-bytes.js'
import { decode, type ValueCodec } from './lines/line-values.js'
import { type Scan, taskRunsIn } from './lines/run-lines.js'
import { type ReadRun, TaskRunReading } from './lines/task-run-reading.js'

/** Results whose text is longer are decoded when somebody asks for them. */
const maxDecoded = 100

/** A value that has not been decoded yet. */
class EncodedValue {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * The task runs of a flow run, in call order, in few bytes: there may be a million. Their histories are forgotten as they
 * are read, and their results stay as they were written.
 */
export async function briefRunsIn(scan: Scan, flowRunId: string, codec: ValueCodec): Promise<BriefTaskRun[]> {
  const lazy: ValueCodec = {
    encode: (value, limit) => codec.encode(value, limit),
    decode: text => (text.length > maxDecoded ? new EncodedValue(text) : codec.decode(text)),
    files: codec.files,
  }
  const runs: BriefTaskRun[] = []
  const words = new Map<string, string>()
  const once = (word: string) => {
    const known = words.get(word)
    if (known === undefined) words.set(word, word)
    return known ?? word
  }
  const add = ({ run, index }: ReadRun) => {
    runs[index] = new BriefRun(run, codec, once)
  }
  const reading = new TaskRunReading(lazy, { forgetsSettled: true, onSettled: add })
  for (const unsettled of await taskRunsIn(scan, flowRunId, lazy, reading)) add(unsettled)
  return runs
}

/** What can be derived is derived, and what many have in common they share. */
class BriefRun implements BriefTaskRun {
  readonly flowRunId: string
  readonly taskName: string
  readonly taskKey: string
  readonly taskVersion: string | undefined
  readonly dynamicKey: number
  readonly inputHash: string | undefined
  readonly inputs: TaskRun['inputs']
  readonly childFlowRunId: string | undefined
  readonly runCount: number
  readonly completedAt: number | undefined
  readonly cachedFrom: string | undefined
  /** The number of the call, if its id is made of it. */
  readonly #id: string | number
  /** None: as the names of calls are made. */
  readonly #name: string | undefined
  readonly #codec: ValueCodec
  readonly #result: unknown

  constructor(run: TaskRun, codec: ValueCodec, once: (word: string) => string) {
    const { state, inputHash } = run
    const isCompleted = state.type === 'COMPLETED'
    this.flowRunId = once(run.flowRunId)
    this.taskName = once(run.taskName)
    this.taskKey = once(run.taskKey)
    this.taskVersion = run.taskVersion === undefined ? undefined : once(run.taskVersion)
    this.dynamicKey = run.dynamicKey
    this.inputHash = inputHash
    // A key that is a text says what the inputs were.
    this.inputs = inputHash !== undefined && !inputHash.startsWith('#') ? none : run.inputs
    this.childFlowRunId = run.childFlowRunId
    this.runCount = run.runCount
    this.completedAt = isCompleted ? state.timestamp : undefined
    this.cachedFrom = isCompleted ? state.cachedFrom : undefined
    this.#id = callOf(run.id)?.number ?? run.id
    const isUsual = run.name === taskRunName(run.taskName, run.taskKey, run.dynamicKey)
    this.#name = isUsual ? undefined : once(run.name)
    this.#codec = codec
    this.#result = resultOf(state)
  }

  get id(): string {
    return typeof this.#id === 'number' ? taskRunId(this.flowRunId, this.#id) : this.#id
  }
  get name(): string {
    return this.#name ?? taskRunName(this.taskName, this.taskKey, this.dynamicKey)
  }

  result(): unknown {
    const result = this.#result instanceof LazyResult ? this.#result.state.result : this.#result
    return result instanceof EncodedValue ? decode(result.text, this.#codec) : result
  }
}

/** A result in a file, which its state reads when it is asked. */
class LazyResult {
  readonly state: Completed

  constructor(state: Completed) {
    this.state = state
  }
}

function resultOf(state: State): unknown {
  if (state.type !== 'COMPLETED') return undefined
  const isLazy = Object.getOwnPropertyDescriptor(state, 'result')?.get !== undefined
  return isLazy ? new LazyResult(state) : state.result
}

const none: TaskRun['inputs'] = []
