import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogEntry } from '../core/logger.js'
import type { FlowRun, TaskRun } from '../core/run.js'
import { states } from '../core/state.js'
import { type FlowRunFilter, fits, type StoredRun } from '../core/store.js'
import type { Catalogue, Segment } from './catalogue.js'
import { filterable, type IndexEntry, indexEntry, indexLinesOf } from './history-index.js'
import { lost } from './journal-reader.js'
import { parseLine, quoted } from './line.js'
import { OpenFiles, textOf } from './line-bytes.js'
import type { ValueCodec } from './line-values.js'
import { flowRunIn, logsIn, type Scan, taskRunIn, taskRunsIn } from './run-lines.js'
import type { RawLine } from './scan.js'
import { unseal } from './seal.js'
import { type Damage, scanWholeLines } from './whole-lines.js'

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

/** A file that a reader was sent to has gone: whoever asked begins again with the present catalogue. */
export class Moved extends Error {}

/** Whether an error says that files have gone from where they were. */
export function hasMoved(error: unknown): boolean {
  return error instanceof Moved || (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}

const pieceBytes = 1024 * 1024

/**
 * Reads what has been folded: finds flow runs by their lines in the index, which is searched as bytes and of which
 * nothing is kept in memory.
 */
export class History {
  readonly #folder: string
  readonly #segments: readonly Segment[]
  readonly #onDamage: (damage: Damage) => void
  /** Indexes that were damaged, as their history says they should be. */
  readonly #mended: Map<string, Buffer>
  readonly #checked: Set<string>
  readonly #isCurrent: () => boolean
  readonly #files = new OpenFiles()

  constructor(folder: string, { segments }: Pick<Catalogue, 'segments'>, options: HistoryOptions) {
    this.#folder = folder
    this.#segments = segments
    this.#onDamage = options.onDamage
    this.#mended = new Map(options.indexes)
    this.#isCurrent = options.isCurrent ?? (() => true)
    this.#checked = options.checked ?? new Set()
  }

  /** Gives back the files that it holds open. It can be asked on. */
  rest(): void {
    this.#files.close()
  }

  async find(id: string): Promise<HistoryEntry | undefined> {
    const found = await this.#search(id)
    if (found || this.#segments.every(segment => this.#checked.has(keyOf(segment)))) return found
    // Is it that its line is damaged?
    for (const segment of this.#segments) await this.#check(segment)
    return this.#mended.size > 0 ? this.#search(id) : undefined
  }

  async #search(id: string): Promise<HistoryEntry | undefined> {
    const needle = Buffer.from(`{"i":${quoted(id)},`)
    const later: (IndexEntry & { segment: Segment })[] = []
    // What came later stands behind what it belongs to.
    for (const segment of this.#segments.toReversed()) {
      const found = await this.#retried(segment, () => this.#searchSegment(segment, needle))
      later.push(...found.filter(entry => entry.late).map(entry => ({ ...entry, segment })))
      const entry = found.find(entry => !entry.late)
      if (entry) return { ...entry, segment, later: later.sort((a, b) => a.at - b.at) }
    }
    return undefined
  }

  async #searchSegment(segment: Segment, needle: Buffer): Promise<IndexEntry[]> {
    const found: IndexEntry[] = []
    const { indexBytes } = this.#sizeOf(segment)
    for (let from = 0; from < indexBytes; from += pieceBytes) {
      // Pieces overlap, so that no needle is cut.
      const piece = this.#read(segment, from, Math.min(pieceBytes + needle.length, indexBytes - from))
      for (let at = -1; (at = piece.indexOf(needle, at + 1)) >= 0; ) {
        const isBeginning = at > 0 ? piece[at - 1] === 10 : from === 0 || this.#read(segment, from - 1, 1)[0] === 10
        if (isBeginning && at < pieceBytes) found.push(this.#entryAt(segment, from + at))
      }
      if (from % (8 * pieceBytes) === 0) await nextTurn()
    }
    return found
  }

  #entryAt(segment: Segment, offset: number): IndexEntry {
    const { indexBytes } = this.#sizeOf(segment)
    for (let length = 4096; ; length *= 8) {
      const bytes = this.#read(segment, offset, Math.min(length, indexBytes - offset))
      const end = bytes.indexOf(10)
      if (end >= 0) return entryOf(segment, { bytes, start: 0, end, offset })
      if (length > indexBytes - offset) throw new DamagedIndex(segment)
    }
  }

  /**
   * The newest flow runs that fit, newest first: at most `limit`. `known`: flow runs that others have, of which the newest
   * compete for the same places. Reads the index from its end until nothing before can be newer.
   */
  async newest(filter: FlowRunFilter, known: readonly number[]): Promise<HistoryEntry[]> {
    const limit = filter.limit ?? Number.POSITIVE_INFINITY
    const best = new Newest(limit, known)
    const mayFit = roughFilter(filter)
    for (const segment of this.#segments.toReversed()) {
      const before = best.copy()
      let goesOn = true
      await this.#retried(segment, async () => {
        best.reset(before)
        goesOn = await this.#backwards(segment, line => {
          if (!mayFit(line)) return !best.isBeyond(mcOf(line))
          const entry = entryOf(segment, line)
          if (!entry.late && fits(filterable(entry), filter)) best.add({ ...entry, segment, later: [] })
          return !best.isBeyond(entry.mc)
        })
      })
      if (!goesOn || best.isBeyond(segment.mc)) break
    }
    return best.sorted()
  }

  /** Gives the lines of an index from its end on, until `onLine` gives `false`. */
  async #backwards(segment: Segment, onLine: (line: RawLine) => boolean): Promise<boolean> {
    const { indexBytes } = this.#sizeOf(segment)
    let end = indexBytes
    for (let size = 64 * 1024; end > 0; ) {
      const from = Math.max(0, end - size)
      const piece = this.#read(segment, from, end - from)
      let lineEnd = piece.length - 1 // its newline
      if (piece[lineEnd] !== 10) throw new DamagedIndex(segment)
      for (;;) {
        const before = lineEnd === 0 ? -1 : piece.lastIndexOf(10, lineEnd - 1)
        if (before < 0 && from > 0) break
        if (!onLine({ bytes: piece, start: before + 1, end: lineEnd, offset: from + before + 1 })) return false
        if (before < 0) return true
        lineEnd = before
      }
      // The line that was cut comes with the next piece.
      const next = from + lineEnd + 1
      size = next === end ? size * 8 : pieceBytes
      end = next
      await nextTurn()
    }
    return true
  }

  /** Calls `read`, and once more with an index made anew if that there is damaged. */
  async #retried<T>(segment: Segment, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof DamagedIndex)) throw error
      await this.#mend(segment)
      return read()
    }
  }

  /** Looks at every line of an index once. */
  async #check(segment: Segment): Promise<void> {
    if (this.#checked.has(keyOf(segment))) return
    await this.#retried(segment, async () => {
      let count = 0
      await this.#backwards(segment, line => {
        if (!unseal(line)) throw new DamagedIndex(segment)
        count += 1
        return true
      })
      return count
    })
    this.#checked.add(keyOf(segment))
  }

  /** Makes an index anew in memory: readers change nothing. Whoever folds next writes it. */
  async #mend(segment: Segment): Promise<void> {
    if (!this.#isCurrent()) throw new Moved()
    const path = this.#historyPath(segment)
    const lines: Buffer[] = []
    const options = { from: 0, until: segment.bytes, mc: segment.mc }
    if (isThere(path)) await indexLinesOf(path, options, line => lines.push(line))
    this.#mended.set(segment.name, Buffer.concat(lines))
    this.#onDamage({ path: this.#indexPath(segment), offset: 0, bytes: segment.indexBytes })
  }

  #sizeOf(segment: Segment): { indexBytes: number } {
    const mended = this.#mended.get(segment.name)
    return { indexBytes: mended ? mended.length : segment.indexBytes }
  }

  #read(segment: Segment, offset: number, length: number): Buffer {
    const mended = this.#mended.get(segment.name)
    // A copy, because who takes the seal off a line writes into it.
    if (mended) return Buffer.from(mended.subarray(offset, offset + length))
    try {
      const bytes = this.#files.read(this.#indexPath(segment), offset, length)
      if (bytes.length === length) return bytes
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    throw new DamagedIndex(segment)
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
      await this.#retried(segment, async () => {
        entries.length = 0
        await this.#backwards(segment, line => {
          entries.push({ ...entryOf(segment, line), segment, later: [] })
          return true
        })
      })
      for (const entry of entries.reverse()) onEntry(entry)
    }
  }

  #indexPath({ index }: Segment): string {
    return join(this.#folder, 'index', `${index}.ndjson`)
  }

  #historyPath({ name }: Segment): string {
    return join(this.#folder, 'history', `${name}.ndjson`)
  }
}

const keyOf = ({ index, indexBytes }: Segment) => `${index}:${indexBytes}`

class DamagedIndex extends Error {
  constructor(segment: Segment) {
    super(`The index ${segment.index} is damaged.`)
  }
}

function entryOf(segment: Segment, raw: RawLine): IndexEntry {
  const line = unseal(raw)
  if (!line) throw new DamagedIndex(segment)
  return indexEntry(line)
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

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** The `mc` of a line of the index. */
function mcOf({ bytes, start, end }: RawLine): number {
  const match = /,"mc":([\d.e+]+)/.exec(bytes.toString('latin1', start, end))
  return match ? Number(match[1]) : Number.POSITIVE_INFINITY
}

/** Whether a line of the index may be one that the filter asks for, by its bytes. */
function roughFilter({
  flowName,
  match,
  parentFlowRunId,
  deployment,
  state,
}: FlowRunFilter): (line: RawLine) => boolean {
  const tests: ((text: string) => boolean)[] = []
  const raw = (text: string) => Buffer.from(text).toString('latin1')
  if (flowName?.length) {
    const words = flowName.map(name => raw(`"flow":${JSON.stringify(name)}`))
    tests.push(text => words.some(word => text.includes(word)))
  }
  if (match !== undefined) {
    const [id, name] = [raw(`{"i":${JSON.stringify(match).slice(0, -1)}`), raw(`"name":${JSON.stringify(match)},`)]
    tests.push(text => text.startsWith(id) || text.includes(name))
  }
  if (parentFlowRunId !== undefined) {
    const parent = raw(`"parent":${JSON.stringify(parentFlowRunId)}`)
    tests.push(text => text.includes(parent))
  }
  if (deployment?.length) {
    const words = deployment.map(id => raw(`"deployment":${JSON.stringify(id)}`))
    tests.push(text => words.some(word => text.includes(word)))
  }
  if (state?.length) {
    const words = state.map(word => `"${word.toLowerCase()}"`)
    tests.push(text => {
      const from = text.indexOf('"type":"')
      const states = text.slice(from, from + 60).toLowerCase()
      return words.some(word => states.includes(word))
    })
  }
  if (tests.length === 0) return () => true
  return ({ bytes, start, end }) => {
    const text = bytes.toString('latin1', start, end)
    return tests.every(test => test(text))
  }
}

/** The newest of what has been seen, as many as are wanted. */
class Newest {
  readonly #limit: number
  /** When the others were created that compete for places, newest first. */
  readonly #known: readonly number[]
  #entries: HistoryEntry[] = []
  /** The oldest time that still has a place, once all places are taken. */
  #least = Number.NEGATIVE_INFINITY

  constructor(limit: number, known: readonly number[]) {
    this.#limit = limit
    this.#known = known
    this.#trim()
  }

  copy(): readonly HistoryEntry[] {
    return [...this.#entries]
  }

  reset(entries: readonly HistoryEntry[]): void {
    this.#entries = [...entries]
    this.#least = Number.NEGATIVE_INFINITY
    this.#trim()
  }

  add(entry: HistoryEntry): void {
    if (entry.created < this.#least) return
    this.#entries.push(entry)
    if (this.#limit < Number.POSITIVE_INFINITY && this.#entries.length >= this.#limit * 2 + 16) this.#trim()
    else if (this.#least === Number.NEGATIVE_INFINITY && this.#entries.length + this.#known.length >= this.#limit)
      this.#trim()
  }

  /** Whether nothing that was created at that time or before can have a place any more. */
  isBeyond(mc: number): boolean {
    return mc < this.#least
  }

  sorted(): HistoryEntry[] {
    this.#trim()
    return this.#entries
  }

  #trim(): void {
    // A stable order: of equal ones the line that came later is the newer one.
    this.#entries.sort((a, b) => b.created - a.created)
    if (this.#limit === Number.POSITIVE_INFINITY) return
    const times = [...this.#entries.map(({ created }) => created), ...this.#known].sort((a, b) => b - a)
    this.#least = times[this.#limit - 1] ?? Number.NEGATIVE_INFINITY
    this.#entries = this.#entries.filter(({ created }) => created >= this.#least)
  }
}
