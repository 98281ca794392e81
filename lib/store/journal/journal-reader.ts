import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogEntry } from '../../core/logger.js'
import { enter, type FlowRun, type Run, type TaskRun } from '../../core/run.js'
import { isSettled, isTerminal, type State, states } from '../../core/state.js'
import type { StoredRun } from '../../core/store.js'
import { flowRunOf } from '../lines/flow-run-line.js'
import { format, type Header, type Line, parseLine, quoted } from '../lines/line.js'
import { flowRunIdOf, headText, idOf, keyOf, keys, latin1, OpenFiles, textOf, unquoted } from '../lines/line-bytes.js'
import type { ValueCodec } from '../lines/line-values.js'
import { flowRunIn, logsIn, type Scan, taskRunIn, taskRunsIn } from '../lines/run-lines.js'
import type { RawLine } from '../lines/scan.js'
import { unseal } from '../lines/seal.js'
import { stateOf } from '../lines/state-fields.js'
import { noteOf } from '../lines/state-line.js'
import { follow } from '../lines/task-run-reading.js'
import { type Damage, scanWholeLines } from '../lines/whole-lines.js'
import { carryName, type JournalFiles } from './journal-files.js'
import { type JournalLine, JournalLines, numberOf, type Place, type Position } from './journal-lines.js'
import { UnsettledTasks } from './unsettled.js'

/** What is held in memory of a flow run: how it stands, without values, and where its lines are. */
export interface FlowEntry {
  readonly run: FlowRun
  readonly seq: number
  readonly journal: JournalReader
  readonly lines: Place[]
  /** Where to look for what belongs to it. */
  readonly from: Position
  /** Its first line is not there: it is damaged, or stands in the history, and these lines came late. */
  readonly isStray: boolean
}

/**
 * Reads one journal, again and again: each time only what has been added. Lines of flow runs are found by their first
 * key and indexed; those of task runs, which are most of a journal, are looked at only when somebody asks for them.
 */
export class JournalReader {
  readonly name: string
  /** `undefined` until the first line is there. */
  header: Header | undefined
  /** Its writer has closed it, and has abandoned no flow run: nothing will be added. */
  closed = false
  /** Its writer has closed it and abandoned flow runs: somebody will end them. */
  isLeft = false
  /** What was recorded in place of a writer that died: the last state of each run, by the run's quoted id. */
  ended: ReadonlyMap<string, Line> | undefined
  readonly flowRuns = new Map<string, FlowEntry>()
  /** The segment up to which it has been folded: what was left of those stands in a file of its own. */
  readonly upTo: number
  /** How far it has been read: the end of its last whole line. */
  position: Position = { part: 0, offset: 0 }
  /** What has been found damaged since somebody looked here. */
  readonly damage: Damage[] = []
  readonly #folder: string
  readonly #lines = new JournalLines([], damage => this.damage.push(damage))
  /** Whether lines may be about flow runs whose first line is not here. */
  #hasStrays: boolean
  /** The flow run of the line before that was looked for, as raw id. */
  #last = ''

  constructor(folder: string, name: string, upTo = 0) {
    this.#folder = folder
    this.name = name
    this.upTo = upTo
    this.#hasStrays = upTo > 0
  }

  get owner(): string {
    return this.header?.owner ?? this.name.replace(/(-s\d+|(\.\d+)?\.ndjson)$/, '')
  }

  /** Whether all of it has been read that there will ever be. */
  get finished(): boolean {
    return this.closed || this.ended !== undefined
  }

  /** Where it is read from, in order. */
  get paths(): readonly string[] {
    return this.#lines.parts.map(({ path }) => path)
  }

  /** Reads on to the present end. Shows each line to `visit` as well. */
  async refresh(
    files: JournalFiles,
    pause?: () => Promise<void> | undefined,
    visit?: (line: JournalLine) => void,
  ): Promise<void> {
    this.#lines.parts = this.#partsOf(files)
    const index = (line: JournalLine): undefined => {
      visit?.(line)
      this.#index(line)
    }
    this.position = await this.#lines.read(this.position, index, { pause, ...(pause && { pieceBytes: 256 * 1024 }) })
    if (files.ended && !this.closed) await this.#readEnd(join(this.#folder, files.ended), files.isOld)
  }

  #partsOf({ name, segments, isOld }: JournalFiles) {
    const rest = segments.filter(({ segment }) => segment > this.upTo).map(({ file }) => file)
    const files = this.upTo > 0 ? [carryName(name, this.upTo), ...rest] : rest
    return files.map(file => ({ path: join(this.#folder, file), sealed: !isOld }))
  }

  /**
   * Reads what was recorded in place of the writer. The journal itself has been read to its end. This file was made
   * whole, so what follows its last newline is damaged, not on its way.
   */
  async #readEnd(path: string, isOld: boolean): Promise<void> {
    const ended = new Map<string, Line>()
    const onDamage = (damage: Damage) => this.damage.push(damage)
    const end = await scanWholeLines(
      path,
      0,
      raw => {
        const line = parseLine(textOf(raw))
        const key = keyOf(raw)
        if (line && (key === keys.flowState || key === keys.taskState)) ended.set(idOf(raw), line)
        return undefined
      },
      { sealed: !isOld, onDamage },
    )
    const bytes = (statSync(path, { throwIfNoEntry: false })?.size ?? end) - end
    if (bytes > 0) onDamage({ path, offset: end, bytes })
    this.ended = ended
    for (const entry of this.flowRuns.values()) {
      const line = ended.get(latin1(quoted(entry.run.id)))
      if (line) follow(entry.run, stateOf(line))
    }
  }

  /** The flow runs of some entries, with their histories and values. */
  async readFlowRuns(entries: readonly FlowEntry[], codec: ValueCodec): Promise<StoredRun<FlowRun>[]> {
    const files = new OpenFiles()
    try {
      const runs: StoredRun<FlowRun>[] = []
      for (const entry of entries) {
        const lines = entry.lines.map(place => this.#lineAt(place, files)).filter(line => line !== undefined)
        const read = flowRunIn(lines, codec, entry.run) ?? { run: { ...entry.run }, states: [entry.run.state] }
        runs.push(this.#ended(read, codec))
        // Short reads are far cheaper at once than by way of the loop, which gets its turn in between.
        if (runs.length % 100 === 0) await nextTurn()
      }
      return runs
    } finally {
      files.close()
    }
  }

  #lineAt({ part, offset, length }: Place, files: OpenFiles): Line | undefined {
    const bytes = files.read(this.paths[part]!, offset, length)
    const raw = { bytes, start: 0, end: bytes.length, offset }
    return parseLine(textOf(unseal(raw) ?? raw))
  }

  async readTaskRuns(entry: FlowEntry, codec: ValueCodec): Promise<StoredRun<TaskRun>[]> {
    const found = await taskRunsIn(this.scan(entry.from), entry.run.id, codec)
    return found.map(each => this.#ended(each, codec))
  }

  async readTaskRun(id: string, codec: ValueCodec): Promise<StoredRun<TaskRun> | undefined> {
    const found = await taskRunIn(this.scan(), id, codec)
    return found && this.#ended(found, codec)
  }

  readLogs(entry: FlowEntry, codec: ValueCodec): Promise<LogEntry[]> {
    return logsIn(this.scan(entry.from), entry.run.id, codec)
  }

  /** Its lines from some place on. */
  scan(from: Position = { part: 0, offset: 0 }): Scan {
    return onLine => this.#lines.read(from, onLine, { quiet: true })
  }

  /** Its lines, with where they are; for who copies them. */
  get lines(): JournalLines {
    return this.#lines
  }

  /** Every run that has not settled, tasks before flows and the latest first, so that children end before parents. */
  async readUnsettled(pause?: () => Promise<void> | undefined): Promise<Run[]> {
    const tasks = new UnsettledTasks()
    const options = { quiet: true, pause, ...(pause && { pieceBytes: 256 * 1024 }) }
    const visit = (line: JournalLine): undefined => void tasks.visit(line)
    await this.#lines.read({ part: 0, offset: 0 }, visit, options)
    return this.unsettled(tasks)
  }

  /** The same, where all its lines have been shown to `tasks` already. */
  unsettled(tasks: UnsettledTasks): Run[] {
    const flows = [...this.flowRuns.values()].map(entry => entry.run).filter(run => !isSettled(run.state))
    return [...tasks.runs().reverse(), ...flows.reverse()]
  }

  #index(raw: JournalLine): undefined {
    const key = keyOf(raw)
    if (key === keys.taskRun || key === keys.taskState || key === keys.batch || key === keys.log) {
      if (this.#hasStrays || this.damage.length > 0) this.#checkStray(raw)
    } else if (key === keys.header) this.#readHeader(raw)
    else if (key === keys.closed) this.#readClosed(raw)
    else if (key === keys.flowRun) {
      const line = this.#lineOf(raw)
      if (!line) return undefined
      const run = flowRunOf(line)
      const place = placeOf(raw)
      this.flowRuns.set(run.id, {
        run,
        seq: line.fields.q,
        journal: this,
        lines: [place],
        from: place,
        isStray: false,
      })
    } else if (key === keys.flowState) {
      const line = this.#lineOf(raw)
      if (!line) return undefined
      const id = unquoted(idOf(raw))
      if (!this.flowRuns.has(id)) this.#checkStray(raw)
      const entry = this.flowRuns.get(id)
      if (!entry || isTerminal(entry.run.state)) return undefined
      enter(entry.run, stateOf(line))
      noteOf(entry.run, line)
      entry.lines.push(placeOf(raw))
    } else if (!this.#isNewer) this.#damaged(raw)
    return undefined
  }

  /** Sees to it that the flow run of a line is known, even if its first line is not here. */
  #checkStray(raw: JournalLine): void {
    this.#hasStrays = true
    const id = flowRunIdOf(raw)
    if (id === this.#last || id === '') return
    this.#last = id
    const flowRunId = unquoted(id)
    if (this.flowRuns.has(flowRunId)) return
    const line = keyOf(raw) === keys.batch ? undefined : parseLine(headText(raw))
    const at = line?.fields.at ?? this.header?.created ?? 0
    const run: FlowRun = { ...lost, id: flowRunId, name: flowRunId, created: at, state: states.pending(at) }
    const from = { part: raw.part, offset: raw.offset }
    this.flowRuns.set(flowRunId, { run, seq: numberOf(raw) ?? 0, journal: this, lines: [], from, isStray: true })
  }

  #lineOf(raw: JournalLine): Line | undefined {
    const line = parseLine(headText(raw))
    if (!line) this.#damaged(raw)
    return line
  }

  #damaged({ part, offset, length }: JournalLine): void {
    this.damage.push({ path: this.paths[part]!, offset, bytes: length })
  }

  #readClosed(raw: RawLine): void {
    this.isLeft = (parseLine(textOf(raw))?.fields.o ?? 0) > 0
    this.closed = !this.isLeft
  }

  #readHeader(raw: RawLine): void {
    const header = parseLine(textOf(raw))?.fields.h
    this.header ??= header
  }

  /** Whether a later version has written it, which may write lines of other kinds. */
  get #isNewer(): boolean {
    return this.header !== undefined && this.header.format > format
  }

  /** A flow run of which there are lines, but none that says what it is. */
  stray(id: string): FlowEntry {
    const created = this.header?.created ?? 0
    const run: FlowRun = { ...lost, id, name: id, created, state: states.pending(created) }
    return { run, seq: 0, journal: this, lines: [], from: { part: 0, offset: 0 }, isStray: true }
  }

  /** A run as it stands after the crash of its process, if there was one. */
  #ended<R extends Run>(
    { run, states, parameters }: { run: R; states: State[]; parameters?: unknown },
    codec: ValueCodec,
  ): StoredRun<R> {
    const end = this.ended?.get(latin1(quoted(run.id)))
    const state = end && stateOf(end, codec)
    if (state && follow(run, state)) states.push(state)
    return { run, states, owner: this.owner, ...(parameters !== undefined && { parameters }) }
  }
}

const placeOf = ({ part, offset, length }: JournalLine): Place => ({ part, offset, length })

/** What is said of a flow run when nothing is known of its beginning. */
export const lost = {
  kind: 'flow-run',
  flowName: '(damaged)',
  executor: '',
  tags: [],
  totalRunTimeMs: 0,
  runCount: 0,
} as const
