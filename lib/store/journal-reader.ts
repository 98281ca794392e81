import { closeSync, openSync, readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MintakaError } from '../core/errors.js'
import type { LogEntry } from '../core/logger.js'
import { enter, type FlowRun, type Run, type TaskRun } from '../core/run.js'
import { isSettled, isTerminal, type State } from '../core/state.js'
import type { Codec, StoredRun } from '../core/store.js'
import { taskRunId } from '../core/task-calls.js'
import { rangeOf } from './batch-reader.js'
import { flowRunOf, format, type Header, type Line, logEntryOf, parseLine, quoted, stateOf } from './lines.js'
import { type RawLine, scanLines } from './scan.js'
import { follow, type ReadRun, TaskRunReading } from './task-run-reading.js'

/** What is held in memory of a flow run: how it stands, without values, and where its lines are. */
export interface FlowEntry {
  readonly run: FlowRun
  readonly seq: number
  readonly journal: JournalReader
  readonly lines: { readonly offset: number; readonly length: number }[]
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
  readonly path: string
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

  constructor(path: string) {
    this.path = path
  }

  get owner(): string {
    return this.header?.owner ?? ''
  }

  /** Whether all of it has been read that there will ever be. */
  get finished(): boolean {
    return this.closed || this.ended !== undefined
  }

  /** Reads on to the present end. */
  async refresh(): Promise<void> {
    this.offset = await scanLines(this.path, this.offset, raw => {
      this.#index(raw)
      return undefined
    })
  }

  /** Reads what was recorded in place of the writer. The journal itself must have been read to its end. */
  async readEnd(path: string): Promise<void> {
    const ended = new Map<string, Line>()
    await scanLines(path, 0, raw => {
      const line = parseLine(textOf(raw))
      if (line && keyOf(raw) !== headerKey) ended.set(idOf(raw), line)
      return undefined
    })
    this.ended = ended
    for (const entry of this.flowRuns.values()) {
      const line = ended.get(latin1(quoted(entry.run.id)))
      if (line) follow(entry.run, stateOf(line))
    }
  }

  /** The flow runs of some entries, with their histories and values. */
  async readFlowRuns(entries: readonly FlowEntry[], codec: Codec): Promise<StoredRun<FlowRun>[]> {
    const fd = openSync(this.path, 'r')
    try {
      const runs: StoredRun<FlowRun>[] = []
      for (const entry of entries) {
        const lines = entry.lines.map(({ offset, length }) => parseLine(readText(fd, offset, length))!)
        runs.push(this.#flowRun(lines, codec))
        // Short reads are far cheaper at once than by way of the loop, which gets its turn in between.
        if (runs.length % 100 === 0) await nextTurn()
      }
      return runs
    } finally {
      closeSync(fd)
    }
  }

  async readTaskRuns(entry: FlowEntry, codec: Codec): Promise<StoredRun<TaskRun>[]> {
    const id = latin1(quoted(entry.run.id))
    const reading = new TaskRunReading(codec)
    let ended = false
    await scanLines(this.path, entry.lines[0]!.offset, raw => {
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

  async readTaskRun(id: string, codec: Codec): Promise<StoredRun<TaskRun> | undefined> {
    const raw = latin1(quoted(id))
    const [created, entered] = [`{"t":${raw},`, `{"u":${raw},`]
    const call = callOf(id)
    const batched = call && latin1(`{"b":${quoted(call.flowRunId)},`)
    const reading = new TaskRunReading(codec)
    let found: ReadRun | undefined
    await scanLines(this.path, 0, line => {
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

  async readLogs(entry: FlowEntry, codec: Codec): Promise<LogEntry[]> {
    const ours = latin1(`{"l":${quoted(entry.run.id)},`)
    const entries: LogEntry[] = []
    await scanLines(this.path, entry.lines[0]!.offset, raw => {
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
    await scanLines(this.path, 0, raw => {
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
      if (line.fields.stats !== undefined) entry.run.executorStats = line.fields.stats
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
        `The journal ${this.path} has format ${header.format}; this version of Mintaka knows formats up to ${format}. Use a newer Mintaka, or another folder.`,
      )
    this.header = header
  }

  /** A flow run as it stands after its lines, the first of which has made it, and after the crash of its process. */
  #flowRun(lines: readonly Line[], codec: Codec): StoredRun<FlowRun> {
    const run = flowRunOf(lines[0]!, codec)
    const states: State[] = [run.state]
    for (const line of lines.slice(1)) {
      if (line.fields.stats !== undefined) run.executorStats = line.fields.stats
      const state = stateOf(line, codec)
      if (follow(run, state)) states.push(state)
    }
    return this.#ended({ run, states }, codec)
  }

  /** A run as it stands after the crash of its process, if there was one. */
  #ended<R extends Run>({ run, states }: { readonly run: R; readonly states: State[] }, codec: Codec): StoredRun<R> {
    const end = this.ended?.get(latin1(quoted(run.id)))
    const state = end && stateOf(end, codec)
    if (state && follow(run, state)) states.push(state)
    return { run, states, owner: this.owner }
  }
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
