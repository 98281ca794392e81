import { type Annotations, mergeAnnotations } from '../core/annotations.js'
import type { TaskContext } from '../core/context.js'
import { asError, MintakaError } from '../core/errors.js'
import type { Call, Outcome } from '../core/executor.js'
import { isFuture } from '../core/future.js'
import type { LogLevel } from '../core/logger.js'
import { enter, type TaskRun } from '../core/run.js'
import { type Completed, isSettled, isState, isTerminal, type SettledState, type State, states } from '../core/state.js'
import { hashValue } from '../values/hash.js'
import type { TaskDefinition } from './definitions.js'
import { type Inputs, takeInputs, whenAllSettled, withValues } from './inputs.js'
import { Life, upstreamError } from './life.js'
import type { FlowLife } from './run-flow.js'
import { type Scope, scopes, unite } from './scope.js'
import { taskKeyOf, versionOf } from './source.js'

/**
 * The life of a task run: it takes its turn, waits for its inputs, and is attempted until a state settles it. What may
 * happen is decided in core; here it is only done: told to the store, to those who listen and to those who wait.
 */
export class TaskLife extends Life {
  readonly record: TaskRun
  readonly #flow: FlowLife
  readonly #task: TaskDefinition
  readonly #scope: Scope
  #inputs: Inputs | undefined
  /** When the next attempt may begin: after a retry delay, or when a rule said WAIT. */
  #notBefore = 0
  #wake: (() => void) | undefined
  #call: TaskCall | undefined
  #cancelled: MintakaError | undefined
  #timedOut: MintakaError | undefined
  #cacheKey: string | undefined
  #reuseKey: string | undefined

  static start(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope): TaskLife {
    const life = new TaskLife(flow, task, args, scope)
    void life.#live()
    return life
  }

  private constructor(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope) {
    super()
    this.#flow = flow
    this.#task = task
    this.#scope = scope
    this.#inputs = takeInputs(args, task.waitFor, String)
    const key = keyOf(task)
    const { id, dynamicKey } = flow.number(key)
    const now = flow.engine.now()
    this.record = {
      kind: 'task-run',
      id,
      name: task.runName ?? `${task.name}-${key.slice(0, 8)}-${dynamicKey}`,
      flowRunId: flow.record.id,
      taskName: task.name,
      taskKey: key,
      dynamicKey,
      created: now,
      tags: unite(task.tags, scope.tags),
      inputs: this.#inputs.described,
      state: states.pending(now),
      startTime: undefined,
      endTime: undefined,
      totalRunTimeMs: 0,
      runCount: 0,
      childFlowRunId: undefined,
    }
    flow.adopt(this)
    flow.engine.created(this.record)
    if (task.signal) this.#obey(task.signal)
  }

  async #live(): Promise<void> {
    // Asked for before anything is awaited: turns are taken in call order.
    const release = await this.#flow.session.turn?.()
    try {
      if (this.#inputs?.upstream.length || this.#inputs?.allowed.length) await this.#inputsArrive()
      while (!this.settled) {
        if (this.#notBefore > 0) await this.#pause()
        if (!this.settled) await this.#attempt()
      }
    } catch (error) {
      this.#lose(error)
    } finally {
      this.#inputs = undefined
      release?.()
    }
  }

  /** Waits until every upstream run has settled; one that did not complete puts this run to rest in NotReady. */
  async #inputsArrive(): Promise<void> {
    const { upstream, allowed } = this.#inputs as Inputs
    await new Promise<void>(resolve => {
      this.#wake = resolve
      whenAllSettled([...upstream, ...allowed], resolve)
    })
    if (this.settled) return
    const failed = upstream.find(({ state }) => state.type !== 'COMPLETED')
    if (!failed) return
    const error = upstreamError(this.record.name, failed, failed.state)
    await this.#propose(states.notReady(this.#flow.engine.now(), failed.id, error, error.message))
  }

  /** Waits for the time of the next attempt, or until the run is cancelled. */
  async #pause(): Promise<void> {
    const { engine } = this.#flow
    while (!this.settled && engine.now() < this.#notBefore) {
      await new Promise<void>(resolve => {
        const stop = engine.surroundings.timer(this.#notBefore - engine.now(), resolve)
        this.#wake = () => {
          stop()
          resolve()
        }
      })
    }
    this.#notBefore = 0
  }

  async #attempt(): Promise<void> {
    const { session, logger } = this.#flow
    if (session.where === 'elsewhere' && !(await this.mayRun())) return
    if (logger.enabled('info')) logger.info(`Task run '${this.record.name}' submitted`)
    const call = new TaskCall(this, this.#flow, this.#task, this.record, this.#arguments())
    this.#call = call
    const outcome = await this.#carryOut(call)
    this.#call = undefined
    call.end()
    if (this.settled || call.refused) return
    if (this.record.state.type !== 'RUNNING' && outcome.type !== 'stopped') this.started()
    const stored = this.#propose(this.#stateAfter(outcome))
    if (stored) await stored
  }

  async #carryOut(call: TaskCall): Promise<Outcome> {
    try {
      const submitted = this.#flow.session.submit(call)
      return await (this.#task.timeoutMs === undefined ? submitted : Promise.race([submitted, call.overdue]))
    } catch (cause) {
      const what = `The executor '${this.#flow.executorName}' failed to carry out '${this.record.name}'`
      return {
        type: 'crashed',
        error: new MintakaError('EXECUTOR_FAILED', `${what}: ${asError(cause).message}`, { cause }),
      }
    }
  }

  // The snapshot is ours, but a body may change its arguments: each attempt that could be followed by another gets a copy.
  #arguments(): readonly unknown[] {
    const { args, upstream, allowed } = this.#inputs as Inputs
    const asTaken = upstream.length === 0 && allowed.length === 0 && this.#task.retries === 0
    return asTaken ? args : withValues(args)
  }

  #stateAfter(outcome: Outcome): State {
    const now = this.#flow.engine.now()
    if (this.#cancelled) return states.cancelled(now, this.#cancelled)
    if (this.#timedOut) return states.timedOut(now, this.#timedOut)
    switch (outcome.type) {
      case 'returned':
        return isState(outcome.value) && isTerminal(outcome.value)
          ? outcome.value
          : states.completed(now, outcome.value)
      case 'threw':
        return states.failed(now, outcome.error)
      case 'crashed':
        return states.crashed(now, outcome.error)
      case 'stopped': {
        const what = `The executor '${this.#flow.executorName}' stopped '${this.record.name}', which nobody had asked for`
        return states.crashed(now, new MintakaError('EXECUTOR_FAILED', `${what}.`))
      }
    }
  }

  /** Whether the attempt may begin: asks the rules about RUNNING, with the cached result if there is one. */
  mayRun(): boolean | Promise<boolean> {
    return this.#task.cacheKey !== undefined || this.#flow.reuses ? this.#mayRunUnlessDone() : this.#admit(undefined)
  }

  async #mayRunUnlessDone(): Promise<boolean> {
    try {
      const done = this.#flow.takeDone(this.#computeReuseKey()) ?? (await this.#cached())
      return this.#admit(done)
    } catch (error) {
      await this.#propose(states.failed(this.#flow.engine.now(), error))
      return false
    }
  }

  #admit(cached: Completed | undefined): boolean | Promise<boolean> {
    if (this.settled || this.#cancelled) return false
    const { engine } = this.#flow
    const now = engine.now()
    const verdict = engine.propose({
      run: this.record,
      from: this.record.state,
      to: states.running(now, this.record.runCount + 1),
      now,
      cached,
    })
    if (verdict.type === 'ACCEPT') return true
    if (verdict.type === 'WAIT') this.#notBefore = verdict.until
    else if (verdict.type === 'ABORT') this.settleAborted(now, verdict.reason)
    else return this.#enter(verdict.state)?.then(() => false) ?? false
    return false
  }

  async #cached(): Promise<Completed | undefined> {
    this.#cacheKey = this.#computeCacheKey()
    if (this.#cacheKey === undefined) return undefined
    const { store, now } = this.#flow.engine
    const entry = await store.getCached(this.#cacheKey)
    if (!entry || (entry.expires !== undefined && entry.expires <= now())) return undefined
    return states.cached(entry.state.timestamp, entry.state.result, entry.runId)
  }

  #computeCacheKey(): string | undefined {
    const { cacheKey, name, code } = this.#task
    const { taskKey, tags } = this.record
    const args = this.#arguments()
    if (typeof cacheKey === 'function') {
      return cacheKey({ taskName: name, taskKey, flowName: this.#flow.record.flowName, tags }, args)
    }
    if (cacheKey === undefined) return undefined
    return hashValue([
      taskKey,
      codeVersion(this.#task),
      code.source.type === 'slice' ? code.source.captures : undefined,
      args,
    ])
  }

  /** What an earlier attempt of the flow did under the same key need not be done again. */
  #computeReuseKey(): string | undefined {
    if (!this.#flow.reuses) return undefined
    this.#reuseKey ??= hashValue([this.record.taskKey, this.#arguments()])
    return this.#reuseKey
  }

  /** The worker has begun. */
  started(at = this.#flow.engine.now()): void {
    if (this.settled || this.record.state.type === 'RUNNING') return
    this.#enter(states.running(at, this.record.runCount + 1))
    if (this.#cancelled) this.#startCancelling(this.#cancelled)
  }

  /** The deadline of the running attempt has passed. */
  outOfTime(timeoutMs: number): void {
    if (this.settled || this.#cancelled) return
    const name = this.record.name
    this.#timedOut = new MintakaError('TIMED_OUT', `'${name}' took longer than its ${timeoutMs} ms.`, { timeoutMs })
    this.#call?.abort(this.#timedOut)
    if (this.#flow.session.where === 'here') {
      const note =
        'what runs in this process cannot be stopped: it keeps its slot until it ends, and its result is dropped'
      this.#flow.logger.warn(`'${name}' took longer than its ${timeoutMs} ms; ${note}`, { taskRunId: this.record.id })
    }
  }

  get annotations(): Annotations | undefined {
    return mergeAnnotations(this.#scope.annotations, this.#task.annotations)
  }

  /**
   * Asks the run to stop. Before it runs, it is CANCELLED at once; while it runs, it is Cancelling until its code has
   * stopped.
   */
  cancel(reason?: string): void {
    if (this.settled || this.#cancelled) return
    const why = reason === undefined ? '' : `: ${reason}`
    this.#cancelled = new MintakaError('CANCELLED', `'${this.record.name}' was cancelled${why}.`, { reason })
    if (this.record.state.type === 'RUNNING') this.#startCancelling(this.#cancelled)
    else if (this.#call && this.#flow.session.where === 'elsewhere') this.#call.abort(this.#cancelled)
    else this.#propose(states.cancelled(this.#flow.engine.now(), this.#cancelled))?.catch(error => this.#lose(error))
    this.#wake?.()
  }

  #startCancelling(why: MintakaError): void {
    this.#enter(states.cancelling(this.#flow.engine.now(), this.record.runCount, why.message))
    this.#call?.abort(why)
    if (this.#flow.session.where === 'here') {
      this.#flow.logger.info(`'${this.record.name}' was asked to stop; it is cancelled when its code ends`)
    }
  }

  #obey(signal: AbortSignal): void {
    const cancel = () => this.cancel(signal.reason === undefined ? undefined : asError(signal.reason).message)
    if (signal.aborted) return cancel()
    signal.addEventListener('abort', cancel, { once: true })
    this.whenSettled(() => signal.removeEventListener('abort', cancel))
  }

  /**
   * Proposes a state that the run wants to be in, and enters what the rules make of it. Gives a promise only if there
   * is something to wait for: a hundred thousand runs would feel it.
   */
  #propose(to: State): Promise<void> | undefined {
    const { engine } = this.#flow
    const now = engine.now()
    const verdict = engine.propose({ run: this.record, from: this.record.state, to, now, retry: this.#task })
    if (verdict.type === 'ACCEPT') return this.#enter(to)
    if (verdict.type === 'REJECT') return this.#enter(verdict.state)
    if (verdict.type === 'WAIT') return this.#proposeAgain(to, verdict.until - now)
    this.settleAborted(now, verdict.reason)
    return undefined
  }

  async #proposeAgain(to: State, ms: number): Promise<void> {
    await new Promise<void>(resolve => void this.#flow.engine.surroundings.timer(ms, resolve))
    if (!this.settled) await this.#propose(to)
  }

  #enter(state: State): Promise<void> | undefined {
    const { engine } = this.#flow
    const from = this.record.state
    enter(this.record, state)
    const ack = engine.store.appendState(this.record, state, { persist: this.#task.persistResult })
    if (!isSettled(state)) {
      if (state.name === 'AwaitingRetry') this.#retryAt(state.scheduledTime)
      engine.changed(this.record, from, state)
      return undefined
    }
    if (state.name === 'Completed') this.#remember(state)
    if (ack) return ack.then(() => this.#end(from, state))
    this.#end(from, state)
    return undefined
  }

  #end(from: State, state: SettledState): void {
    this.settle(state)
    this.#flow.engine.changed(this.record, from, state)
    this.#logEnd(state)
  }

  #retryAt(time: number): void {
    this.#notBefore = time
    this.#timedOut = undefined
  }

  #remember(state: Completed): void {
    if (this.#reuseKey !== undefined || this.#flow.keepsDone) this.#flow.keepDone(this.#keyToKeep(), state)
    if (this.#cacheKey === undefined) return
    const { cacheForMs } = this.#task
    const expires = cacheForMs === undefined ? undefined : state.timestamp + cacheForMs
    const { engine } = this.#flow
    const warn = (error: unknown) => engine.logger.warn(`The result of '${this.record.name}' was not cached`, { error })
    try {
      const put = engine.store.putCached(this.#cacheKey, { state, expires, runId: this.record.id })
      if (put) put.catch(warn)
    } catch (error) {
      warn(error)
    }
  }

  #keyToKeep(): string | undefined {
    this.#reuseKey ??= this.#inputs && hashValue([this.record.taskKey, this.#arguments()])
    return this.#reuseKey
  }

  #logEnd(state: State): void {
    const { logger } = this.#flow
    const level = state.type === 'COMPLETED' ? 'info' : 'error'
    if (!logger.enabled(level)) return
    const why = state.message === undefined ? '' : `: ${state.message}`
    logger[level](`Task run '${this.record.name}' finished in state ${state.name}${why}`)
  }

  /** The store refused, or we have a defect: the run must settle all the same. */
  #lose(error: unknown): void {
    if (!this.settled) this.settle(states.crashed(this.#flow.engine.now(), error))
    this.#flow.logger.error(`'${this.record.name}' was lost`, { error })
  }

  /** Runs the function here. */
  execute(args: readonly unknown[], call: TaskCall): Outcome | Promise<Outcome> {
    call.started()
    let context: TaskContext | undefined
    const task = () => (context ??= contextOf(this.#flow, call))
    const scope: Scope = { ...this.#scope, task, taskName: this.#task.name }
    try {
      const value = scopes.run(scope, () => this.#task.code.fn(...(args as never[])))
      if (typeof value !== 'object' || value === null) return { type: 'returned', value }
      if ('then' in value && typeof value.then === 'function') return settle(value as unknown as PromiseLike<unknown>)
      if (Array.isArray(value) && value.some(item => typeof item === 'object' && item !== null && isFuture(item))) {
        return settle(Promise.all(value))
      }
      return { type: 'returned', value }
    } catch (error) {
      return { type: 'threw', error }
    }
  }
}

async function settle(value: PromiseLike<unknown>): Promise<Outcome> {
  try {
    return { type: 'returned', value: await value }
  } catch (error) {
    return { type: 'threw', error }
  }
}

const stopped: Outcome = { type: 'stopped' }

/** One attempt, as the executor sees it. */
class TaskCall implements Call {
  readonly attempt: number
  readonly args: readonly unknown[]
  /** The rules did not let it begin. */
  refused = false
  readonly #life: TaskLife
  readonly #flow: FlowLife
  readonly #task: TaskDefinition
  readonly #record: TaskRun
  #controller: AbortController | undefined
  #reason: MintakaError | undefined
  #stopTimer: (() => void) | undefined
  #giveUp: ((outcome: Outcome) => void) | undefined

  constructor(life: TaskLife, flow: FlowLife, task: TaskDefinition, record: TaskRun, args: readonly unknown[]) {
    this.#life = life
    this.#flow = flow
    this.#task = task
    this.#record = record
    this.args = args
    this.attempt = record.runCount + 1
  }

  get id(): string {
    return this.#record.id
  }
  get name(): string {
    return this.#record.name
  }
  get flowRunId(): string {
    return this.#record.flowRunId
  }
  get tags(): readonly string[] {
    return this.#record.tags
  }
  get task() {
    return this.#task.code
  }
  get annotations() {
    return this.#life.annotations
  }
  get timeoutMs(): number | undefined {
    return this.#task.timeoutMs
  }
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: MintakaError): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  get stopReason(): MintakaError | undefined {
    return this.#reason
  }

  run(args = this.args): Outcome | Promise<Outcome> {
    const may = this.#life.mayRun()
    if (may === true) return this.#life.execute(args, this)
    if (may === false) return this.#refuse()
    return may.then(yes => (yes ? this.#life.execute(args, this) : this.#refuse()))
  }

  #refuse(): Outcome {
    this.refused = true
    return stopped
  }

  started(at?: number): void {
    this.#life.started(at)
    const { timeoutMs } = this.#task
    if (timeoutMs === undefined || this.#stopTimer) return
    this.#stopTimer = this.#flow.engine.surroundings.timer(timeoutMs, () => {
      this.#life.outOfTime(timeoutMs)
      if (this.#flow.session.where === 'here') this.#giveUp?.(stopped)
    })
  }

  /** Resolves when the deadline has passed, for code that cannot be stopped. */
  get overdue(): Promise<Outcome> {
    return new Promise(resolve => {
      this.#giveUp = resolve
    })
  }

  /** The attempt is over: its deadline no longer counts. */
  end(): void {
    this.#stopTimer?.()
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, at?: number): void {
    this.#flow.engine.logRun(this.#flow.logger, level, message, {
      flowRunId: this.#record.flowRunId,
      taskRunId: this.#record.id,
      fields,
      at,
    })
  }

  progress(fraction: number, note?: string): void {
    this.#flow.engine.progressed(this.#record, fraction, note)
  }
}

function contextOf(flow: FlowLife, call: TaskCall): TaskContext {
  const write = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    call.log(level, message, fields)
  return {
    taskRunId: call.id,
    taskRunName: call.name,
    flowRunId: flow.record.id,
    attempt: call.attempt,
    tags: call.tags,
    get signal() {
      return call.signal
    },
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    progress: (fraction, note) => call.progress(fraction, note),
    throwIfCancelled() {
      if (call.stopReason) throw call.stopReason
    },
  }
}

const keys = new WeakMap<TaskDefinition, string>()

/** The task key of a definition; see `taskKeyOf`. */
export function keyOf(task: TaskDefinition): string {
  let key = keys.get(task)
  if (key === undefined) {
    const { source } = task.code
    const file = source.type === 'slice' ? source.file : source.url
    key = taskKeyOf(file, task.name, task.tags)
    keys.set(task, key)
  }
  return key
}

/** Edited code must miss the cache: any change of its file counts, of the function's text where there is no file. */
function codeVersion({ code }: TaskDefinition): string {
  const file = code.source.type === 'slice' ? code.source.file : undefined
  return versionOf(file) ?? String(code.fn)
}
