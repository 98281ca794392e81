import type { LogEntry } from '../core/logger.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled } from '../core/state.js'
import { type BriefTaskRun, type FlowRunFilter, fits, type StoredRun, type StoreSurroundings } from '../core/store.js'
import { briefRunsIn } from './brief-runs.js'
import { DamageReport } from './damage-report.js'
import { addFlow, type CataloguedFlow, catalogued } from './history/catalogue.js'
import type { History, HistoryEntry } from './history/history.js'
import { hasMoved } from './history/moved.js'
import type { FlowEntry, JournalReader } from './journal/journal-reader.js'
import { callOf } from './lines/line-bytes.js'
import type { ValueCodec } from './lines/line-values.js'
import { logsIn, type Scan, taskRunIn, taskRunsIn } from './lines/run-lines.js'
import { isDead } from './process-id.js'
import { type Snapshot, Snapshots } from './snapshots.js'

export interface ReadingSurroundings extends Pick<StoreSurroundings, 'warn'> {
  readonly codec: ValueCodec
}

/** How often a question is asked again when files have gone in the middle of it. */
const attempts = 100

/**
 * Answers what the store is asked, from what is in the folder at that moment, whoever else writes there: from the journals,
 * of which it remembers how far it has read them, and from the history. It takes no locks and changes nothing.
 */
export class Reading {
  readonly #surroundings: ReadingSurroundings
  readonly #flush: () => void
  readonly #report: DamageReport
  readonly #snapshots: Snapshots

  /** `flush` writes what this process has not written yet; it is called before anything is read. */
  constructor(folder: string, surroundings: ReadingSurroundings, flush: () => void) {
    this.#surroundings = surroundings
    this.#flush = flush
    this.#report = new DamageReport(folder, surroundings.warn)
    this.#snapshots = new Snapshots(folder, this.#report)
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
        snapshot = await this.#snapshots.take()
        return await answer(snapshot)
      } catch (error) {
        if (attempt === attempts || !hasMoved(error)) throw error
      } finally {
        // Another question may have made a newer history meanwhile: it is this one that holds files open.
        snapshot?.history.rest()
        this.#report.tell()
      }
    }
  }

  get #codec() {
    return this.#surroundings.codec
  }
}

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
