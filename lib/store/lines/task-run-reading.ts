import { enter, type Run, type TaskRun } from '../../core/run.js'
import { isSettled, isTerminal, type State, states } from '../../core/state.js'
import type { Codec } from '../../core/store.js'
import { type RowListener, readBatch } from './batch-reader.js'
import type { Line } from './line.js'
import { callOf, unquoted } from './line-bytes.js'
import { stateOf } from './state-fields.js'
import { taskRunOf } from './task-run-line.js'

/** A task run as far as it has been read. */
export interface ReadRun {
  readonly run: TaskRun
  readonly states: State[]
  /** Its place in call order. */
  readonly index: number
}

/** Puts task runs together from the lines of a journal, in whatever lines their states stand. Ids are raw, as in the file. */
export class TaskRunReading {
  /** The runs, in call order. */
  readonly found = new Map<string, ReadRun>()
  /** How many of them have not settled. */
  unsettled = 0
  /** The time of the latest of their states. */
  lastRecord = 0
  readonly #codec: Codec | undefined
  readonly #forgetsSettled: boolean
  readonly #onSettled: ((found: ReadRun) => void) | undefined
  readonly #recall: ((id: string) => void) | undefined
  #count = 0

  /**
   * Without a codec values are left out. `onSettled` is told of each run that has settled, before it may be forgotten;
   * `recall` is asked for the lines of one that a batch tells of and that is not known here.
   */
  constructor(
    codec: Codec | undefined,
    options: {
      readonly forgetsSettled?: boolean
      readonly onSettled?: (found: ReadRun) => void
      readonly recall?: (id: string) => void
    } = {},
  ) {
    this.#codec = codec
    this.#forgetsSettled = options.forgetsSettled ?? false
    this.#onSettled = options.onSettled
    this.#recall = options.recall
  }

  /** A line of one run: a new one, or a state. */
  line(id: string, line: Line): void {
    if (line.fields.t !== undefined) {
      this.#create(id, taskRunOf(line, this.#codec))
      return
    }
    const found = this.found.get(id)
    if (!found) return this.#createLost(id, line)
    const { child, ih } = line.fields
    if (child !== undefined) found.run.childFlowRunId = child
    if (ih !== undefined) found.run.inputHash = ih
    this.#enter(() => id, found, stateOf(line, this.#codec, found.run.flowRunId))
  }

  /** A batch line. `flowRunId`: the raw id that it begins with; `only`: the number of the one run that is looked for. */
  batch(text: string, flowRunId: string, only?: number): void {
    const stem = flowRunId.slice(0, -1)
    // Most states of a run stand in one batch: it is looked up by its number, without an id being made.
    const known = new Map<number, ReadRun>()
    const idOf = (number: number) => `${stem}-${number}"`
    const rows: RowListener = {
      created: (number, run) => {
        const found = this.#create(idOf(number), run)
        if (found) known.set(number, found)
      },
      entered: (number, state, inputHash) => {
        const found = known.get(number) ?? this.#lookedUp(idOf(number))
        if (!found) return this.#createLost(idOf(number), state)
        known.set(number, found)
        if (inputHash !== undefined) found.run.inputHash = inputHash
        this.#enter(() => idOf(number), found, state)
      },
    }
    readBatch(text, rows, this.#codec, only)
  }

  #lookedUp(id: string): ReadRun | undefined {
    if (this.#recall && !this.found.has(id)) this.#recall(id)
    return this.found.get(id)
  }

  #create(id: string, run: TaskRun): ReadRun | undefined {
    if (this.found.has(id)) return undefined
    this.lastRecord = Math.max(this.lastRecord, run.state.timestamp)
    const found = { run, states: [run.state], index: this.#count++ }
    if (!isSettled(run.state)) this.unsettled += 1
    else {
      this.#onSettled?.(found)
      if (this.#forgetsSettled) return undefined
    }
    this.found.set(id, found)
    return found
  }

  /** A run whose first line is damaged: what became of it is known all the same. */
  #createLost(id: string, line: Line | State): void {
    const call = callOf(unquoted(id))
    if (!call) return
    const state = 'fields' in line ? stateOf(line, this.#codec, call.flowRunId) : line
    if (this.#forgetsSettled && isSettled(state)) return
    const run = { ...lost, id: unquoted(id), name: unquoted(id), flowRunId: call.flowRunId, created: state.timestamp }
    this.#create(id, { ...run, state: states.pending(state.timestamp) })
    const found = this.found.get(id)
    if (found) this.#enter(() => id, found, state)
  }

  #enter(id: () => string, found: ReadRun, state: State): void {
    const { run, states } = found
    this.lastRecord = Math.max(this.lastRecord, state.timestamp)
    const wasSettled = isSettled(run.state)
    if (!follow(run, state)) return
    states.push(state)
    const hasSettled = isSettled(state)
    this.unsettled += Number(wasSettled) - Number(hasSettled)
    if (hasSettled) this.#onSettled?.(found)
    if (hasSettled && this.#forgetsSettled) this.found.delete(id())
  }
}

/** What is said of a run when nothing is known of its beginning. */
const lost = {
  kind: 'task-run',
  taskName: '(damaged)',
  taskKey: '',
  dynamicKey: 0,
  tags: [],
  inputs: [],
  totalRunTimeMs: 0,
  runCount: 0,
} as const

/** Enters a state unless the run has ended: what is terminal stays, whatever a damaged writer may have added. */
export function follow(run: Run, state: State): boolean {
  if (isTerminal(run.state)) return false
  enter(run, state)
  return true
}
