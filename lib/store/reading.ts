import { join } from 'node:path'
import type { LogEntry } from '../core/logger.js'
import type { FlowRun, TaskRun } from '../core/run.js'
import { type FlowRunFilter, fits, type StoredRun, type StoreSurroundings } from '../core/store.js'
import { type CataloguedFlow, catalogued } from './catalogue.js'
import { namesIn } from './files.js'
import { endedName, journalsIn } from './journal-names.js'
import { type FlowEntry, JournalReader } from './journal-reader.js'

/**
 * Answers what the store is asked, from what is in the folder at that moment, whoever else writes there: it knows the
 * journals, remembers how far it has read them, and reads on. It takes no locks and changes nothing.
 */
export class Reading {
  readonly #folder: string
  readonly #surroundings: Pick<StoreSurroundings, 'codec' | 'warn'>
  readonly #flush: () => void
  readonly #readers = new Map<string, JournalReader>()
  #refreshing: Promise<unknown> = Promise.resolve()

  /** `flush` writes what this process has not written yet; it is called before anything is read. */
  constructor(folder: string, surroundings: Pick<StoreSurroundings, 'codec' | 'warn'>, flush: () => void) {
    this.#folder = join(folder, 'journals')
    this.#surroundings = surroundings
    this.#flush = flush
  }

  /** Flow runs, newest first. */
  async listFlowRuns(filter: FlowRunFilter): Promise<StoredRun<FlowRun>[]> {
    await this.#refresh()
    const found: FlowEntry[] = []
    for (const { flowRuns } of this.#readers.values())
      for (const entry of flowRuns.values()) if (fits(entry.run, filter)) found.push(entry)
    found.sort((a, b) => b.run.created - a.run.created || b.seq - a.seq)
    return this.#readFlowRuns(found.slice(0, filter.limit))
  }

  async getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    const entry = await this.#find(id)
    return entry && (await this.#readFlowRuns([entry]))[0]
  }

  /** The task runs of a flow run, in call order. */
  async listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    const entry = await this.#find(flowRunId)
    return entry ? entry.journal.readTaskRuns(entry, this.#surroundings.codec) : []
  }

  async getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    await this.#refresh()
    const newestFirst = [...this.#readers.values()].sort((a, b) => (b.header?.created ?? 0) - (a.header?.created ?? 0))
    for (const reader of newestFirst) {
      const found = await reader.readTaskRun(id, this.#surroundings.codec)
      if (found) return found
    }
    return undefined
  }

  /** In the order in which they were written. */
  async listLogs(flowRunId: string): Promise<LogEntry[]> {
    const entry = await this.#find(flowRunId)
    return entry ? entry.journal.readLogs(entry, this.#surroundings.codec) : []
  }

  /** The flows that have run, by name, as a catalogue has them. */
  async flows(): Promise<Map<string, CataloguedFlow>> {
    await this.#refresh()
    const flows = new Map<string, CataloguedFlow>()
    for (const { flowRuns } of this.#readers.values())
      for (const { run } of flowRuns.values())
        if (run.created >= (flows.get(run.flowName)?.lastRun ?? 0)) flows.set(run.flowName, catalogued(run))
    return flows
  }

  async #find(flowRunId: string): Promise<FlowEntry | undefined> {
    await this.#refresh()
    for (const { flowRuns } of this.#readers.values()) {
      const entry = flowRuns.get(flowRunId)
      if (entry) return entry
    }
    return undefined
  }

  async #readFlowRuns(entries: readonly FlowEntry[]): Promise<StoredRun<FlowRun>[]> {
    const byJournal = new Map<JournalReader, FlowEntry[]>()
    for (const entry of entries) {
      const others = byJournal.get(entry.journal)
      if (others) others.push(entry)
      else byJournal.set(entry.journal, [entry])
    }
    const stored = new Map<FlowEntry, StoredRun<FlowRun>>()
    for (const [journal, its] of byJournal)
      for (const [index, run] of (await journal.readFlowRuns(its, this.#surroundings.codec)).entries())
        stored.set(its[index]!, run)
    return entries.map(entry => stored.get(entry)!)
  }

  /** Reads what has been added to any journal since. One at a time: readers remember offsets. */
  #refresh(): Promise<void> {
    this.#flush()
    const refreshed = this.#refreshing.then(() => this.#readJournals())
    this.#refreshing = refreshed.catch(() => {})
    return refreshed
  }

  async #readJournals(): Promise<void> {
    // A journal that somebody has ended by the time of this list has got its last line, which is read after it.
    const names = namesIn(this.#folder)
    for (const [name, segments] of journalsIn(names)) {
      let reader = this.#readers.get(name)
      if (!reader) this.#readers.set(name, (reader = new JournalReader(name)))
      if (reader.finished) continue
      const damaged = reader.damaged
      await reader.refresh(segments.map(segment => join(this.#folder, segment)))
      if (reader.damaged > damaged)
        this.#surroundings.warn(`${reader.damaged} lines of ${reader.end.path} are damaged and left out.`)
      if (names.includes(endedName(name))) await reader.readEnd(join(this.#folder, endedName(name)))
    }
  }
}
