import { type Annotations, mergeAnnotations } from '../core/annotations.js'
import { asError, MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { onAbort } from '../core/on-abort.js'
import { enter } from '../core/run.js'
import { type Completed, isSettled, isState, isTerminal, type SettledState, type State, states } from '../core/state.js'
import { upstreamError } from '../core/upstream.js'
import { type AttemptArguments, argumentsElsewhere, argumentsHere, argumentsToLookAt } from './attempt-arguments.js'
import type { TaskDefinition } from './definitions.js'
import { type Edges, type Inputs, noInputs, takeInputs, whenAllSettled } from './inputs.js'
import { cancelledError, Life } from './life.js'
import type { FlowLife } from './run-flow.js'
import { type Scope, scopes } from './scope.js'
import { stopped, TaskCall } from './task-call.js'
import { cacheKeyOf, reuseKeyOf } from './task-keys.js'
import { TaskRecord } from './task-record.js'

/**
 * The life of a task run: it takes its turn, waits for its inputs, and is attempted until a state settles it. What may
 * happen is decided in core; here it is only done: told to the store, to those who listen and to those who wait.
 *
 * A flow may start a hundred thousand at once, so the common way (nothing to wait for, one attempt) is taken by plain
 * calls; only those that wait have a promise to wait with.
 */
export class TaskLife extends Life {
  readonly record: TaskRecord
  readonly flow: FlowLife
  readonly task: TaskDefinition
  readonly #scope: Scope
  /** Its arguments as they were at the call, futures still in place. */
  #inputs: Inputs
  /** The attempt that is being carried out. */
  #call: TaskCall | undefined
  /** When the next attempt may begin: after a retry delay, or when a rule said WAIT. */
  #notBefore: number | undefined
  #wake: (() => void) | undefined
  #cancelled: MintakaError | undefined
  #timedOut: MintakaError | undefined
  #keys: { cache?: string | undefined; reuse?: string | undefined } | undefined
  /** Gives the turn back, on executors that give turns. */
  #release: (() => void) | undefined
  #bodies = 0
  /** The next attempt waits for the body of one that ran out of time: there is one turn, and that body has it. */
  #waitsForBody = false

  static start(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope): TaskLife {
    const life = new TaskLife(flow, task, args, scope)
    life.#begin()
    return life
  }

  private constructor(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope) {
    super()
    this.flow = flow
    this.task = task
    this.#scope = scope
    const inputs = takeInputs(args, task.waitFor, undefined, flow.session.where)
    this.#inputs = inputs
    const calls = flow.calls.of(task, scope.tags)
    this.record = new TaskRecord(
      calls,
      flow.calls.next(),
      calls.counter.count++,
      states.pending(flow.engine.now()),
      inputs,
    )
    flow.children.adopt(this)
    flow.engine.created(this.record)
    if (task.signal) this.#obey(task.signal)
  }

  /** Whether nothing will follow: the run has settled, or is about to, once the store has acknowledged its last state. */
  get #ended(): boolean {
    return this.settled !== undefined || isSettled(this.record.state)
  }

  /** Turns are asked for before anything is awaited: they are taken in call order. */
  #begin(): void {
    const turn = this.flow.session.turn?.()
    if (turn || this.#inputs.edges) void this.#arrive(turn)
    else this.#submit()
  }

  async #arrive(turn: Promise<() => void> | undefined): Promise<void> {
    try {
      if (turn) this.#release = await turn
      if (this.#inputs.edges) await this.#inputsArrive(this.#inputs.edges)
      if (this.settled) this.#giveTurnBack()
      else this.#submit()
    } catch (error) {
      this.#lose(error)
    }
  }

  /** Waits until every upstream run has settled; one that did not complete puts this run to rest in NotReady. */
  async #inputsArrive({ upstream, allowed }: Edges): Promise<void> {
    await new Promise<void>(resolve => {
      this.#wake = resolve
      whenAllSettled([...upstream, ...allowed], resolve)
    })
    if (this.#ended) return
    const failed = upstream.find(({ state }) => state.type !== 'COMPLETED')
    if (!failed) return
    const error = upstreamError(this.record.name, failed, failed.state)
    await this.#propose(states.notReady(this.flow.engine.now(), failed.id, error, error.message))
  }

  /** Hands an attempt to the executor. What starts work elsewhere is asked for its verdict first. */
  #submit(): void {
    if (this.#ended) return
    if (this.#release && this.#bodies > 0) {
      this.#waitsForBody = true
      return
    }
    const may = this.flow.session.where === 'elsewhere' ? this.mayRun() : true
    if (may === true) this.#handOver()
    else if (may === false) this.#tryLater()
    else may.then(yes => (yes && !this.#ended ? this.#handOver() : this.#tryLater())).catch(error => this.#lose(error))
  }

  #handOver(): void {
    const { logger, session } = this.flow
    if (logger.enabled('info')) logger.info(`Task run '${this.record.name}' submitted`)
    const call = new TaskCall(this, this.#arguments())
    this.#call = call
    try {
      const submitted = session.submit(call)
      if (submitted) this.#follow(call, submitted)
      else call.reports = true // or its session does, which is elsewhere
    } catch (cause) {
      this.#executorFailed(call, cause)
    }
  }

  // Apart, so that a call which reports its own end makes no closures.
  #follow(call: TaskCall, submitted: Promise<Outcome>): void {
    submitted.then(
      outcome => this.ended(call, outcome),
      cause => this.#executorFailed(call, cause),
    )
  }

  #executorFailed(call: TaskCall, cause: unknown): void {
    const what = `The executor '${this.flow.executorName}' failed to carry out '${this.record.name}'`
    const error = new MintakaError('EXECUTOR_FAILED', `${what}: ${asError(cause).message}`, { cause })
    this.ended(call, { type: 'crashed', error })
  }

  /** Whether that attempt is the one that is being carried out: one that was given up, or is over, is not heard. */
  isUnderWay(call: TaskCall): boolean {
    return this.#call === call
  }

  /** The attempt is over. One that was given up, because it ran out of time, ends unheard. */
  ended(call: TaskCall, outcome: Outcome): void {
    call.end()
    if (this.#call !== call) return
    this.#call = undefined
    if (this.#ended) return
    try {
      if (call.refused) return this.#tryLater()
      if (this.record.state.type !== 'RUNNING' && outcome.type !== 'stopped') this.started()
      const now = this.flow.engine.now()
      const stored = this.#propose(this.#stateAfter(outcome, now), now)
      if (stored) stored.then(() => this.#tryLater()).catch(error => this.#lose(error))
      else this.#tryLater()
    } catch (error) {
      this.#lose(error)
    }
  }

  /** Submits again once the time has come, if there is to be another attempt. */
  #tryLater(): void {
    if (this.#notBefore !== undefined && !this.#ended) void this.#pause(this.#notBefore).then(() => this.#submit())
  }

  /** Waits for the time of the next attempt, or until the run is cancelled. */
  async #pause(until: number): Promise<void> {
    const { engine } = this.flow
    while (!this.#ended && !this.#cancelled && engine.now() < until) {
      await new Promise<void>(resolve => {
        const stop = engine.surroundings.timer(until - engine.now(), resolve)
        this.#wake = () => {
          stop()
          resolve()
        }
      })
    }
    this.#notBefore = undefined
  }

  /** The arguments of the next attempt. */
  #arguments(): AttemptArguments {
    const { flow, task, record } = this
    const again = record.runCount < task.retries || flow.engine.hasAddedRules
    if (flow.session.where === 'here') {
      return { args: argumentsHere(this.#inputs, again || flow.done.keeps), shared: undefined }
    }
    // What has been moved away has no key any more.
    if (!again && flow.done.keeps && this.#inputs.owned) this.#computeReuseKey()
    return argumentsElsewhere(this.#inputs, again)
  }

  #stateAfter(outcome: Outcome, now: number): State {
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
        const what = `The executor '${this.flow.executorName}' stopped '${this.record.name}', which nobody had asked for`
        return states.crashed(now, new MintakaError('EXECUTOR_FAILED', `${what}.`))
      }
    }
  }

  /** Whether the attempt may begin: asks the rules about RUNNING, with the cached result if there is one. */
  mayRun(): boolean | Promise<boolean> {
    if (this.#ended || this.#cancelled) return false
    const asks = this.record.runCount === 0 && (this.task.cacheKey !== undefined || this.flow.done.offers)
    return asks ? this.#mayRunUnlessDone() : this.#admit(undefined)
  }

  async #mayRunUnlessDone(): Promise<boolean> {
    try {
      const done = this.flow.done.offers ? this.flow.done.take(this.#computeReuseKey()) : undefined
      const cached = done ?? (await this.#cached())
      return this.#ended || this.#cancelled ? false : this.#admit(cached)
    } catch (error) {
      await this.#propose(states.failed(this.flow.engine.now(), error))
      return false
    }
  }

  #admit(cached: Completed | undefined): boolean | Promise<boolean> {
    const { engine } = this.flow
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
    const key = cacheKeyOf(this.task, this.record, this.flow.record.flowName, argumentsToLookAt(this.#inputs))
    if (key === undefined) return undefined
    this.#keys = { ...this.#keys, cache: key }
    const { store, now } = this.flow.engine
    const entry = await store.getCached(key)
    if (!entry || (entry.expires !== undefined && entry.expires <= now())) return undefined
    return states.cached(entry.state.timestamp, entry.state.result, entry.runId)
  }

  /** What an earlier attempt of the flow did under the same key need not be done again. */
  #computeReuseKey(): string | undefined {
    this.#keys ??= {}
    this.#keys.reuse ??= reuseKeyOf(this.task, this.record.taskKey, argumentsToLookAt(this.#inputs))
    return this.#keys.reuse
  }

  /** The worker has begun. */
  started(at = this.flow.engine.now()): void {
    if (this.#ended || this.record.state.type === 'RUNNING') return
    this.#enter(states.running(at, this.record.runCount + 1))
    if (this.#cancelled) this.#startCancelling(this.#cancelled)
  }

  /** The deadline of the running attempt has passed. */
  outOfTime(timeoutMs: number): void {
    if (this.#ended || this.#cancelled) return
    const name = this.record.name
    this.#timedOut = new MintakaError('TIMED_OUT', `'${name}' took longer than its ${timeoutMs} ms.`, { timeoutMs })
    this.#call?.abort(this.#timedOut)
    if (this.flow.session.where === 'here') {
      const note =
        'what runs in this process cannot be stopped: it keeps its slot until it ends, and its result is dropped'
      this.flow.logger.warn(`'${name}' took longer than its ${timeoutMs} ms; ${note}`, { taskRunId: this.record.id })
      if (this.#call) this.ended(this.#call, stopped)
    }
  }

  override get keepsResult(): boolean {
    return this.task.cacheKey !== undefined || this.flow.done.keeps
  }

  get annotations(): Annotations | undefined {
    return mergeAnnotations(this.#scope.annotations, this.task.annotations)
  }

  /**
   * Asks the run to stop. Before it runs, it is CANCELLED at once; while it runs, it is Cancelling until its code has
   * stopped.
   */
  cancel(reason?: string): void {
    if (this.#cancelled || isSettled(this.record.state)) return
    this.#cancelled = cancelledError(`'${this.record.name}'`, reason)
    if (this.record.state.type === 'RUNNING') this.#startCancelling(this.#cancelled)
    else if (this.#call && this.flow.session.where === 'elsewhere') this.#call.abort(this.#cancelled)
    else this.#propose(states.cancelled(this.flow.engine.now(), this.#cancelled))?.catch(error => this.#lose(error))
    this.#wake?.()
  }

  #startCancelling(why: MintakaError): void {
    this.#enter(states.cancelling(this.flow.engine.now(), this.record.runCount, why.message))
    this.#call?.abort(why)
    if (this.flow.session.where === 'here') {
      this.flow.logger.info(`'${this.record.name}' was asked to stop; it is cancelled when its code ends`)
    }
  }

  #obey(signal: AbortSignal): void {
    const cancel = () => this.cancel(signal.reason === undefined ? undefined : asError(signal.reason).message)
    if (signal.aborted) return cancel()
    this.whenSettled(onAbort(signal, cancel))
  }

  /**
   * Proposes a state that the run wants to be in, and enters what the rules make of it. Gives a promise only if there
   * is something to wait for: a hundred thousand runs would feel it.
   */
  #propose(to: State, now = to.timestamp): Promise<void> | undefined {
    const { engine } = this.flow
    const verdict = engine.propose({ run: this.record, from: this.record.state, to, now, retry: this.task })
    if (verdict.type === 'ACCEPT') return this.#enter(to)
    if (verdict.type === 'REJECT') return this.#enter(verdict.state)
    if (verdict.type === 'WAIT') return this.#proposeAgain(to, verdict.until - now)
    this.settleAborted(now, verdict.reason)
    return undefined
  }

  async #proposeAgain(to: State, ms: number): Promise<void> {
    await new Promise<void>(resolve => void this.flow.engine.surroundings.timer(ms, resolve))
    if (!this.#ended) await this.#propose(to, this.flow.engine.now())
  }

  #enter(state: State): Promise<void> | undefined {
    const { engine } = this.flow
    const from = this.record.state
    enter(this.record, state)
    const { persistResult: persist } = this.task
    const ack = engine.store.appendState(this.record, state, persist === undefined ? undefined : { persist })
    if (!isSettled(state)) {
      ack?.catch(() => {}) // the acknowledgement of the end is the one that is awaited
      if (state.type === 'SCHEDULED') this.#retryAt(state.scheduledTime)
      engine.changed(this.record, from, state)
      return undefined
    }
    if (state.type === 'COMPLETED') this.#remember(state)
    if (ack) return ack.then(() => this.#end(from, state))
    this.#end(from, state)
    return undefined
  }

  #end(from: State, state: SettledState): void {
    this.settle(state)
    this.flow.engine.changed(this.record, from, state)
    this.#logEnd(state)
  }

  #retryAt(time: number): void {
    this.#notBefore = time
    this.#timedOut = undefined
  }

  #remember(state: Completed): void {
    const key = this.#keys?.cache
    if (!this.flow.done.keeps && key === undefined) return
    const { timestamp, result, cachedFrom = this.record.id } = state
    if (this.flow.done.keeps) this.flow.done.keep(this.#computeReuseKey(), states.cached(timestamp, result, cachedFrom))
    if (key === undefined || state.name === 'Cached') return
    const { cacheForMs } = this.task
    const expires = cacheForMs === undefined ? undefined : state.timestamp + cacheForMs
    const { engine } = this.flow
    const warn = (error: unknown) => engine.logger.warn(`The result of '${this.record.name}' was not cached`, { error })
    try {
      const put = engine.store.putCached(key, { state, expires, runId: this.record.id })
      if (put) put.catch(warn)
    } catch (error) {
      warn(error)
    }
  }

  #logEnd(state: State): void {
    const { logger } = this.flow
    const level = state.type === 'COMPLETED' ? 'info' : 'error'
    if (!logger.enabled(level)) return
    const why = state.message === undefined ? '' : `: ${state.message}`
    logger[level](`Task run '${this.record.name}' finished in state ${state.name}${why}`)
  }

  protected override over(): void {
    this.#inputs = noInputs
    this.flow.children.over()
    this.#giveTurnBack()
  }

  /** A body that cannot be stopped keeps its turn until it ends, whatever has become of its run. */
  #giveTurnBack(): void {
    if (!this.settled || this.#bodies > 0) return
    this.#release?.()
    this.#release = undefined
  }

  /** The store refused, or we have a defect: the run must settle all the same. */
  #lose(error: unknown): void {
    if (!this.settled) this.settle(states.crashed(this.flow.engine.now(), error))
    this.flow.logger.error(`'${this.record.name}' was lost`, { error })
  }

  /** Runs the function here. */
  execute(args: readonly unknown[], call: TaskCall): unknown {
    call.started()
    const { flow, attempt, tags, annotations } = this.#scope
    const scope: Scope = { flow, attempt, task: call, taskName: this.task.name, tags, annotations }
    return scopes.run(scope, this.task.code.fn, ...(args as never[]))
  }

  bodyBegins(): void {
    this.#bodies += 1
  }

  bodyEnds(): void {
    this.#bodies -= 1
    this.#giveTurnBack()
    if (!this.#waitsForBody || this.#bodies > 0) return
    this.#waitsForBody = false
    this.#submit()
  }
}
