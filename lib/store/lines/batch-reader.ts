import { keyOfPreviews, withCaptured } from '../../core/input-keys.js'
import type { RunInput, TaskRun } from '../../core/run.js'
import { type Completed, type State, states } from '../../core/state.js'
import { notPersisted } from '../../core/store.js'
import { taskRunId } from '../../core/task-calls.js'
import type { Input, Inputs } from './batch-inputs.js'
import { type RowKind, rowKinds } from './batch-rows.js'
import { CountsReader, lengthOf, TimesReader } from './columns.js'
import { decode, notWanted, type ValueCodec, withResultIn } from './line-values.js'

/** What is told of the rows of a batch, in their order. A run is named by its number in the flow run. */
export interface RowListener {
  created(number: number, run: TaskRun): void
  /** `inputHash`: what it was called with, where the line says it with that state. */
  entered(number: number, state: State, inputHash?: string): void
}

/** A batch line, as `batch.ts` writes it. */
interface BatchFields {
  readonly b: string
  readonly rows: string
  readonly P?: Columns & {
    readonly tasks: readonly TaskFields[]
    readonly of?: readonly number[]
    readonly in?: readonly Inputs[]
  }
  readonly R?: Columns
  readonly C?: Columns & {
    readonly r?: readonly unknown[]
    readonly o?: readonly string[]
    readonly x?: readonly string[]
    readonly f?: readonly string[]
    readonly k?: readonly (string | 0)[]
  }
}

interface Columns {
  readonly n: readonly number[]
  readonly at: readonly number[]
}

interface TaskFields {
  readonly name?: string
  readonly stem?: string
  readonly task: string
  readonly key: string
  readonly dk: number
  readonly tags?: readonly string[]
  readonly tv?: string
  readonly cap?: string
}

/**
 * Reads a batch line; `false`: it is damaged. Results are read by the codec, without one they are left out. `only`: the
 * rows of one run.
 */
export function readBatch(text: string, listener: RowListener, codec?: ValueCodec, only?: number): boolean {
  const fields = parse(text)
  if (!fields) return false
  const { rows, R, C } = fields
  const pending = new PendingRows(fields)
  const [running, completed] = [new Rows(R), new Rows(C)]
  const results = new Results(fields, codec)
  for (let index = 0; index < rows.length; index += 1) {
    const kind = rows[index] as RowKind
    if (kind === rowKinds.pending) {
      const number = pending.n.next()
      const isWanted = only === undefined || only === number
      const run = pending.next(number, isWanted)
      if (run) listener.created(number, run)
      continue
    }
    if (kind === rowKinds.running) {
      const [number, at] = [running.n.next(), running.at.next()]
      if (only === undefined || only === number) listener.entered(number, states.running(at, 1))
      continue
    }
    const [number, at] = [completed.n.next(), completed.at.next()]
    const isWanted = only === undefined || only === number
    const state = results.next(kind, isWanted, at)
    const inputHash = results.inputHash()
    if (isWanted) listener.entered(number, state, inputHash)
  }
  return true
}

/** Which runs a batch line tells of, at most, by the beginning of its text. */
export function rangeOf(head: string): readonly [lowest: number, highest: number] {
  const match = /,"n":\[(\d+),(\d+)\],"rows":"/.exec(head)
  return match ? [Number(match[1]), Number(match[2])] : [0, Number.POSITIVE_INFINITY]
}

class Results {
  readonly #flowRunId: string
  readonly #columns: BatchFields['C']
  readonly #codec: ValueCodec | undefined
  #row = 0
  #plain = 0
  #coded = 0
  #refused = 0
  #files = 0

  constructor({ b, C }: BatchFields, codec: ValueCodec | undefined) {
    this.#flowRunId = b
    this.#columns = C
    this.#codec = codec
  }

  /** The state of the next row, which is of that kind. */
  next(kind: RowKind, isWanted: boolean, at: number): Completed {
    if (kind !== rowKinds.file) return states.completed(at, this.#resultOf(kind, isWanted))
    const file = this.#columns?.f?.[this.#files++] ?? ''
    const state = states.completed(at, undefined)
    return this.#codec && isWanted ? withResultIn(this.#flowRunId, file, this.#codec, state) : state
  }

  /** What the run of the row was called with, as far as its inputs do not say it. */
  inputHash(): string | undefined {
    return this.#columns?.k?.[this.#row++] || undefined
  }

  #resultOf(kind: RowKind, isWanted: boolean): unknown {
    switch (kind) {
      case rowKinds.plain: {
        const result = this.#columns?.r?.[this.#plain++]
        return this.#codec && result
      }
      case rowKinds.coded: {
        const text = this.#columns?.o?.[this.#coded++]
        return isWanted ? decode(text, this.#codec) : undefined
      }
      case rowKinds.refused:
        return notPersisted(this.#columns?.x?.[this.#refused++] ?? '')
      case rowKinds.unwanted:
        return notPersisted(notWanted)
      default:
        return undefined
    }
  }
}

class Rows {
  readonly n: CountsReader
  readonly at: TimesReader

  constructor(columns: Columns | undefined) {
    this.n = new CountsReader(columns?.n ?? [])
    this.at = new TimesReader(columns?.at ?? [])
  }
}

class PendingRows extends Rows {
  readonly #flowRunId: string
  readonly #inputs: readonly Inputs[] | undefined
  /** Each task of the batch, and the number of its next call. */
  readonly #tasks: { readonly fields: TaskFields; dk: number }[]
  readonly #of: readonly number[]
  #row = 0
  #pair = 0
  #left: number

  constructor({ b, P }: BatchFields) {
    super(P)
    this.#flowRunId = b
    this.#inputs = P?.in
    this.#tasks = (P?.tasks ?? []).map(fields => ({ fields, dk: fields.dk }))
    this.#of = P?.of ?? [0, Number.POSITIVE_INFINITY]
    this.#left = this.#of[1] ?? 0
  }

  /** The next run; `undefined` if it is not wanted. */
  next(number: number, isWanted: boolean): TaskRun | undefined {
    const at = this.at.next()
    const row = this.#row++
    if (this.#left === 0) {
      this.#pair += 2
      this.#left = this.#of[this.#pair + 1] ?? 0
    }
    this.#left -= 1
    const task = this.#tasks[this.#of[this.#pair]!]!
    const dk = task.dk++
    if (!isWanted) return undefined
    const { name, stem = '', task: taskName, key, tags = [], tv, cap } = task.fields
    const given = this.#inputs?.[row] ?? []
    const inputs = inputsOf(given)
    const inputHash = withCaptured(typeof given === 'number' ? String(given) : keyOfPreviews(inputs), cap)
    return {
      kind: 'task-run',
      id: taskRunId(this.#flowRunId, number),
      name: name ?? `${stem}${dk}`,
      flowRunId: this.#flowRunId,
      taskName,
      taskKey: key,
      dynamicKey: dk,
      created: at,
      tags,
      inputs,
      ...(inputHash !== undefined && { inputHash }),
      ...(tv !== undefined && { taskVersion: tv }),
      state: states.pending(at),
      totalRunTimeMs: 0,
      runCount: 0,
    }
  }
}

function inputsOf(inputs: Inputs): readonly RunInput[] {
  return typeof inputs === 'object' ? inputs.map(inputOf) : [inputOf(inputs, 0)]
}

function inputOf(input: Input, index: number): RunInput {
  return typeof input === 'object' ? input : { name: String(index), preview: String(input) }
}

/** The fields of a line, if its columns are as long as its rows say: then nothing of it can go wrong any more. */
function parse(text: string): BatchFields | undefined {
  let fields: Partial<BatchFields> | null
  try {
    fields = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof fields?.b !== 'string' || typeof fields.rows !== 'string') return undefined
  const counts = countRows(fields.rows)
  const { P, R, C } = fields
  const { pending, running, plain, coded, nothing, unwanted, refused, file } = rowKinds
  const completed = counts(plain) + counts(coded) + counts(nothing) + counts(unwanted) + counts(refused) + counts(file)
  const lengths: [Columns | undefined, number][] = [
    [P, counts(pending)],
    [R, counts(running)],
    [C, completed],
  ]
  const isWhole =
    lengths.every(([columns, length]) => lengthOf(columns?.n) === length && lengthOf(columns?.at) === length) &&
    lengths.reduce((sum, [, length]) => sum + length, 0) === fields.rows.length &&
    (C?.r?.length ?? 0) === counts(plain) &&
    (C?.o?.length ?? 0) === counts(coded) &&
    (C?.x?.length ?? 0) === counts(refused) &&
    (C?.f?.length ?? 0) === counts(file) &&
    (C?.k?.length ?? completed) === completed &&
    (!P || (areTasksWhole(P, counts(pending)) && (P.in?.length ?? counts(pending)) === counts(pending)))
  return isWhole ? (fields as BatchFields) : undefined
}

function areTasksWhole({ tasks, of }: NonNullable<BatchFields['P']>, length: number): boolean {
  if (!of) return tasks?.length === 1
  return lengthOf(of) === length && of.every((task, index) => index % 2 === 1 || tasks[task] !== undefined)
}

function countRows(rows: string): (kind: RowKind) => number {
  const counts = new Uint32Array(128)
  for (let index = 0; index < rows.length; index += 1) counts[rows.charCodeAt(index)]! += 1
  return kind => counts[kind.charCodeAt(0)]!
}
