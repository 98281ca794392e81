import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { LogEntry } from '../core/logger.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled } from '../core/state.js'
import { type BriefTaskRun, type FlowRunFilter, fits, type StoredRun, type StoreSurroundings } from '../core/store.js'
import { briefRunsIn } from './brief-runs.js'
import { addFlow, type Catalogue, type CataloguedFlow, catalogued, emptyCatalogue, readCatalogue } from './catalogue.js'
import { namesIn } from './files.js'
import { History, type HistoryEntry } from './history.js'
import { type JournalFiles, journalsOf } from './journal-files.js'
import { type FlowEntry, JournalReader } from './journal-reader.js'
import { headerOf } from './journal-state.js'
import { callOf } from './line-bytes.js'
import type { ValueCodec } from './line-values.js'
import { hasMoved } from './moved.js'
import { isDead } from './process-id.js'
import { rebuild } from './rebuild.js'
import { logsIn, type Scan, taskRunIn, taskRunsIn } from './run-lines.js'
import type { Damage } from './whole-lines.js'

export interface ReadingSurroundings extends Pick<StoreSurroundings, 'warn'> {
  readonly codec: ValueCodec
}

/** One state of the folder: what is asked about it is answered from it alone, whatever others read meanwhile. */
interface Snapshot {
  readonly catalogue: Catalogue
  readonly history: History
  readonly readers: readonly JournalReader[]
}

/** How often a question is asked again when files have gone in the middle of it. */
const attempts = 100

/**
 * Answers what the store is asked, from what is in the folder at that moment, whoever else writes there: from the journals,
 * of which it remembers how far it has read them, and from the history. It takes no locks and changes nothing.
 */
export class Reading {
  readonly #folder: string
  readonly #journals: string
  readonly #surroundings: ReadingSurroundings
  readonly #flush: () => void
  readonly #readers = new Map<string, JournalReader>()
  #catalogue: Catalogue = emptyCatalogue()
  /** Tells whether the file of the catalogue is still the one that has been read. */
  #seen = ''
  #history: History
  readonly #checked = new Set<string>()
  /** What has been told of damage. */
  readonly #told = new Set<string>()
  #damage: Damage[] = []
  #refreshing: Promise<unknown> = Promise.resolve()

  /** `flush` writes what this process has not written yet; it is called before anything is read. */
  constructor(folder: string, surroundings: ReadingSurroundings, flush: () => void) {
    this.#folder = folder
    this.#journals = join(folder, 'journals')
    this.#surroundings = surroundings
    this.#flush = flush
    this.#history = this.#historyOf(this.#catalogue)
  }

  /** Flow runs, newest first. */
  listFlowRuns(filter: FlowRunFilter): Promise<StoredRun<FlowRun>[]> {
    return this.#ask(async ({ history, readers }) => {
      const live: FlowEntry[] = []
      for (const { flowRuns } of readers)
        for (const entry of flowRuns.values())
          if (fits(entry.run, filter) && !(entry.isStray && (await history.find(entry.run.id)))) live.push(entry)
      const times = live.map(({ run }) => run.created)
      const folded = await history.newest(filter, times)
      const all = [
        ...live.map(entry => ({ created: entry.run.created, q: entry.seq, entry })),
        ...folded.map(entry => ({ created: entry.created, q: entry.q, entry })),
      ]
      all.sort((a, b) => b.created - a.created || b.q - a.q)
      return this.#readFlowRuns(
        all.slice(0, filter.limit).map(({ entry }) => entry),
        history,
      )
    })
  }

  getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    return this.#ask(async snapshot => {
      const entry = await this.#find(id, snapshot)
      return entry && (await this.#readFlowRuns([entry], snapshot.history))[0]
    })
  }

  /** The task runs of a flow run, in call order. */
  listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    return this.#ask(async snapshot => {
      const entry = await this.#find(flowRunId, snapshot)
      if (!entry) return []
      if (isHistory(entry)) {
        const found = await taskRunsIn(this.#scanOf(entry, snapshot), flowRunId, this.#codec)
        return found.map(({ run, states }) => ({ run, states, owner: entry.owner }))
      }
      const isGone = isOwnerGone(entry.journal)
      return (await entry.journal.readTaskRuns(entry, this.#codec)).map(stored => withOwner(stored, isGone))
    })
  }

  /** The same in few bytes. How runs ended that a dead process has left does not matter: they have not completed. */
  listTaskRunsBriefly(flowRunId: string): Promise<BriefTaskRun[]> {
    return this.#ask(async snapshot => {
      const entry = await this.#find(flowRunId, snapshot)
      if (!entry) return []
      const scan = isHistory(entry) ? this.#scanOf(entry, snapshot) : entry.journal.scan(entry.from)
      return briefRunsIn(scan, flowRunId, this.#codec)
    })
  }

  getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    return this.#ask(async snapshot => {
      const flowRunId = callOf(id)?.flowRunId
      const entry = flowRunId === undefined ? undefined : await this.#find(flowRunId, snapshot)
      if (entry && isHistory(entry)) {
        const found = await taskRunIn(this.#scanOf(entry, snapshot), id, this.#codec)
        if (found) return { run: found.run, states: found.states, owner: entry.owner }
      } else if (entry) {
        const found = await entry.journal.readTaskRun(id, this.#codec)
        if (found) return withOwner(found, isOwnerGone(entry.journal))
      }
      return this.#searchTaskRun(id, snapshot)
    })
  }

  /** One whose id does not tell to which flow run it belongs. */
  async #searchTaskRun(id: string, { history, readers }: Snapshot): Promise<StoredRun<TaskRun> | undefined> {
    const newestFirst = [...readers].sort((a, b) => (b.header?.created ?? 0) - (a.header?.created ?? 0))
    for (const reader of newestFirst) {
      const found = await reader.readTaskRun(id, this.#codec)
      if (found) return withOwner(found, isOwnerGone(reader))
    }
    return history.searchTaskRun(id, this.#codec)
  }

  /** In the order in which they were written. */
  listLogs(flowRunId: string): Promise<LogEntry[]> {
    return this.#ask(async snapshot => {
      const entry = await this.#find(flowRunId, snapshot)
      if (!entry) return []
      return isHistory(entry)
        ? logsIn(this.#scanOf(entry, snapshot), flowRunId, this.#codec)
        : entry.journal.readLogs(entry, this.#codec)
    })
  }

  /** The flows that have run, by name. */
  flows(): Promise<Record<string, CataloguedFlow>> {
    return this.#ask(async ({ catalogue, readers }) => {
      const flows: Record<string, CataloguedFlow> = Object.assign(Object.create(null), catalogue.flows)
      for (const { flowRuns } of readers)
        for (const { run, isStray } of flowRuns.values()) if (!isStray) addFlow(flows, run.flowName, catalogued(run))
      return flows
    })
  }

  /** A journal has it, or the history. Lines of it in a journal that are strays came late, or are all that is left of it. */
  async #find(flowRunId: string, { history, readers }: Snapshot): Promise<FlowEntry | HistoryEntry | undefined> {
    let stray: FlowEntry | undefined
    for (const { flowRuns } of readers) {
      const entry = flowRuns.get(flowRunId)
      if (entry && !entry.isStray) return entry
      stray ??= entry
    }
    return (await history.find(flowRunId)) ?? stray
  }

  /** The lines of a flow run in the history, and those that have come late. */
  #scanOf(entry: HistoryEntry, { history, readers }: Snapshot): Scan {
    return async onLine => {
      let goesOn = true
      const visit: typeof onLine = line => {
        goesOn = onLine(line) !== false
        return goesOn
      }
      await history.scan(entry)(visit)
      for (const reader of readers) {
        const stray = reader.flowRuns.get(entry.i)
        if (goesOn && stray) await reader.scan(stray.from)(visit)
      }
    }
  }

  async #readFlowRuns(entries: readonly (FlowEntry | HistoryEntry)[], history: History): Promise<StoredRun<FlowRun>[]> {
    const folded = entries.filter(isHistory)
    const byJournal = new Map<JournalReader, FlowEntry[]>()
    for (const entry of entries) {
      if (isHistory(entry)) continue
      const others = byJournal.get(entry.journal)
      if (others) others.push(entry)
      else byJournal.set(entry.journal, [entry])
    }
    const stored = new Map<FlowEntry | HistoryEntry, StoredRun<FlowRun>>()
    for (const [journal, its] of byJournal) {
      const isGone = isOwnerGone(journal)
      for (const [index, run] of (await journal.readFlowRuns(its, this.#codec)).entries())
        stored.set(its[index]!, withOwner(run, isGone))
    }
    for (const [index, run] of (await history.readFlowRuns(folded, this.#codec)).entries())
      stored.set(folded[index]!, run)
    return entries.map(entry => stored.get(entry)!)
  }

  /** Answers a question from one state of the folder; again, if that has changed too far in the middle. */
  async #ask<T>(answer: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    this.#flush()
    for (let attempt = 1; ; attempt += 1) {
      let snapshot: Snapshot | undefined
      try {
        snapshot = await this.#refresh()
        return await answer(snapshot)
      } catch (error) {
        if (attempt === attempts || !hasMoved(error)) throw error
      } finally {
        // Another question may have replaced `#history` meanwhile: it is this one that holds files open.
        snapshot?.history.rest()
        this.#tell()
      }
    }
  }

  /** Reads what has been added since. One at a time: readers remember offsets. */
  #refresh(): Promise<Snapshot> {
    const refreshed = this.#refreshing.then(async () => {
      do {
        await this.#readCatalogue()
        await this.#readJournals()
        // What is folded now is removed when the next folding is done: then some of it may have been missed.
      } while (generationIn(this.#path) > this.#catalogue.generation + 1)
      return { catalogue: this.#catalogue, history: this.#history, readers: [...this.#readers.values()] }
    })
    this.#refreshing = refreshed.catch(() => {})
    return refreshed
  }

  async #readCatalogue(): Promise<void> {
    const seen = stampOf(this.#path)
    if (seen === this.#seen) return
    const { catalogue, damaged } = readCatalogue(this.#path)
    // Without it the history still tells what there is.
    const rebuilt = catalogue ? undefined : await rebuild(this.#folder)
    this.#catalogue = catalogue ?? rebuilt!.catalogue
    if (damaged) this.#warnOnce(`The catalogue ${this.#path} is damaged. What it held is read from the history.`)
    this.#seen = seen
    this.#history = this.#historyOf(this.#catalogue, rebuilt?.indexes)
  }

  #historyOf(catalogue: Catalogue, indexes?: ReadonlyMap<string, Buffer>): History {
    const seen = this.#seen
    return new History(this.#folder, catalogue, {
      onDamage: damage => this.#damage.push(damage),
      isCurrent: () => seen === this.#seen && stampOf(this.#path) === seen,
      checked: this.#checked,
      indexes,
    })
  }

  async #readJournals(): Promise<void> {
    const journals = journalsOf(namesIn(this.#journals))
    for (const name of this.#readers.keys()) if (!journals.has(name)) this.#readers.delete(name)
    for (const files of journals.values()) {
      const reader = await this.#readerOf(files)
      if (!reader || reader.finished) continue
      await reader.refresh(files)
      this.#damage.push(...reader.damage.filter(damage => !this.#told.has(keyOf(damage))))
    }
  }

  /** The reader of a journal; `undefined`: the history has all of it. */
  async #readerOf(files: JournalFiles): Promise<JournalReader | undefined> {
    const { name } = files
    const folded = this.#catalogue.folded.filter(({ journal }) => journal === name)
    let upTo = 0
    if (folded.length > 0) {
      const created = (await headerOf(this.#journals, files))?.created ?? 0
      const its = folded.filter(each => each.created === created)
      if (its.some(each => each.upTo === undefined)) {
        this.#readers.delete(name)
        return undefined
      }
      upTo = Math.max(0, ...its.map(each => each.upTo ?? 0))
    }
    let reader = this.#readers.get(name)
    if (reader?.upTo !== upTo) reader = undefined
    if (!reader) this.#readers.set(name, (reader = new JournalReader(this.#journals, name, upTo)))
    return reader
  }

  #tell(): void {
    const byPath = new Map<string, Damage[]>()
    for (const damage of this.#damage) {
      if (this.#told.has(keyOf(damage))) continue
      this.#told.add(keyOf(damage))
      byPath.set(damage.path, [...(byPath.get(damage.path) ?? []), damage])
    }
    this.#damage = []
    for (const [path, places] of byPath) {
      const [first] = places
      const what = places.length === 1 ? `1 line of ${path} is` : `${places.length} lines of ${path} are`
      const isIndex = path.startsWith(join(this.#folder, 'index'))
      this.#surroundings.warn(
        isIndex
          ? `The index ${path} is damaged. It is made anew from the history; 'mintaka store rebuild' does that for good.`
          : `${what} damaged and left out, at byte ${first!.offset}${places.length > 1 ? ' and later' : ''}.`,
        { path, offset: first!.offset, places: places.length },
      )
    }
  }

  #warnOnce(message: string): void {
    if (this.#told.has(message)) return
    this.#told.add(message)
    this.#surroundings.warn(message)
  }

  get #path(): string {
    return join(this.#folder, 'catalogue.json')
  }

  get #codec() {
    return this.#surroundings.codec
  }
}

const keyOf = ({ path, offset }: Damage) => `${path}:${offset}`

function isHistory(entry: FlowEntry | HistoryEntry): entry is HistoryEntry {
  return 'segment' in entry
}

/** Whether the process that writes a journal has died, or has closed it, and nobody has ended its runs yet. */
function isOwnerGone({ finished, header, isLeft }: JournalReader): boolean {
  return !finished && header !== undefined && (isLeft || isDead(header.process))
}

function withOwner<R extends Run>(stored: StoredRun<R>, isGone: boolean): StoredRun<R> {
  return isGone && !isSettled(stored.run.state) ? { ...stored, ownerGone: true } : stored
}

/** Changes whenever the file is replaced. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat ? `${stat.ino} ${stat.mtimeNs} ${stat.size}` : 'none'
}

function generationIn(path: string): number {
  return readCatalogue(path).catalogue?.generation ?? 0
}
