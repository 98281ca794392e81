import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogEntry } from '../../core/logger.js'
import type { FlowRun, TaskRun } from '../../core/run.js'
import { states } from '../../core/state.js'
import { type FlowRunFilter, fits, type StoredRun } from '../../core/store.js'
import { lost } from '../journal/journal-reader.js'
import { parseLine } from '../lines/line.js'
import { OpenFiles, textOf } from '../lines/line-bytes.js'
import type { ValueCodec } from '../lines/line-values.js'
import { flowRunIn, logsIn, type Scan, taskRunIn, taskRunsIn } from '../lines/run-lines.js'
import type { RawLine } from '../lines/scan.js'
import { unseal } from '../lines/seal.js'
import { type Damage, scanWholeLines } from '../lines/whole-lines.js'
import type { Catalogue, Segment } from './catalogue.js'
import { filterable, type IndexEntry } from './history-index.js'
import { mcOf, roughFilter } from './index-filter.js'
import { entryOf, historyPath, Indexes, isThere } from './indexes.js'
import { Moved } from './moved.js'
import { Newest } from './newest.js'

/** A flow run in the history. */
export interface HistoryEntry extends IndexEntry {
  readonly segment: Segment
  /** Sections with what came later. */
  readonly later: readonly (IndexEntry & { readonly segment: Segment })[]
}

export interface HistoryOptions {
  readonly onDamage: (damage: Damage) => void
  /** Whether the catalogue is still the one that these segments are from. */
  readonly isCurrent?: (() => boolean) | undefined
  /** Indexes whose every line has been found whole, for all who read this history one after the other. */
  readonly checked?: Set<string> | undefined
  /** Indexes that are in no file, by the name of their segment. */
  readonly indexes?: ReadonlyMap<string, Buffer> | undefined
}

/** Reads what has been folded: finds flow runs by their lines in the indexes, and reads these where those say. */
export class History {
  readonly #folder: string
  readonly #segments: readonly Segment[]
  readonly #onDamage: (damage: Damage) => void
  readonly #isCurrent: () => boolean
  readonly #indexes: Indexes
  readonly #files = new OpenFiles()

  constructor(folder: string, { segments }: Pick<Catalogue, 'segments'>, options: HistoryOptions) {
    this.#folder = folder
    this.#segments = segments
    this.#onDamage = options.onDamage
    this.#isCurrent = options.isCurrent ?? (() => true)
    const { onDamage, checked = new Set(), indexes } = options
    this.#indexes = new Indexes(folder, { onDamage, isCurrent: this.#isCurrent, checked, indexes })
  }

  /** Gives back the files that it holds open. It can be asked on. */
  rest(): void {
    this.#indexes.rest()
    this.#files.close()
  }

  async find(id: string): Promise<HistoryEntry | undefined> {
    const found = await this.#search(id)
    if (found || this.#segments.every(segment => this.#indexes.isChecked(segment))) return found
    // Is it that its line is damaged?
    for (const segment of this.#segments) await this.#indexes.check(segment)
    return this.#indexes.anyMended ? this.#search(id) : undefined
  }

  async #search(id: string): Promise<HistoryEntry | undefined> {
    const later: (IndexEntry & { segment: Segment })[] = []
    // What came later stands behind what it belongs to.
    for (const segment of this.#segments.toReversed()) {
      const found = await this.#indexes.find(segment, id)
      later.push(...found.filter(entry => entry.late).map(entry => ({ ...entry, segment })))
      const entry = found.find(entry => !entry.late)
      if (entry) return { ...entry, segment, later: later.sort((a, b) => a.at - b.at) }
    }
    return undefined
  }

  /**
   * The newest flow runs that fit, newest first: at most `limit`. `known`: flow runs that others have, of which the newest
   * compete for the same places. Reads the index from its end until nothing before can be newer.
   */
  async newest(filter: FlowRunFilter, known: readonly number[]): Promise<HistoryEntry[]> {
    const limit = filter.limit ?? Number.POSITIVE_INFINITY
    const best = new Newest<HistoryEntry>(limit, known)
    const mayFit = roughFilter(filter)
    for (const segment of this.#segments.toReversed()) {
      const before = best.copy()
      const onLine = (line: RawLine) => {
        if (!mayFit(line)) return !best.isBeyond(mcOf(line))
        const entry = entryOf(segment, line)
        if (!entry.late && fits(filterable(entry), filter)) best.add({ ...entry, segment, later: [] })
        return !best.isBeyond(entry.mc)
      }
      const goesOn = await this.#indexes.backwards(segment, onLine, () => best.reset(before))
      if (!goesOn || best.isBeyond(segment.mc)) break
    }
    return best.sorted()
  }

  /** Flow runs with their states and values. */
  async readFlowRuns(entries: readonly HistoryEntry[], codec: ValueCodec): Promise<StoredRun<FlowRun>[]> {
    const runs: StoredRun<FlowRun>[] = []
    for (const entry of entries) {
      runs.push(this.#flowRun(entry, codec))
      if (runs.length % 100 === 0) await nextTurn()
    }
    return runs
  }

  #flowRun(entry: HistoryEntry, codec: ValueCodec): StoredRun<FlowRun> {
    const path = this.#historyPath(entry.segment)
    const lines = []
    for (let index = 0; index < entry.fs.length; index += 2) {
      const [offset, length] = [entry.at + entry.fs[index]!, entry.fs[index + 1]!]
      const bytes = this.#readHistory(path, offset, length)
      const raw = bytes && unseal({ bytes, start: 0, end: bytes.length, offset })
      const line = raw && parseLine(textOf(raw))
      if (line) lines.push(line)
      else this.#onDamage({ path, offset, bytes: length })
    }
    const stub = stubOf(entry)
    return { ...(flowRunIn(lines, codec, stub) ?? { run: stub, states: [stub.state] }), owner: entry.owner }
  }

  #readHistory(path: string, offset: number, length: number): Buffer | undefined {
    try {
      return this.#files.read(path, offset, length)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      if (!this.#isCurrent()) throw new Moved()
      return undefined
    }
  }

  async readTaskRuns(entry: HistoryEntry, codec: ValueCodec): Promise<StoredRun<TaskRun>[]> {
    const found = await taskRunsIn(this.scan(entry), entry.i, codec)
    return found.map(({ run, states }) => ({ run, states, owner: entry.owner }))
  }

  async readTaskRun(entry: HistoryEntry, id: string, codec: ValueCodec): Promise<StoredRun<TaskRun> | undefined> {
    const found = await taskRunIn(this.scan(entry), id, codec)
    return found && { run: found.run, states: found.states, owner: entry.owner }
  }

  readLogs(entry: HistoryEntry, codec: ValueCodec): Promise<LogEntry[]> {
    return logsIn(this.scan(entry), entry.i, codec)
  }

  /** The lines of a flow run. */
  scan(entry: HistoryEntry): Scan {
    return async onLine => {
      for (const { segment, at, bytes } of [entry, ...entry.later]) {
        const path = this.#historyPath(segment)
        if (!isThere(path)) {
          if (!this.#isCurrent()) throw new Moved()
          this.#onDamage({ path, offset: at, bytes })
          continue
        }
        let goesOn = true
        const visit = (line: RawLine) => (goesOn = onLine(line) !== false)
        const end = await scanWholeLines(path, at, visit, { until: at + bytes, onDamage: this.#onDamage })
        if (!goesOn) return
        if (end < at + bytes) this.#onDamage({ path, offset: end, bytes: at + bytes - end })
      }
    }
  }

  /** A task run of which nobody knows to which flow run it belongs: all of the history is looked through. */
  async searchTaskRun(id: string, codec: ValueCodec): Promise<StoredRun<TaskRun> | undefined> {
    for (const segment of this.#segments.toReversed()) {
      const scan: Scan = onLine => scanWholeLines(this.#historyPath(segment), 0, onLine, { until: segment.bytes })
      const found = await taskRunIn(scan, id, codec)
      if (!found) continue
      const entry = await this.find(found.run.flowRunId)
      return { run: found.run, states: found.states, owner: entry?.owner ?? '' }
    }
    return undefined
  }

  /** Every entry, oldest first. */
  async each(onEntry: (entry: HistoryEntry) => void): Promise<void> {
    for (const segment of this.#segments) {
      const entries: HistoryEntry[] = []
      const onLine = (line: RawLine) => {
        entries.push({ ...entryOf(segment, line), segment, later: [] })
        return true
      }
      await this.#indexes.backwards(segment, onLine, () => entries.splice(0))
      for (const entry of entries.reverse()) onEntry(entry)
    }
  }

  #historyPath(segment: Segment): string {
    return historyPath(this.#folder, segment)
  }
}

/** What the index knows of a flow run whose first line is damaged. */
function stubOf({ i, name, flow, created, parent, deployment }: IndexEntry): FlowRun {
  return {
    ...lost,
    id: i,
    name,
    flowName: flow,
    created,
    state: states.pending(created),
    ...(parent !== undefined && { parentFlowRunId: parent }),
    ...(deployment !== undefined && { deployment }),
  }
}
