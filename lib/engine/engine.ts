import { hostname } from 'node:os'
import { MintakaError } from '../core/errors.js'
import type { EngineEvent } from '../core/event.js'
import type { LogEntry, LogLevel } from '../core/logger.js'
import { accept, isPlain, policy, propose, type Rule, type Transition, type Verdict } from '../core/rules.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isTerminal, type State, type StateType, states } from '../core/state.js'
import type { Ack, Command, FlowRunFilter, Store, StoredRun } from '../core/store.js'
import type { Surroundings } from '../core/surroundings.js'
import { codec } from '../values/json.js'
import { Acknowledgements } from './acknowledged.js'
import { atExit } from './at-exit.js'
import { publishChange } from './channels.js'
import type { FlowDefinition } from './definitions.js'
import { Events } from './events.js'
import { idUnderKey } from './idempotency.js'
import type { LeveledLogger } from './logger.js'
import { type ResumeRequest, Resumption } from './resume.js'
import { FlowLife, type FlowStart } from './run-flow.js'
import { currentScope, outside, type Scope } from './scope.js'
import { StoreTrouble } from './store-trouble.js'

/** What an engine is made of. */
export interface EngineParts {
  readonly store: Store
  readonly logger: LeveledLogger
  readonly surroundings: Surroundings
  readonly maxFlowDepth: number
}

/** Whose line of a log it is, and what belongs to it. */
export interface LogPlace extends Pick<LogEntry, 'flowRunId' | 'taskRunId' | 'fields'> {
  readonly at?: number | undefined
}

/**
 * Where flows run: a store that remembers, rules that decide, listeners that are told. It owns every run that it
 * starts, and is done with when it is closed.
 */
export class Engine implements AsyncDisposable {
  /** Owns its runs in the store. */
  readonly id: string
  readonly store: Store
  readonly logger: LeveledLogger
  readonly surroundings: Surroundings
  readonly maxFlowDepth: number
  /** Resolves when the store is open; rejects with what it said. */
  readonly ready: Promise<void>
  readonly now: () => number
  /** Task runs whose last state is on its way to the store, with the state before it. */
  readonly acknowledgements = new Acknowledgements<State>()
  readonly #events = new Events()
  readonly #live = new Map<string, FlowLife>()
  /** Flow runs to be continued, of which it is not known yet what they are. */
  readonly #resumptions = new Set<Resumption>()
  #rules: readonly Rule[] = policy
  #hooks: readonly Rule[] = []
  readonly #trouble: StoreTrouble
  #closed: Promise<void> | undefined
  #storeClosed: Promise<void> | undefined
  #givenUp = false
  /** Runs that had not ended when the store was given up. */
  #lostRuns = 0
  #stopInbox: (() => void) | undefined
  #notAtExit: (() => void) | undefined

  constructor({ store, logger, surroundings, maxFlowDepth }: EngineParts) {
    this.store = store
    this.logger = logger
    this.surroundings = surroundings
    this.maxFlowDepth = maxFlowDepth
    this.now = surroundings.now
    this.id = surroundings.newId()
    this.#trouble = new StoreTrouble({
      store,
      surroundings,
      tell: event => this.#events.emit(event),
      giveUp: () => this.#giveUpStore(),
    })
    this.ready = store.open({
      owner: this.id,
      codec,
      warn: (message, fields) => logger.warn(message, fields),
      onDegraded: (reason, over) => this.#trouble.begins(reason, over),
    })
    this.ready.catch(() => {}) // whoever needs the store awaits it, and sees the error then
  }

  /** Whether it takes no more runs. */
  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** Starts a run, as a subflow if the running code is a flow's: those a closing engine still lets begin. */
  start(flow: FlowDefinition, parameters: readonly unknown[], scope: Scope = currentScope()): FlowLife {
    if (this.#closed && !scope.flow)
      throw new MintakaError('ENGINE_CLOSED', `Flow '${flow.name}' was called on an engine that is closed.`)
    if (flow.idempotencyKey === undefined) return this.#start(this.surroundings.newId(), flow, parameters, scope)
    const { id, previous } = idUnderKey(flow.name, flow.idempotencyKey, id => scope.flow?.done.hasFailed(id) ?? false)
    return this.#live.get(id) ?? this.#start(id, flow, parameters, scope, { previous })
  }

  /** Continues a flow run of this store that has ended, in a new one. */
  resume(request: ResumeRequest): Resumption {
    if (this.#closed) throw new MintakaError('ENGINE_CLOSED', 'A flow run was resumed on an engine that is closed.')
    const resumption = new Resumption(this, request)
    this.#resumptions.add(resumption)
    resumption.prepared.finally(() => this.#resumptions.delete(resumption))
    return resumption
  }

  /** Starts the run that continues another one. */
  continue(
    flow: FlowDefinition,
    parameters: readonly unknown[],
    id: string,
    continues: NonNullable<FlowStart['continues']>,
  ): FlowLife {
    return this.#start(id, flow, parameters, outside, { continues })
  }

  #start(
    id: string,
    flow: FlowDefinition,
    parameters: readonly unknown[],
    scope: Scope,
    how?: Pick<FlowStart, 'continues' | 'previous'>,
  ): FlowLife {
    const life = FlowLife.start(flow, parameters, { engine: this, id, scope, parent: scope.flow, ...how })
    this.#live.set(id, life)
    this.#watchInbox()
    if (this.store.leave) this.#notAtExit ??= atExit(exitCode => this.#leave(exitCode))
    life.whenOver(() => {
      this.#live.delete(id)
      if (this.#live.size > 0) return
      this.#stopInbox?.()
      this.#notAtExit?.()
      this.#notAtExit = undefined
    })
    return life
  }

  // --- what runs ask and tell

  /** What a run that would begin has to wait for: that the store can be written again. `undefined`: nothing. */
  get degraded(): Promise<void> | undefined {
    return this.#trouble.over
  }

  /** Whether rules that a user has added may decide otherwise than ours. */
  get hasAddedRules(): boolean {
    return this.#rules !== policy
  }

  /** Whether such a change need not be proposed: only the built-in rules are there, and they accept it. */
  accepts(from: StateType, to: StateType): boolean {
    return this.#rules === policy && isPlain(from, to)
  }

  propose(transition: Transition): Verdict {
    try {
      return propose(this.#rules, transition)
    } catch (error) {
      return isTerminal(transition.from) ? accept : { type: 'REJECT', state: states.crashed(transition.now, error) }
    }
  }

  created(run: FlowRun | TaskRun, options?: { readonly parameters?: unknown }): Ack {
    const ack = run.kind === 'flow-run' ? this.store.createFlowRun(run, options) : this.store.createTaskRun(run)
    this.acknowledgements.ignore(ack) // not everyone waits for it: what cannot be written is told at the end
    if (this.#events.heard) {
      const at = this.now()
      this.#events.emit(
        run.kind === 'flow-run' ? { type: 'flow-run-created', run, at } : { type: 'task-run-created', run, at },
      )
    }
    return ack
  }

  changed(run: Run, from: State, to: State): void {
    publishChange(run, from, to)
    if (this.#hooks.length > 0) this.#tellHooks({ run, from, to, now: this.now() })
    if (this.#events.heard) this.#events.emit({ type: 'state-changed', run, from, to, at: this.now() })
  }

  #tellHooks(transition: Transition): void {
    for (const { name, after } of this.#hooks) {
      try {
        after?.(transition)
      } catch (error) {
        this.logger.error(`The rule '${name}' threw after '${transition.run.name}' became ${transition.to.name}`, {
          error,
        })
      }
    }
  }

  progressed(run: TaskRun, fraction: number, note?: string): void {
    if (this.#events.heard) this.#events.emit({ type: 'progress', run, fraction, note, at: this.now() })
  }

  /** A line of a run's log: kept in the store, told to the logger and to those who listen. */
  logRun(logger: LeveledLogger, level: LogLevel, message: string, where: LogPlace): void {
    const entry = this.#entry(level, message, where)
    this.#keep(entry)
    logger[level](message, { ...where.fields, run: entry.taskRunId ?? entry.flowRunId })
    if (this.#events.heard) this.#events.emit({ type: 'log', entry, at: this.now() })
  }

  /** What a run's code has printed by itself: kept and announced, but the logger has nothing to add. */
  logPrinted(level: LogLevel, message: string, where: LogPlace): void {
    const entry = this.#entry(level, message, where)
    this.#keep(entry)
    if (this.#events.heard) this.#events.emit({ type: 'log', entry, printed: true, at: this.now() })
  }

  // Lines come from threads as well, where nobody could catch what a store throws; a line is not worth a run.
  #keep(entry: LogEntry): void {
    try {
      this.store.appendLog(entry)
    } catch (error) {
      this.logger.error('The store refused a line of a log', { error, line: entry.message })
    }
  }

  #entry(level: LogLevel, message: string, { flowRunId, taskRunId, fields, at }: LogPlace): LogEntry {
    return { flowRunId, taskRunId, level, message, fields, timestamp: at ?? this.now() }
  }

  // --- what users ask

  get flowRuns() {
    return {
      list: async (filter?: FlowRunFilter): Promise<StoredRun<FlowRun>[]> => {
        await this.ready
        return this.store.listFlowRuns(filter)
      },
      get: async (id: string): Promise<StoredRun<FlowRun> | undefined> => {
        await this.ready
        return this.store.getFlowRun(id)
      },
    }
  }

  get taskRuns() {
    return {
      list: async (flowRunId: string): Promise<StoredRun<TaskRun>[]> => {
        await this.ready
        return this.store.listTaskRuns(flowRunId)
      },
      get: async (id: string): Promise<StoredRun<TaskRun> | undefined> => {
        await this.ready
        return this.store.getTaskRun(id)
      },
    }
  }

  async logs(flowRunId: string): Promise<LogEntry[]> {
    await this.ready
    return this.store.listLogs(flowRunId)
  }

  events(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<EngineEvent> {
    return this.#events.iterate(options.signal)
  }

  listen(listener: (event: EngineEvent) => void): () => void {
    return this.#events.listen(listener)
  }

  use(rule: Rule): void {
    if (typeof rule.name !== 'string' || (rule.decide === undefined && rule.after === undefined)) {
      throw new MintakaError(
        'INVALID_ARGUMENT',
        'A rule is { name, decide?, after? } with at least one of the two functions.',
      )
    }
    if (rule.decide) this.#rules = [...this.#rules, rule]
    if (rule.after) this.#hooks = [...this.#hooks, rule]
  }

  /** Cancels a flow run, of this engine or of another that shares the store. */
  async cancel(id: string, reason?: string): Promise<void> {
    const life = this.#live.get(id)
    if (life) return life.cancel(reason)
    await this.ready
    const stored = await this.store.getFlowRun(id)
    if (!stored) throw new MintakaError('NOT_FOUND', `There is no flow run '${id}' in the store.`)
    if (!isTerminal(stored.run.state)) await this.store.post(stored.owner, { type: 'cancel', runId: id, reason })
  }

  /**
   * Waits until every run has ended, then closes the store. After `timeoutMs` what still runs is cancelled: a second call
   * may be less patient than the first. A store that cannot be written is given up after `timeoutMs`, or 5 s: what waits
   * for it ends CRASHED, and this rejects with what it says could not be saved.
   */
  close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    this.#closed ??= this.#close()
    this.#trouble.closing(options.timeoutMs)
    if (options.timeoutMs !== undefined) this.#cancelAfter(options.timeoutMs, this.#closed)
    return this.#closed
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#resumptions].map(({ prepared }) => prepared))
    const lives = [...this.#live.values()].filter(life => life.record.parentFlowRunId === undefined)
    await Promise.all(lives.map(life => new Promise<void>(resolve => life.whenOver(resolve))))
    this.#stopInbox?.()
    if (this.#lostRuns > 0) this.logger.error(lostRuns(this.#lostRuns))
    this.#events.end()
    const isOpen = this.ready.then(
      () => true,
      () => false,
    )
    if (await isOpen) await this.#closeStore()
  }

  #closeStore(): Promise<void> {
    this.#trouble.storeCloses()
    this.#storeClosed ??= this.store.close({ abandoned: this.#givenUp })
    return this.#storeClosed
  }

  /** Whether the store was closed before the runs had ended: whoever closes the engine is told why. */
  get hasGivenUp(): boolean {
    return this.#givenUp
  }

  /** A run could not be carried to its end. Of many that lose their store at once the number is told, when they have all ended. */
  lost(what: string, error: unknown): void {
    if (this.#givenUp) this.#lostRuns += 1
    else this.logger.error(`${what} was lost`, { error })
  }

  #giveUpStore(): void {
    this.#givenUp = true
    for (const life of this.#live.values()) life.cancel('the store cannot be written')
    this.#closeStore().catch(() => {}) // told to those who wait for the end of the engine
  }

  /** The process ends, and with it the runs that go on: the store is told as long as there is time. */
  #leave(exitCode: number): void {
    const end = { pid: process.pid, host: hostname(), exitCode }
    for (const life of this.#live.values()) if (!life.parent) life.leave(end)
    this.store.leave?.()
  }

  #cancelAfter(ms: number, closed: Promise<void>): void {
    const stop = this.surroundings.timer(ms, () => {
      for (const life of [...this.#live.values(), ...this.#resumptions]) life.cancel('the engine is closing')
    })
    closed.then(stop, stop)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // --- commands from other processes

  #watchInbox(): void {
    if (this.#stopInbox) return
    const timer = setInterval(() => void this.#readInbox(), inboxEveryMs)
    timer.unref()
    this.#stopInbox = () => {
      clearInterval(timer)
      this.#stopInbox = undefined
    }
  }

  async #readInbox(): Promise<void> {
    try {
      await this.ready
      for (const command of await this.store.takePosted(this.id)) this.#obey(command)
    } catch (error) {
      this.logger.warn('The inbox could not be read', { error })
    }
  }

  #obey(command: Command): void {
    this.#live.get(command.runId)?.cancel(command.reason)
  }
}

const inboxEveryMs = 500

function lostRuns(count: number): string {
  return `${count} ${count === 1 ? 'run was' : 'runs were'} lost: the store was given up before they had ended.`
}
