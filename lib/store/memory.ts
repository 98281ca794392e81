import type { LogEntry } from '../core/logger.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { type State, states } from '../core/state.js'
import { type CacheEntry, type Command, type FlowRunFilter, fits, type Store, type StoredRun } from '../core/store.js'
import { notWanted } from './lines.js'

/** One state of a run and those before it. A list and not an array: three states in an array take the room of 17. */
class Link {
  readonly state: State
  readonly before: Link | undefined
  constructor(state: State, before: Link | undefined) {
    this.state = state
    this.before = before
  }
}

/** A live run, the engine's own record, with its history. */
class Entry<R extends Run> {
  readonly run: R
  last: Link
  constructor(run: R) {
    this.run = run
    this.last = new Link(run.state, undefined)
  }
}

/**
 * Remembers runs as long as the process lives, and acknowledges everything at once. Runs are read as copies; the values
 * in their states are the ones that the tasks gave, not copies of them.
 */
export class MemoryStore implements Store {
  readonly name = 'memory'
  #owner = ''
  readonly #flowRuns = new Map<string, Entry<FlowRun>>()
  readonly #taskRuns = new Map<string, Entry<TaskRun>>()
  readonly #byFlowRun = new Map<string, Entry<TaskRun>[]>()
  readonly #logs = new Map<string, LogEntry[]>()
  readonly #cache = new Map<string, CacheEntry>()
  readonly #claims = new Map<string, string>()
  readonly #inboxes = new Map<string, Command[]>()

  async open(surroundings: { readonly owner: string }): Promise<void> {
    this.#owner = surroundings.owner
  }

  async close(): Promise<void> {}

  createFlowRun(run: FlowRun): undefined {
    this.#flowRuns.set(run.id, new Entry(run))
  }

  createTaskRun(run: TaskRun): undefined {
    const entry = new Entry(run)
    this.#taskRuns.set(run.id, entry)
    const siblings = this.#byFlowRun.get(run.flowRunId)
    if (siblings) siblings.push(entry)
    else this.#byFlowRun.set(run.flowRunId, [entry])
  }

  appendState(run: Run, state: State, options?: { readonly persist?: boolean | undefined }): undefined {
    const entry = run.kind === 'task-run' ? this.#taskRuns.get(run.id) : this.#flowRuns.get(run.id)
    if (entry) entry.last = new Link(options?.persist === false ? withoutResult(state) : state, entry.last)
  }

  appendLog(entry: LogEntry): void {
    const log = this.#logs.get(entry.flowRunId)
    if (log) log.push(entry)
    else this.#logs.set(entry.flowRunId, [entry])
  }

  async listFlowRuns(filter: FlowRunFilter = {}): Promise<StoredRun<FlowRun>[]> {
    // Turned round before it is sorted: of two that were created in one millisecond the later one is the newer.
    const entries = [...this.#flowRuns.values()].filter(entry => fits(entry.run, filter)).reverse()
    entries.sort((a, b) => b.run.created - a.run.created)
    return entries.slice(0, filter.limit).map(entry => this.#copy(entry))
  }

  async getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    const entry = this.#flowRuns.get(id)
    return entry && this.#copy(entry)
  }

  async listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    return (this.#byFlowRun.get(flowRunId) ?? []).map(entry => this.#copy(entry))
  }

  async getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    const entry = this.#taskRuns.get(id)
    return entry && this.#copy(entry)
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

  async claim(key: string, value: string): Promise<string> {
    const claimed = this.#claims.get(key)
    if (claimed === undefined) this.#claims.set(key, value)
    return claimed ?? value
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

  #copy<R extends Run>(entry: Entry<R>): StoredRun<R> {
    const history: State[] = []
    for (let link: Link | undefined = entry.last; link; link = link.before) history.push(link.state)
    return { run: { ...entry.run, state: entry.last.state }, states: history.reverse(), owner: this.#owner }
  }
}

function withoutResult(state: State): State {
  if (state.type !== 'COMPLETED') return state
  const marker = { notPersisted: notWanted }
  return state.name === 'Cached'
    ? states.cached(state.timestamp, marker, state.cachedFrom)
    : states.completed(state.timestamp, marker, state.message)
}
