import type { TaskRun } from '../../core/run.js'
import type { StateName } from '../../core/state.js'
import { parseLine } from '../lines/line.js'
import { headText, idOf, keyOf, keys, textOf, utf8 } from '../lines/line-bytes.js'
import type { RawLine } from '../lines/scan.js'
import { TaskRunReading } from '../lines/task-run-reading.js'

/** A line as it stands in the file, its bytes as latin1: parsed if its run turns out not to have settled. */
type Unparsed = string

/**
 * Finds the task runs that have not settled, as the lines of a journal pass by. Most of a million have: their lines are
 * put by, or dropped, by what stands at fixed places, and only those of the others are parsed.
 */
export class UnsettledTasks {
  readonly #lines = new Map<string, Unparsed[]>()
  /** Those whose first line is a batch, or is lost. */
  readonly #others = new TaskRunReading(undefined, {
    forgetsSettled: true,
    recall: id => this.#recall(id),
  })
  #lastRecord = 0

  /** The time of the latest record of any kind. */
  get lastRecord(): number {
    return Math.max(this.#lastRecord, this.#others.lastRecord)
  }

  visit(raw: RawLine): void {
    const key = keyOf(raw)
    if (key === keys.header || key === keys.closed) return
    if (key === keys.batch) return this.#others.batch(textOf(raw), idOf(raw))
    const head = raw.bytes.toString('latin1', raw.start, Math.min(raw.end, raw.start + headBytes))
    this.#lastRecord = Math.max(this.#lastRecord, Number(timeIn.exec(head)?.[1] ?? 0))
    if (key === keys.taskRun || key === keys.taskState) this.#taskLine(raw, key, head)
  }

  /** The runs, in the order in which they were made. */
  runs(): TaskRun[] {
    const reading = new TaskRunReading(undefined, { forgetsSettled: true })
    for (const id of this.#lines.keys()) this.#parse(id, reading)
    const runs = [...this.#others.found.values(), ...reading.found.values()].map(({ run }) => run)
    return runs.sort((a, b) => a.created - b.created)
  }

  #taskLine(raw: RawLine, key: number, head: string): void {
    const id = idOf(raw)
    const state = stateIn.exec(head)?.[1] as StateName | undefined
    const known = this.#lines.get(id)
    if (!state || !(known || key === keys.taskRun)) return this.#parsed(id, raw)
    if (settled.has(state)) this.#lines.delete(id)
    else if (known) known.push(whole(raw, head))
    else this.#lines.set(id, [whole(raw, head)])
  }

  /** A run that had lines of its own goes on in a batch. */
  #recall(id: string): void {
    this.#parse(id, this.#others)
    this.#lines.delete(id)
  }

  #parse(id: string, reading: TaskRunReading): void {
    for (const text of this.#lines.get(id) ?? []) {
      const line = parseLine(utf8(text))
      if (line) reading.line(id, line)
    }
  }

  #parsed(id: string, raw: RawLine): void {
    const line = parseLine(headText(raw))
    if (line) this.#others.line(id, line)
  }
}

/** Enough for what is looked for, nearly always. */
const headBytes = 1024

// In a string of JSON a quote follows a backslash, so these are found where they are fields and nowhere else.
const stateIn = /"is":"(\w+)"/
const timeIn = /"at":(\d+(?:\.\d+)?)/

const settled: ReadonlySet<StateName> = new Set<StateName>([
  'Completed',
  'Cached',
  'Failed',
  'TimedOut',
  'Crashed',
  'Cancelled',
  'NotReady',
])

function whole({ bytes, start, end }: RawLine, head: string): Unparsed {
  return end - start <= headBytes ? head : Buffer.from(headText({ bytes, start, end, offset: 0 })).toString('latin1')
}
