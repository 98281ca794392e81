import { closeSync, openSync, readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MintakaError } from '../core/errors.js'
import type { LogEntry } from '../core/logger.js'
import { enter, type FlowRun, type Run, type TaskRun } from '../core/run.js'
import { isSettled, isTerminal, type State } from '../core/state.js'
import type { StoredRun } from '../core/store.js'
import { taskRunId } from '../core/task-calls.js'
import { rangeOf } from './batch-reader.js'
import {
  flowRunOf,
  format,
  type Header,
  type Line,
  logEntryOf,
  noteOf,
  parametersOf,
  parseLine,
  quoted,
  stateOf,
  type ValueCodec,
} from './lines.js'
import { type RawLine, scanLines } from './scan.js'
import { unseal } from './seal.js'
import { follow, type ReadRun, TaskRunReading } from './task-run-reading.js'

/** What is held in memory of a flow run: how it stands, without values, and where its lines are. */
export interface FlowEntry {
  readonly run: FlowRun
  readonly seq: number
  readonly journal: JournalReader
  readonly lines: { readonly offset: number; readonly length: number }[]
}

/** A file of a journal, and where it begins if all of them were one. */
interface SegmentPlace {
  readonly path: string
  readonly start: number
  /** How much of its beginning repeats what stands before it. */
  repeated: number
}

const codeOf = (letter: string) => letter.charCodeAt(0)
const [flowRunKey, flowStateKey, taskRunKey, taskStateKey, batchKey, logKey] = ['f', 's', 't', 'u', 'b', 'l'].map(
  codeOf,
)
const [headerKey, closedKey] = ['h', 'c'].map(codeOf)

/**
 * Reads one journal, again and again: each time only what has been added. Lines of flow runs are found by their first
 * key and indexed; those of task runs, which are most of a journal, are looked at only when somebody asks for them.
 */
export class JournalReader {
  /** Its name. */
  readonly name: string
  /** `undefined` until the first line is there. */
  header: Header | undefined
  /** Its writer has closed it: nothing will be added. */
  closed = false
  /** What was recorded in place of a writer that died: the last state of each run, by the run's quoted id. */
  ended: ReadonlyMap<string, Line> | undefined
  readonly flowRuns = new Map<string, FlowEntry>()
  /** How many lines could not be understood. */
  damaged = 0
  /** How far it has been read: the end of its last whole line. */
  offset = 0
  readonly #segments: SegmentPlace[] = []
  #lastLine: { readonly offset: number; readonly length: number } | undefined

  constructor(name: string) {
    this.name = name
  }

  get owner(): string {
    return this.header?.owner ?? ''
  }

  /** The last of its files, and how far that has been read. */
  get end(): { readonly path: string; readonly offset: number } {
    const { path, start } = this.#segments.at(-1)!
    return { path, offset: this.offset - start }
  }

  /** Whether all of it has been read that there will ever be. */
  get finished(): boolean {
    return this.closed || this.ended !== undefined
  }

  /** Reads on to the present end of its files, which are these. */
  async refresh(paths: readonly string[]): Promise<void> {
    for (const [index, path] of paths.entries()) {
      if (index < this.#segments.length - 1) continue
      const before = index === this.#segments.length ? this.#lastNumber() : 0
      if (index === this.#segments.length) this.#segments.push({ path, start: this.offset, repeated: 0 })
      await this.#readOn(this.#segments[index]!, before)
    }
  }

  async #readOn(segment: SegmentPlace, before: number): Promise<void> {
    const { path, start } = segment
    let repeats = before > 0
    const offset = await scanLines(path, this.offset - start, raw => {
      const line = opened(path, raw, start)
      if (!line) this.damaged += 1
      else {
        repeats &&= (numberOf(line) ?? 0) <= before
        if (repeats) segment.repeated = raw.offset - start + raw.end - raw.start + 1
        else this.#index(line)
        this.#lastLine = placeOf(line)
      }
      return undefined
    })
    this.offset = start + offset
  }

  #lastNumber(): number {
    const last = this.#lastLine && parseLine(this.#textAt(this.#lastLine))
    return last?.fields.q ?? 0
  }

  /** Goes through the lines from a place on, until `onLine` gives `false`. */
  async #scan(from: number, onLine: (line: RawLine) => boolean | undefined): Promise<void> {
    let goesOn = true
    for (const [index, { path, start, repeated }] of this.#segments.entries()) {
      const end = this.#segments[index + 1]?.start ?? Number.POSITIVE_INFINITY
      if (!goesOn || from >= end) continue
      await scanLines(path, Math.max(from - start, repeated), raw => {
        const line = opened(path, raw, start)
        if (line) goesOn = onLine(line) !== false
        return goesOn
      })
    }
  }

  #textAt({ offset, length }: { readonly offset: number; readonly length: number }): string {
    const { path, start } = this.#segments.findLast(segment => segment.start <= offset)!
    const fd = openSync(path, 'r')
    try {
      // The brace that ends a sealed line is in the place of its seal.
      return `${readText(fd, offset - start, length).slice(0, -1)}}`
    } finally {
      closeSync(fd)
    }
  }

  /** Reads what was recorded in place of the writer. The journal itself must have been read to its end. */
  async readEnd(path: string): Promise<void> {
    const ended = new Map<string, Line>()
    await scanLines(path, 0, raw => {
      const line = unseal(raw) ?? raw // not sealed up to format 2
      const parsed = parseLine(textOf(line))
      if (parsed && keyOf(raw) !== headerKey) ended.set(idOf(raw), parsed)
      return undefined
    })
    this.ended = ended
    for (const entry of this.flowRuns.values()) {
      const line = ended.get(latin1(quoted(entry.run.id)))
      if (line) follow(entry.run, stateOf(line))
    }
  }

  /** The flow runs of some entries, with their histories and values. */
  async readFlowRuns(entries: readonly FlowEntry[], codec: ValueCodec): Promise<StoredRun<FlowRun>[]> {
    const runs: StoredRun<FlowRun>[] = []
    for (const entry of entries) {
      const lines = entry.lines.map(place => parseLine(this.#textAt(place))!)
      runs.push(this.#flowRun(lines, codec))
      // Short reads are far cheaper at once than by way of the loop, which gets its turn in between.
      if (runs.length % 100 === 0) await nextTurn()
    }
    return runs
  }

  async readTaskRuns(entry: FlowEntry, codec: ValueCodec): Promise<StoredRun<TaskRun>[]> {
    const id = latin1(quoted(entry.run.id))
    const reading = new TaskRunReading(codec)
    let ended = false
    await this.#scan(entry.lines[0]!.offset, raw => {
      const key = keyOf(raw)
      if (key === taskRunKey || key === taskStateKey) {
        const task = idOf(raw)
        const isOurs = reading.found.has(task) || beginsWith(raw, `{"t":${task},"f":${id},"q"`)
        const line = isOurs ? parseLine(textOf(raw)) : undefined
        if (line) reading.line(task, line)
      } else if (key === batchKey) {
        if (idOf(raw) === id) reading.batch(textOf(raw), id)
      } else if (key === flowStateKey && idOf(raw) === id) {
        const line = parseLine(textOf(raw))
        ended ||= line !== undefined && isTerminal(stateOf(line))
      }
      // Once the flow run has ended and all of them have settled, the rest of the journal is about others.
      return !(ended && reading.unsettled === 0)
    })
    return [...reading.found.values()].map(found => this.#ended(found, codec))
  }

  async readTaskRun(id: string, codec: ValueCodec): Promise<StoredRun<TaskRun> | undefined> {
    const raw = latin1(quoted(id))
    const [created, entered] = [`{"t":${raw},`, `{"u":${raw},`]
    const call = callOf(id)
    const batched = call && latin1(`{"b":${quoted(call.flowRunId)},`)
    const reading = new TaskRunReading(codec)
    let found: ReadRun | undefined
    await this.#scan(0, line => {
      if (beginsWith(line, found ? entered : created)) {
        const parsed = parseLine(textOf(line))
        if (parsed) reading.line(raw, parsed)
      } else if (batched !== undefined && beginsWith(line, batched)) {
        const [lowest, highest] = rangeOf(
          line.bytes.toString('latin1', line.start, Math.min(line.end, line.start + 1024)),
        )
        if (lowest <= call!.number && call!.number <= highest)
          reading.batch(textOf(line), latin1(quoted(call!.flowRunId)), call!.number)
      } else return undefined
      found = reading.found.get(raw)
      return !(found && isTerminal(found.run.state))
    })
    return found && this.#ended(found, codec)
  }

  async readLogs(entry: FlowEntry, codec: ValueCodec): Promise<LogEntry[]> {
    const ours = latin1(`{"l":${quoted(entry.run.id)},`)
    const entries: LogEntry[] = []
    await this.#scan(entry.lines[0]!.offset, raw => {
      const line = beginsWith(raw, ours) ? parseLine(textOf(raw)) : undefined
      if (line) entries.push(logEntryOf(line, entry.run.id, codec))
      return undefined
    })
    return entries
  }

  /** Every run that has not settled, tasks before flows and the latest first, so that children end before parents. */
  async readUnsettled(): Promise<{ runs: Run[]; lastRecord: number }> {
    const tasks = new TaskRunReading(undefined, { forgetsSettled: true })
    let lastRecord = this.header?.created ?? 0
    await this.#scan(0, raw => {
      const key = keyOf(raw)
      if (key === headerKey || key === closedKey) return undefined
      if (key === batchKey) {
        tasks.batch(textOf(raw), idOf(raw))
        return undefined
      }
      const line = parseLine(headText(raw))
      if (!line) return undefined
      lastRecord = Math.max(lastRecord, line.fields.at)
      const id = idOf(raw)
      if (key === taskRunKey || (key === taskStateKey && tasks.found.has(id))) tasks.line(id, line)
      return undefined
    })
    const flows = [...this.flowRuns.values()].map(entry => entry.run).filter(run => !isSettled(run.state))
    const unsettled = [...tasks.found.values()].map(({ run }) => run)
    return { runs: [...unsettled.reverse(), ...flows.reverse()], lastRecord: Math.max(lastRecord, tasks.lastRecord) }
  }

  #index(raw: RawLine): void {
    const key = keyOf(raw)
    if (key === taskRunKey || key === taskStateKey || key === batchKey || key === logKey) return
    if (key === headerKey) this.#readHeader(raw)
    else if (key === closedKey) this.closed = true
    else if (key === flowRunKey) {
      const line = this.#lineOf(raw)
      if (!line) return
      const run = flowRunOf(line)
      this.flowRuns.set(run.id, { run, seq: line.fields.q, journal: this, lines: [placeOf(raw)] })
    } else if (key === flowStateKey) {
      const line = this.#lineOf(raw)
      const entry = line && this.flowRuns.get(JSON.parse(utf8(idOf(raw))) as string)
      if (!entry || isTerminal(entry.run.state)) return
      enter(entry.run, stateOf(line))
      noteOf(entry.run, line)
      entry.lines.push(placeOf(raw))
    } else this.damaged += 1
  }

  #lineOf(raw: RawLine): Line | undefined {
    const line = parseLine(headText(raw))
    if (!line) this.damaged += 1
    return line
  }

  #readHeader(raw: RawLine): void {
    const header = parseLine(textOf(raw))?.fields.h
    if (header && header.format > format)
      throw new MintakaError(
        'STORE_FORMAT',
        `The journal ${this.name} has format ${header.format}; this version of Mintaka knows formats up to ${format}. Use a newer Mintaka, or another folder.`,
      )
    this.header = header
  }

  /** A flow run as it stands after its lines, the first of which has made it, and after the crash of its process. */
  #flowRun(lines: readonly Line[], codec: ValueCodec): StoredRun<FlowRun> {
    const run = flowRunOf(lines[0]!, codec)
    const states: State[] = [run.state]
    for (const line of lines.slice(1)) {
      noteOf(run, line)
      const state = stateOf(line, codec)
      if (follow(run, state)) states.push(state)
    }
    const parameters = parametersOf(lines[0]!, codec)
    const stored = this.#ended({ run, states }, codec)
    return parameters === undefined ? stored : { ...stored, parameters }
  }

  /** A run as it stands after the crash of its process, if there was one. */
  #ended<R extends Run>(
    { run, states }: { readonly run: R; readonly states: State[] },
    codec: ValueCodec,
  ): StoredRun<R> {
    const end = this.ended?.get(latin1(quoted(run.id)))
    const state = end && stateOf(end, codec)
    if (state && follow(run, state)) states.push(state)
    return { run, states, owner: this.owner }
  }
}

/** A line of a file as if all files of its journal were one, its seal taken off. `undefined`: the seal is broken. */
function opened(path: string, raw: RawLine, start: number): RawLine | undefined {
  const line = isSealed(path) ? unseal(raw) : raw
  return line && { ...line, offset: line.offset + start }
}

/** Only files of format 3 have numbers of four digits, and their lines are sealed. */
function isSealed(path: string): boolean {
  return /\.\d{4,}\.ndjson$/.test(path)
}

/** The `q` of a line. */
function numberOf({ bytes, start, end }: RawLine): number | undefined {
  const match = /,"q":(\d+)/.exec(bytes.toString('latin1', start, Math.min(end, start + 1024)))
  return match ? Number(match[1]) : undefined
}

const textOf = ({ bytes, start, end }: RawLine) => bytes.toString('utf8', start, end)
const placeOf = ({ start, end, offset }: RawLine) => ({ offset, length: end - start })
const latin1 = (text: string) => Buffer.from(text).toString('latin1')
const utf8 = (raw: string) => Buffer.from(raw, 'latin1').toString('utf8')

/** The first key of a line, which is one letter. `undefined`: this is no line of ours. */
function keyOf({ bytes, start, end }: RawLine): number | undefined {
  return end - start > 4 && bytes[start + 1] === 0x22 && bytes[start + 3] === 0x22 ? bytes[start + 2] : undefined
}

/** Compares bytes, so `raw` is text as {@link latin1} gives it. */
function beginsWith({ bytes, start, end }: RawLine, raw: string): boolean {
  return end - start >= raw.length && bytes.toString('latin1', start, start + raw.length) === raw
}

/** The id that a line begins with, as it stands there: quoted, its bytes as latin1. */
function idOf({ bytes, start, end }: RawLine): string {
  for (let close = start + 6; close < end; close += 1) {
    const byte = bytes[close]
    if (byte === 0x5c) close += 1
    else if (byte === 0x22) return bytes.toString('latin1', start + 5, close + 1)
  }
  return ''
}

/** The flow run and number that the id of a call tells, if it is one. */
function callOf(id: string): { readonly flowRunId: string; readonly number: number } | undefined {
  const dash = id.lastIndexOf('-')
  const call = { flowRunId: id.slice(0, dash), number: Number(id.slice(dash + 1)) }
  return dash > 0 && taskRunId(call.flowRunId, call.number) === id ? call : undefined
}

const longest = 16 * 1024

/** A line without most of its value, if that is long: for readers who do not need it. */
function headText(raw: RawLine): string {
  if (raw.end - raw.start <= longest) return textOf(raw)
  const text = raw.bytes.toString('utf8', raw.start, raw.start + longest)
  return /,"[red]":/.test(text) ? `${text}}` : textOf(raw)
}

function readText(fd: number, offset: number, length: number): string {
  const bytes = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return bytes.toString('utf8', 0, done)
}
