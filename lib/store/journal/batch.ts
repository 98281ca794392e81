import type { State } from '../../core/state.js'
import { type CallRecord, type TaskCalls, taskRunStem } from '../../core/task-calls.js'
import { type Inputs, inputsOf, noInputs, sizeOf } from '../lines/batch-inputs.js'
import { isPlain, type RowKind, rowKinds } from '../lines/batch-rows.js'
import { Counts, Times } from '../lines/columns.js'
import { quoted } from '../lines/line.js'
import { type ValueCodec, valueText } from '../lines/line-values.js'
import type { Journal, OpenLine } from './journal.js'

/** How many rows a batch may have, and how many characters its values and tasks; then it is written. */
const maxRows = 16 * 1024
const maxCharacters = 256 * 1024

/** How many of its last tasks a batch looks through for the one of a call. */
const maxLookedThrough = 8

/** A task of a batch: consecutive calls of it, counted from `dk`. */
interface Called {
  readonly calls: TaskCalls
  readonly dk: number
  next: number
}

/**
 * Writes what happens to the task runs of one flow run as one line, as long as nothing else happens in between: their
 * creation, RUNNING, and COMPLETED. A row costs a few numbers in columns that mostly count up; text is made of them when
 * the line ends, which is when another line comes, at the end of the turn, or when it is long. Everything that has more
 * to say (errors, messages, further attempts) gets a line of its own.
 */
export class Batch implements OpenLine {
  readonly #journal: Journal
  readonly #codec: ValueCodec
  #flowRunId: string | undefined
  readonly #rows = Buffer.allocUnsafe(maxRows)
  #count = 0
  #characters = 0
  /** The runs and times of each kind of row; COMPLETED is one kind, whatever its results. */
  readonly #pending = { n: new Counts(), at: new Times() }
  readonly #running = { n: new Counts(), at: new Times() }
  readonly #completed = { n: new Counts(), at: new Times() }
  #tasks: Called[] = []
  /** Which task each new run is of: a run of equal numbers is a pair. */
  #of: number[] = []
  #inputs: Inputs[] = []
  #anyInputs = false
  #plain: unknown[] = []
  #coded: string[] = []
  #refused: string[] = []
  #files: string[] = []
  /** What each completed run was called with, as far as its inputs do not say it. */
  #keys: (string | 0)[] = []
  #anyKeys = false
  /** Text of the result that is about to be written, or why there is none. */
  #text = ''

  constructor(journal: Journal, codec: ValueCodec) {
    this.#journal = journal
    this.#codec = codec
  }

  /** Writes a new task run, unless it needs a line of its own. */
  create(run: CallRecord): boolean {
    const { state } = run
    if (state.name !== 'Pending' || state.timestamp !== run.created || !Number.isFinite(run.created)) return false
    if (run.runCount !== 0 || run.startTime !== undefined || run.endTime !== undefined) return false
    if (run.childFlowRunId !== undefined) return false
    const inputs = inputsOf(run)
    this.#begin(run.calls.flowRunId)
    this.#pending.n.add(run.number)
    this.#pending.at.add(state.timestamp)
    this.#addTask(run.calls, run.dynamicKey)
    this.#addInputs(inputs)
    this.#addRow(rowKinds.pending)
    return true
  }

  /** Writes a state that a task run has entered, unless it needs a line of its own. */
  enter(run: CallRecord, state: State, persist: boolean): boolean {
    if (run.childFlowRunId !== undefined || !Number.isFinite(state.timestamp)) return false
    if (state.name === 'Running') {
      if (state.attempt !== 1) return false
      this.#begin(run.calls.flowRunId)
      this.#running.n.add(run.number)
      this.#running.at.add(state.timestamp)
      this.#addRow(rowKinds.running)
      return true
    }
    if (state.name !== 'Completed' || state.message !== undefined || state.cachedFrom !== undefined) return false
    // First, because it may call code of the user's (a getter), which may write something else.
    const kind = persist ? this.#textOf(state.result, run.calls.flowRunId) : rowKinds.unwanted
    this.#begin(run.calls.flowRunId)
    this.#completed.n.add(run.number)
    this.#completed.at.add(state.timestamp)
    if (kind === rowKinds.plain) this.#addPlain(state.result)
    else if (kind === rowKinds.coded) this.#addText(this.#coded)
    else if (kind === rowKinds.refused) this.#addText(this.#refused)
    else if (kind === rowKinds.file) this.#addText(this.#files)
    this.#addKey(run)
    this.#addRow(kind)
    return true
  }

  /** The line, which has ended. */
  end(seq: number): string {
    const rows = this.#rows.toString('latin1', 0, this.#count)
    const [lowest, highest] = this.#range()
    let text = `{"b":${quoted(this.#flowRunId ?? '')},"q":${seq},"n":[${lowest},${highest}],"rows":"${rows}"`
    if (this.#tasks.length > 0) {
      text += `,"P":{${columnsOf(this.#pending)},"tasks":[${this.#tasks.map(taskField)}]`
      if (this.#tasks.length > 1) text += `,"of":[${this.#of}]`
      if (this.#anyInputs) text += `,"in":${JSON.stringify(this.#inputs)}`
      text += '}'
    }
    if (this.#running.n.pairs.length > 0) text += `,"R":{${columnsOf(this.#running)}}`
    if (this.#completed.n.pairs.length > 0) {
      text += `,"C":{${columnsOf(this.#completed)}`
      if (this.#plain.length > 0) text += `,"r":${JSON.stringify(this.#plain)}`
      if (this.#coded.length > 0) text += `,"o":${JSON.stringify(this.#coded)}`
      if (this.#refused.length > 0) text += `,"x":${JSON.stringify(this.#refused)}`
      if (this.#files.length > 0) text += `,"f":${JSON.stringify(this.#files)}`
      if (this.#anyKeys) text += `,"k":${JSON.stringify(this.#keys)}`
      text += '}'
    }
    this.#clear()
    return `${text}}\n`
  }

  /** Sees to it that the last line of the journal is this one, and about that flow run. */
  #begin(flowRunId: string): void {
    if (this.#flowRunId === flowRunId) return
    this.#journal.begin(this)
    this.#flowRunId = flowRunId
  }

  #addRow(kind: RowKind): void {
    this.#rows[this.#count++] = kind.charCodeAt(0)
    if (this.#count === maxRows || this.#characters > maxCharacters) this.#journal.flush()
  }

  #addTask(calls: TaskCalls, dk: number): void {
    const index = this.#taskOf(calls, dk)
    this.#tasks[index]!.next = dk + 1
    const of = this.#of
    if (of[of.length - 2] === index) of[of.length - 1]! += 1
    else of.push(index, 1)
  }

  #taskOf(calls: TaskCalls, dk: number): number {
    const tasks = this.#tasks
    for (let index = tasks.length - 1; index >= 0 && index >= tasks.length - maxLookedThrough; index -= 1) {
      const task = tasks[index]!
      if (task.next === dk && (task.calls === calls || areEqual(task.calls, calls))) return index
    }
    this.#characters += 100 + calls.taskName.length * 2 + calls.tags.length * 20
    return tasks.push({ calls, dk, next: dk }) - 1
  }

  #addInputs(inputs: Inputs): void {
    this.#inputs.push(inputs)
    if (inputs !== noInputs) this.#anyInputs = true
    this.#characters += sizeOf(inputs)
  }

  /** What kind of row a result needs. What may change later becomes text here. */
  #textOf(result: unknown, flowRunId: string): RowKind {
    if (result === undefined) return rowKinds.nothing
    if (isPlain(result)) return rowKinds.plain
    const { text, file, why } = valueText(result, this.#codec, flowRunId)
    this.#text = text ?? file ?? why ?? ''
    return text !== undefined ? rowKinds.coded : file !== undefined ? rowKinds.file : rowKinds.refused
  }

  #addKey({ inputKey, inputHash = '' }: CallRecord): void {
    this.#keys.push(inputKey === undefined ? 0 : inputHash)
    if (inputKey === undefined) return
    this.#anyKeys = true
    this.#characters += inputHash.length
  }

  #addPlain(result: unknown): void {
    if (typeof result === 'string') this.#characters += result.length
    this.#plain.push(result)
  }

  #addText(column: string[]): void {
    this.#characters += this.#text.length
    column.push(this.#text)
    this.#text = ''
  }

  #range(): [lowest: number, highest: number] {
    let [lowest, highest] = [Number.POSITIVE_INFINITY, 0]
    for (const { n } of [this.#pending, this.#running, this.#completed]) {
      for (let index = 0; index < n.pairs.length; index += 2) {
        const first = n.pairs[index]!
        lowest = Math.min(lowest, first)
        highest = Math.max(highest, first + n.pairs[index + 1]! - 1)
      }
    }
    return [lowest, highest]
  }

  #clear(): void {
    this.#flowRunId = undefined
    this.#count = 0
    this.#characters = 0
    for (const { n, at } of [this.#pending, this.#running, this.#completed]) {
      n.clear()
      at.clear()
    }
    this.#tasks = []
    this.#of = []
    this.#inputs = []
    this.#anyInputs = false
    this.#plain = []
    this.#coded = []
    this.#refused = []
    this.#files = []
    this.#keys = []
    this.#anyKeys = false
  }
}

function columnsOf({ n, at }: { readonly n: Counts; readonly at: Times }): string {
  return `"n":[${n.pairs}],"at":[${at.pairs}]`
}

function taskField({ calls: { taskName, taskKey, tags, runName, version, captured }, dk }: Called): string {
  const name = runName === undefined ? `"stem":${quoted(taskRunStem(taskName, taskKey))}` : `"name":${quoted(runName)}`
  const tagged = tags.length > 0 ? `,"tags":${JSON.stringify(tags)}` : ''
  const coded = version === undefined ? '' : `,"tv":${quoted(version)}`
  const holding = captured === undefined ? '' : `,"cap":${quoted(captured)}`
  return `{${name},"task":${quoted(taskName)},"key":${quoted(taskKey)},"dk":${dk}${tagged}${coded}${holding}}`
}

function areEqual(one: TaskCalls, other: TaskCalls): boolean {
  return (
    one.taskKey === other.taskKey &&
    one.taskName === other.taskName &&
    one.runName === other.runName &&
    one.version === other.version &&
    one.captured === other.captured &&
    one.tags.length === other.tags.length &&
    one.tags.every((tag, index) => tag === other.tags[index])
  )
}
