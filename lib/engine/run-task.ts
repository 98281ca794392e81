import { type Annotations, mergeAnnotations } from '../core/annotations.js'
import { asError, MintakaError } from '../core/errors.js'
import type { Call, Outcome } from '../core/executor.js'
import { HeldResult } from '../core/held-result.js'
import { onAbort } from '../core/on-abort.js'
import { enter } from '../core/run.js'
import { type Completed, isSettled, type SettledState, type State, states } from '../core/state.js'
import { keyOfArguments } from '../values/hash.js'
import type { Waiting } from './acknowledged.js'
import { stateAfter } from './after-attempt.js'
import { argumentsElsewhere, argumentsHere, argumentsToLookAt, keyOfInputs } from './attempt-arguments.js'
import { isCertain } from './certainty.js'
import type { TaskDefinition } from './definitions.js'
import { fetchHeld } from './held.js'
import { HereCall } from './here-call.js'
import {
  areSmall,
  type Edges,
  hasShortKey,
  notReadyFor,
  takeInputs,
  waitsForResting,
  whenAllSettled,
} from './inputs.js'
import { upstreamCalls } from './joining.js'
import { KnownResults } from './known-results.js'
import { cancelledError, Life, leftBehind, type ProcessEnd } from './life.js'
import type { Pause } from './pause.js'
import type { FlowLife } from './run-flow.js'
import { type Scope, scopes } from './scope.js'
import { stopped, TaskCall } from './task-call.js'
import { TaskExtras } from './task-extras.js'
import type { TaskPromise } from './task-future.js'
import { TaskRecord } from './task-record.js'

/**
 * The life of a task run: it takes its turn, waits for its inputs, and is attempted until a state settles it. What may
 * happen is decided in core; here it is only done: told to the store, to those who listen and to those who wait.
 *
 * A flow may start a hundred thousand at once, so the common way (nothing to wait for, one attempt) is taken by plain
 * calls; only those that wait have a promise to wait with.
 */
export class TaskLife extends Life implements Waiting<State> {
  readonly record: TaskRecord
  readonly flow: FlowLife
  readonly task: TaskDefinition
  readonly #scope: Scope
  /** The attempt that is being carried out. */
  #call: TaskCall | undefined
  /** Its future, if that is a promise of its own. */
  #promise: TaskPromise<unknown> | undefined
  #extras: TaskExtras | undefined

  static start(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope): TaskLife {
    const life = new TaskLife(flow, task, args, scope)
    life.#begin()
    return life
  }

  private constructor(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope) {
    super()
    const { engine, calls, children } = flow
    const of = calls.of(task, scope.tags, flow.session.where)
    const pending = states.pending(engine.now())
    this.flow = flow
    this.task = task
    this.#scope = scope
    this.#call = undefined
    this.#promise = undefined
    this.#extras = undefined
    if (task.waitFor === undefined && areSmall(args)) {
      this.record = new TaskRecord(of, calls.next(), of.counter.count++, pending, args, undefined)
    } else {
      const inputs = takeInputs(args, task.waitFor, undefined, flow.session.where)
      this.#extra().inputs = inputs
      this.record = new TaskRecord(of, calls.next(), of.counter.count++, pending, inputs.args, inputs.described)
    }
    if (KnownResults.concern(flow, task))
      this.#extra().known = new KnownResults(flow, task, this.record, () => this.#lookedAt())
    children.adopt(this)
    engine.created(this.record)
    if (task.signal) this.#obey(task.signal)
  }

  #extra(): TaskExtras {
    this.#extras ??= new TaskExtras()
    return this.#extras
  }

  /** The future that is to be told how the run ends. */
  promised(promise: TaskPromise<unknown>): void {
    if (this.settled) promise.settle(this.settled)
    else this.#promise = promise
  }

  /** Whether nothing will follow: the run has settled, or is about to, once the store has acknowledged its last state. */
  get #ended(): boolean {
    return this.settled !== undefined || isSettled(this.record.state)
  }

  /** Turns are asked for before anything is awaited: they are taken in call order. */
  #begin(): void {
    const { done, session } = this.flow
    // A call that may be on hold must not keep others from having their turns: it asks when it knows what it is.
    const turn = done.mayHold ? undefined : session.turn?.()
    const edges = this.#extras?.inputs?.edges
    if (turn || done.offers || (edges && !this.#joins(edges))) void this.#arrive(turn)
    else this.#submit()
  }

  /** Whether the run may be submitted together with those that it waits for. */
  #joins(edges: Edges): boolean {
    const calls = this.#isPlain && !this.flow.engine.degraded ? upstreamCalls(edges, this.flow) : undefined
    if (calls) this.#extra().upstream = calls
    return calls !== undefined
  }

  /** Whether the executor can hand a result to this run without its value being here. */
  #passes(held: HeldResult): boolean {
    return held.session === this.flow.session && !this.keepsResult
  }

  /** Whether what an attempt ends with is what the run ends with, and what it is given need not be looked at here. */
  get #isPlain(): boolean {
    return !this.flow.engine.hasAddedRules && !this.keepsResult && !this.flow.done.offers
  }

  override get lastCall(): Call | undefined {
    const isLast = this.record.runCount + (this.record.state.type === 'RUNNING' ? 0 : 1) > this.task.retries
    return isLast && this.#isPlain && !this.#extras?.cancelled && !this.#extras?.timedOut ? this.#call : undefined
  }

  async #arrive(turn: Promise<() => void> | undefined): Promise<void> {
    // What has been done before needs no turn: then the inputs come first, and the turn if it is still wanted.
    const asks = this.flow.done.offers
    let waiting = turn
    try {
      if (waiting && !asks) await this.#takeTurn(waiting)
      if (this.#extras?.inputs?.edges) await this.#inputsArrive(this.#extras.inputs.edges, this.#extras.waits)
      if (asks && !this.#ended) await this.#takeOver()
      if (this.flow.done.mayHold && !this.#ended) waiting = this.flow.session.turn?.()
      if (waiting && asks && !this.#ended) await this.#takeTurn(waiting)
      if (!asks || this.#extras?.release) waiting = undefined
      if (this.settled) this.#giveTurnBack()
      else this.#submit()
    } catch (error) {
      this.lost(error)
    } finally {
      void waiting?.then(end => end())
    }
  }

  async #takeTurn(turn: Promise<() => void>): Promise<void> {
    const extras = this.#extra()
    extras.waitsForTurn = true
    extras.release = await turn
    extras.waitsForTurn = false
  }

  /** Takes over what an equal call did before, by an earlier attempt or in the flow run that this one continues. */
  async #takeOver(): Promise<void> {
    this.#takeKey()
    const { record, flow } = this
    const asked = flow.onHold.match(record, this)
    const match = asked instanceof Promise ? await asked : asked
    if (!match || this.#ended || this.#extras?.cancelled) return
    if (match.type !== 'known') return flow.done.notKnown(record)
    const certain = match.run.end === 'completed' ? isCertain(this.task, 'flow run', flow.engine.logger) : false
    const isSame = certain instanceof Promise ? await certain : certain
    if (this.#ended || this.#extras?.cancelled) return
    const completed = isSame ? match.run.completed?.() : undefined
    if (completed && !this.#admit(completed)) flow.done.reused(record)
    else if (match.run.end !== 'not begun') flow.done.ranAgain(record)
  }

  isIn(flow: object): boolean {
    return this.flow === flow
  }

  override get isResting(): boolean {
    if (this.flow.onHold.has(this) || this.#extras?.waitsForTurn) return true
    const edges = this.record.state.type === 'PENDING' && !this.#call ? this.#extras?.inputs?.edges : undefined
    return edges !== undefined && waitsForResting(edges, this.flow)
  }

  /** Waits until every upstream run has settled; one that did not complete puts this run to rest in NotReady. */
  async #inputsArrive(edges: Edges, waits: Pause): Promise<void> {
    await waits.settled(edges)
    if (this.#ended) return
    const state = notReadyFor(this.record.name, edges, this.flow.engine.now())
    if (state) await this.#propose(state)
    else await this.#fetchHeld(edges)
  }

  /** Gets the results that have stayed elsewhere, as far as this run needs them here. One that is lost fails it. */
  async #fetchHeld({ upstream, allowed }: Edges): Promise<void> {
    const fetching = fetchHeld(upstream, held => this.#passes(held)) ?? fetchHeld(allowed)
    if (!fetching) return
    try {
      await fetching
      await fetchHeld(allowed)
    } catch (error) {
      if (!this.#ended) await this.#propose(states.crashed(this.flow.engine.now(), error))
    }
  }

  /** Hands an attempt to the executor. What starts work elsewhere is asked for its verdict first. */
  #submit(): void {
    if (this.#ended) return
    const extras = this.#extras
    if (extras?.release && extras.bodies > 0) {
      extras.waitsForBody = true
      return
    }
    const may = this.flow.session.where === 'elsewhere' ? this.mayRun() : true
    if (may === true) this.#handOverOrLose()
    else if (may === false) this.#tryLater()
    else may.then(yes => (yes && !this.#ended ? this.#handOver() : this.#tryLater())).catch(error => this.lost(error))
  }

  // Arguments of a user's may throw when they are copied.
  #handOverOrLose(): void {
    try {
      this.#handOver()
    } catch (error) {
      this.lost(error)
    }
  }

  #handOver(): void {
    const { logger, session } = this.flow
    if (logger.enabled('info')) logger.info(`Task run '${this.record.name}' submitted`)
    const call = this.#attempt()
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
    if (call.upstream && !this.#extras?.cancelled) return this.#endedAfter(call, outcome)
    this.#call = undefined
    if (this.#ended) return
    if (
      outcome.type === 'returned' &&
      outcome.value instanceof HeldResult &&
      this.keepsResult &&
      !outcome.value.fetched
    )
      return this.#endFetched(call, outcome.value)
    try {
      if (call.refused) return this.#tryLater()
      if (this.record.state.type !== 'RUNNING' && outcome.type !== 'stopped') this.started()
      const now = this.flow.engine.now()
      const later = this.#propose(this.#stateAfter(outcome, now), now)
      if (later) later.then(() => this.#tryLater()).catch(error => this.lost(error))
      else this.#tryLater()
    } catch (error) {
      this.lost(error)
    }
  }

  /** What an attempt ended with says nothing if a run that it needed did not complete. */
  #endedAfter(call: TaskCall, outcome: Outcome): void {
    const edges = this.#extras?.inputs?.edges as Edges
    call.upstream = undefined
    this.#extra().upstream = undefined
    whenAllSettled(edges.upstream, () => {
      if (this.#call !== call) return
      const { cancelled, timedOut } = this.#extras ?? none
      const state = cancelled || timedOut ? undefined : notReadyFor(this.record.name, edges, this.flow.engine.now())
      if (!state || this.#ended) return this.ended(call, outcome)
      this.#call = undefined
      // One that has begun all the same (it was faster than a deadline of its upstream) cannot rest as if it had not.
      const begun = this.record.state.type === 'RUNNING'
      this.#propose(begun ? states.failed(state.timestamp, state.error) : state)?.catch(error => this.lost(error))
    })
  }

  /** A result that is kept for others has to be here. */
  #endFetched(call: TaskCall, held: HeldResult): void {
    this.#call = call
    held.fetch().then(
      value => this.ended(call, { type: 'returned', value }),
      error => this.ended(call, { type: 'crashed', error }),
    )
  }

  /** Submits again once the time has come, if there is to be another attempt. */
  #tryLater(): void {
    const extras = this.#extras
    if (extras?.notBefore === undefined || this.#ended) return
    const { surroundings } = this.flow.engine
    const isOver = () => this.#ended || extras.cancelled !== undefined
    void extras.waits.until(extras.notBefore, surroundings, isOver).then(() => {
      extras.notBefore = undefined
      this.#submit()
    })
  }

  #attempt(): TaskCall {
    // Before its body can change any of it, or its buffers have moved away.
    if (this.record.runCount === 0 && !this.#extras?.upstream?.size) this.#takeKey()
    const isHere = this.flow.session.where === 'here'
    const inputs = this.#extras?.inputs
    const { flow, task, record } = this
    if (!inputs) {
      const { constants = noArgs } = record
      return isHere ? new HereCall(this, constants, undefined) : new TaskCall(this, constants, undefined)
    }
    const again = record.runCount < task.retries || flow.engine.hasAddedRules
    if (isHere) return new HereCall(this, argumentsHere(inputs, again), undefined)
    const upstream = this.#extras?.upstream
    const { args, shared } = argumentsElsewhere(inputs, again, upstream, this.flow.session)
    return new TaskCall(this, args, shared, upstream && upstream.size > 0 ? [...upstream.values()] : undefined)
  }

  /** Makes the key of what the run is called with, where that does not follow from its record. */
  #takeKey(): void {
    const { record, flow, task } = this
    const extras = this.#extras
    if (task.persistResult === false && !extras?.known) return // nobody would ask for it
    if (record.inputKey !== undefined || flow.engine.store.keepsNothing || extras?.hasNoKey) return
    if (extras?.inputs) record.inputKey = keyOfInputs(extras.inputs)
    else if (record.constants && !hasShortKey(record.constants)) record.inputKey = keyOfArguments(record.constants)
    if (extras) extras.hasNoKey = record.inputKey === undefined
  }

  /** The arguments, to be looked at and not changed. */
  #lookedAt(): readonly unknown[] {
    return this.#extras?.inputs ? argumentsToLookAt(this.#extras.inputs) : (this.record.constants ?? noArgs)
  }

  #stateAfter(outcome: Outcome, now: number): State {
    const { cancelled, timedOut } = this.#extras ?? none
    if (cancelled) return states.cancelled(now, cancelled)
    if (timedOut) return states.timedOut(now, timedOut)
    return outcome.type === 'stopped' ? stoppedByItself(this, now) : stateAfter(outcome, now)
  }

  /** Whether the attempt may begin: asks the rules about RUNNING, with the cached result if there is one. */
  mayRun(): boolean | Promise<boolean> {
    if (this.#ended || this.#extras?.cancelled) return false
    const { degraded } = this.flow.engine
    if (degraded) return degraded.then(() => this.mayRun())
    const known = this.#extras?.known
    if (known?.mayBe && this.record.runCount === 0) return this.#mayRunUnlessKnown(known)
    return this.#admit(undefined)
  }

  async #mayRunUnlessKnown(results: KnownResults): Promise<boolean> {
    try {
      this.#takeKey()
      const known = await results.find()
      return this.#ended || this.#extras?.cancelled ? false : this.#admit(known)
    } catch (error) {
      await this.#propose(states.failed(this.flow.engine.now(), error))
      return false
    }
  }

  #admit(cached: Completed | undefined): boolean {
    const { engine } = this.flow
    const from = this.record.state
    if (!cached && engine.accepts(from.type, 'RUNNING')) return true
    const now = engine.now()
    const to = states.running(now, this.record.runCount + 1)
    const verdict = engine.propose({ run: this.record, from, to, now, cached })
    if (verdict.type === 'ACCEPT') return true
    if (verdict.type === 'WAIT') this.#extra().notBefore = verdict.until
    else if (verdict.type === 'ABORT') this.settleAborted(now, verdict.reason)
    else this.#enter(verdict.state)
    return false
  }

  /** The worker has begun. */
  started(at = this.flow.engine.now()): void {
    if (this.#ended || this.record.state.type === 'RUNNING') return
    this.#enter(states.running(at, this.record.runCount + 1))
    if (this.#extras?.cancelled) this.#startCancelling(this.#extras.cancelled)
  }

  /** The deadline of the running attempt has passed. */
  outOfTime(timeoutMs: number): void {
    if (this.#ended || this.#extras?.cancelled) return
    const name = this.record.name
    const timedOut = new MintakaError('TIMED_OUT', `'${name}' took longer than its ${timeoutMs} ms.`, { timeoutMs })
    this.#extra().timedOut = timedOut
    this.#call?.abort(timedOut)
    if (this.flow.session.where === 'here') {
      const note =
        'what runs in this process cannot be stopped: it keeps its slot until it ends, and its result is dropped'
      this.flow.logger.warn(`'${name}' took longer than its ${timeoutMs} ms; ${note}`, { taskRunId: this.record.id })
      if (this.#call) this.ended(this.#call, stopped)
    }
  }

  override get keepsResult(): boolean {
    return this.task.persistResult === true || KnownResults.concern(this.flow, this.task)
  }

  get annotations(): Annotations | undefined {
    return mergeAnnotations(this.#scope.annotations, this.task.annotations)
  }

  /**
   * Asks the run to stop. Before it runs, it is CANCELLED at once; while it runs, it is Cancelling until its code has
   * stopped.
   */
  cancel(reason?: string): void {
    if (this.#extras?.cancelled || isSettled(this.record.state)) return
    const why = cancelledError(`'${this.record.name}'`, reason)
    const extras = this.#extra()
    extras.cancelled = why
    if (this.record.state.type === 'RUNNING') this.#startCancelling(why)
    else if (this.#call && this.flow.session.where === 'elsewhere') this.#call.abort(why)
    else this.#propose(states.cancelled(this.flow.engine.now(), why))?.catch(error => this.lost(error))
    extras.waits.wake()
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
   * Proposes a state that the run wants to be in, and enters what the rules make of it. Gives a promise only if they say
   * that it has to wait.
   */
  #propose(to: State, now = to.timestamp): Promise<void> | undefined {
    const { engine } = this.flow
    const from = this.record.state
    if (engine.accepts(from.type, to.type)) return this.#enter(to)
    const verdict = engine.propose({ run: this.record, from, to, now, retry: this.task })
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

  /** Nobody is told that the run has settled before the store has acknowledged it. */
  #enter(state: State): undefined {
    const { engine } = this.flow
    const from = this.record.state
    enter(this.record, state)
    if (state.type === 'COMPLETED' && this.#extras) {
      if (this.#extras.inputs && state.name === 'Completed') this.#takeKey()
      this.#extras.known?.keep(state)
    }
    const ack = engine.store.appendState(
      this.record,
      state,
      this.task.persistResult === undefined ? undefined : { persist: this.task.persistResult },
    )
    if (!isSettled(state)) {
      engine.acknowledgements.ignore(ack)
      if (state.type === 'SCHEDULED') this.#retryAt(state.scheduledTime)
      engine.changed(this.record, from, state)
      return
    }
    if (ack) engine.acknowledgements.then(ack, this, from)
    else this.#end(from, state)
  }

  /** The store has acknowledged the last state. */
  stored(from: State): void {
    this.#end(from, this.record.state as SettledState)
  }

  #end(from: State, state: SettledState): void {
    this.settle(state)
    this.flow.engine.changed(this.record, from, state)
    this.#logEnd(state)
  }

  #retryAt(time: number): void {
    const extras = this.#extra()
    extras.notBefore = time
    extras.timedOut = undefined
  }

  #logEnd(state: State): void {
    const { logger } = this.flow
    const level = state.type === 'COMPLETED' ? 'info' : 'error'
    if (!logger.enabled(level)) return
    const why = state.message === undefined ? '' : `: ${state.message}`
    logger[level](`Task run '${this.record.name}' finished in state ${state.name}${why}`)
  }

  protected override over(): void {
    if (this.#extras) this.#extras.inputs = undefined
    this.#promise?.settle(this.settled as SettledState)
    this.#promise = undefined
    this.flow.children.over()
    this.#giveTurnBack()
  }

  /** A body that cannot be stopped keeps its turn until it ends, whatever has become of its run. */
  #giveTurnBack(): void {
    const extras = this.#extras
    if (!extras?.release || !this.settled || extras.bodies > 0) return
    extras.release()
    extras.release = undefined
  }

  /** The store refused, or we have a defect: the run must settle all the same. */
  lost(error: unknown): void {
    const { engine } = this.flow
    const state = states.crashed(engine.now(), error)
    this.#endInStore(state)
    if (!this.settled) this.settle(state)
    engine.lost(`'${this.record.name}'`, error)
  }

  override leave(why: ProcessEnd): void {
    if (!this.settled) this.#endInStore(leftBehind(this.record, why, this.flow.engine.now()))
  }

  /** Ends the run as far as the store still takes it. Nobody waits for that. */
  #endInStore(state: State): void {
    if (isSettled(this.record.state)) return
    enter(this.record, state)
    try {
      this.flow.engine.store.appendState(this.record, state)?.catch(() => {})
    } catch {
      // It is what has failed, perhaps; who opens it next ends the run.
    }
  }

  /** Runs the function here, unless the run is lost by then. */
  execute(args: readonly unknown[], call: HereCall): unknown {
    call.started()
    if (this.settled) return undefined
    const { flow, attempt, tags, annotations } = this.#scope
    const scope: Scope = { flow, attempt, task: call, taskName: this.task.name, tags, annotations }
    return scopes.run(scope, this.task.code.fn, ...(args as never[]))
  }

  // Only a run that has a turn to give back needs to know of its bodies.

  bodyBegins(): void {
    if (this.#extras?.release) this.#extras.bodies += 1
  }

  bodyEnds(): void {
    const extras = this.#extras
    if (!extras || extras.bodies === 0) return
    extras.bodies -= 1
    this.#giveTurnBack()
    if (!extras.waitsForBody || extras.bodies > 0) return
    extras.waitsForBody = false
    this.#submit()
  }
}

/** The state of a run whose executor stopped it, and was not asked to. */
function stoppedByItself({ flow, record }: TaskLife, now: number): State {
  const what = `The executor '${flow.executorName}' stopped '${record.name}', which nobody had asked for`
  return states.crashed(now, new MintakaError('EXECUTOR_FAILED', `${what}.`))
}

const none: { readonly cancelled?: undefined; readonly timedOut?: undefined } = {}
const noArgs: readonly unknown[] = []
