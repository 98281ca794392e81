import type { LogEntry } from '../core/logger.js'
import { copyOf, type FlowRun, type Run, type TaskRun } from '../core/run.js'
import { type State, states } from '../core/state.js'
import {
  type CacheEntry,
  type Claim,
  type Command,
  type FlowRunFilter,
  fits,
  notPersisted,
  type StateOptions,
  type Store,
  type StoredRun,
  type StoreSurroundings,
} from '../core/store.js'
import { notWanted } from './lines/line-values.js'
import { MemoryDocuments } from './memory-documents.js'

/**
 * Remembers runs as long as the process lives, and acknowledges everything at once. Runs are read as copies. Results and
 * parameters are kept as they were: arrays, plain objects, Maps, Sets, bytes and dates are copied, class instances are not.
 */
export class MemoryStore implements Store {
  readonly name = 'memory'
  #owner = ''
  #copyOf: (value: unknown) => unknown = value => value
  /** Runs, each followed by a state it entered. The runs are the engine's own records: their ids need not be hashed. */
  readonly #entries: (Run | State)[] = []
  /** The entries by run, up to {@link #read}: made when somebody asks. */
  readonly #histories = new Map<Run, State[]>()
  #read = 0
  readonly #flowRuns = new Map<string, FlowRun>()
  readonly #parameters = new Map<string, unknown>()
  readonly #taskRuns = new Map<string, TaskRun[]>()
  #last: { readonly flowRunId: string; readonly siblings: TaskRun[] } | undefined
  readonly #logs = new Map<string, LogEntry[]>()
  readonly #cache = new Map<string, CacheEntry>()
  readonly #claims = new Map<string, Omit<Claim, 'isNew'>>()
  readonly documents = new MemoryDocuments()
  readonly #inboxes = new Map<string, Command[]>()

  async open({ owner, codec }: Pick<StoreSurroundings, 'owner'> & Partial<StoreSurroundings>): Promise<void> {
    this.#owner = owner
    this.#copyOf = value => codec?.copy?.(value) ?? value
  }

  async close(): Promise<void> {}

  createFlowRun(run: FlowRun, options?: { readonly parameters?: unknown }): undefined {
    this.#flowRuns.set(run.id, run)
    this.#keepParameters(run, options?.parameters)
    this.#entries.push(run, run.state)
  }

  createTaskRun(run: TaskRun): undefined {
    this.#siblingsOf(run).push(run)
    this.#entries.push(run, run.state)
  }

  // Runs of one flow run come in rows: most are looked up by comparing one string with itself.
  #siblingsOf({ flowRunId }: TaskRun): TaskRun[] {
    if (this.#last?.flowRunId === flowRunId) return this.#last.siblings
    const siblings = this.#taskRuns.get(flowRunId) ?? []
    this.#taskRuns.set(flowRunId, siblings)
    this.#last = { flowRunId, siblings }
    return siblings
  }

  #keepParameters({ id }: Run, parameters: unknown): void {
    if (parameters !== undefined) this.#parameters.set(id, this.#copyOf(parameters))
  }

  appendState(run: Run, state: State, options?: StateOptions): undefined {
    this.#entries.push(run, options?.persist === false ? withoutResult(state) : this.#kept(state))
    this.#keepParameters(run, options?.parameters)
  }

  /** The state with its result as that is now: the body that gets it may change it. */
  #kept(state: State): State {
    if (state.type !== 'COMPLETED' || typeof state.result !== 'object' || state.result === null) return state
    const result = this.#copyOf(state.result)
    if (result === state.result) return state
    return state.name === 'Cached'
      ? states.cached(state.timestamp, result, state.cachedFrom)
      : states.completed(state.timestamp, result, state.message)
  }

  appendLog(entry: LogEntry): void {
    const log = this.#logs.get(entry.flowRunId)
    if (log) log.push(entry)
    else this.#logs.set(entry.flowRunId, [entry])
  }

  async listFlowRuns(filter: FlowRunFilter = {}): Promise<StoredRun<FlowRun>[]> {
    // Turned round before it is sorted: of two that were created in one millisecond the later one is the newer.
    const runs = [...this.#flowRuns.values()].filter(run => fits(run, filter)).reverse()
    runs.sort((a, b) => b.created - a.created)
    return runs.slice(0, filter.limit).map(run => this.#copy(run))
  }

  async getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    const run = this.#flowRuns.get(id)
    const parameters = this.#parameters.get(id)
    return run && { ...this.#copy(run), ...(parameters !== undefined && { parameters }) }
  }

  async listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    return (this.#taskRuns.get(flowRunId) ?? []).map(run => this.#copy(run))
  }

  async getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    for (const runs of this.#taskRuns.values()) {
      const run = runs.find(run => run.id === id)
      if (run) return this.#copy(run)
    }
    return undefined
  }

  async listLogs(flowRunId: string): Promise<LogEntry[]> {
    return [...(this.#logs.get(flowRunId) ?? [])]
  }

  getCached(key: string): CacheEntry | undefined {
    return this.#cache.get(key)
  }

  putCached(key: string, entry: CacheEntry): void {
    this.#cache.set(key, entry)
  }

  async claim(key: string, value: string, options?: { readonly after?: number }): Promise<Claim> {
    const held = this.#claims.get(key)
    const generation = held?.generation ?? 0
    if (held && options?.after !== generation) return { ...held, isNew: false }
    const claim = { value, generation: generation + 1, isOrphaned: false }
    this.#claims.set(key, claim)
    return { ...claim, isNew: true }
  }

  async unclaim(key: string, generation: number): Promise<void> {
    const held = this.#claims.get(key)
    if (held?.generation === generation) this.#claims.set(key, { ...held, isOrphaned: true })
  }

  async post(owner: string, command: Command): Promise<void> {
    const inbox = this.#inboxes.get(owner)
    if (inbox) inbox.push(command)
    else this.#inboxes.set(owner, [command])
  }

  async takePosted(owner: string): Promise<Command[]> {
    const commands = this.#inboxes.get(owner) ?? []
    this.#inboxes.delete(owner)
    return commands
  }

  #historyOf(run: Run): readonly State[] {
    for (; this.#read < this.#entries.length; this.#read += 2) {
      const owner = this.#entries[this.#read] as Run
      const state = this.#entries[this.#read + 1] as State
      const history = this.#histories.get(owner)
      if (history) history.push(state)
      else this.#histories.set(owner, [state])
    }
    return this.#histories.get(run) ?? []
  }

  #copy<R extends Run>(run: R): StoredRun<R> {
    const states = [...this.#historyOf(run)]
    return { run: { ...copyOf(run), state: states.at(-1) ?? run.state }, states, owner: this.#owner }
  }
}

function withoutResult(state: State): State {
  if (state.type !== 'COMPLETED') return state
  const marker = notPersisted(notWanted)
  return state.name === 'Cached'
    ? states.cached(state.timestamp, marker, state.cachedFrom)
    : states.completed(state.timestamp, marker, state.message)
}
