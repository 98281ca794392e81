import { type Annotations, mergeAnnotations } from '../core/annotations.js'
import { asError, MintakaError } from '../core/errors.js'
import type { Call, Outcome } from '../core/executor.js'
import { HeldResult } from '../core/held-result.js'
import { isSettled, type SettledState, states } from '../core/state.js'
import { stateAfter } from './after-attempt.js'
import { argumentsToLookAt } from './attempt-arguments.js'
import { isCertain } from './certainty.js'
import type { TaskDefinition } from './definitions.js'
import { fetchHeld } from './held.js'
import type { HereCall } from './here-call.js'
import { type Edges, notReadyFor, waitsForResting, whenAllSettled } from './inputs.js'
import { upstreamCalls } from './joining.js'
import { KnownResults } from './known-results.js'
import { cancelledError, cancelOn } from './life.js'
import { newCall } from './new-call.js'
import type { Pause } from './pause.js'
import type { FlowLife } from './run-flow.js'
import { type Scope, scopes } from './scope.js'
import { stopped, type TaskCall } from './task-call.js'
import type { TaskPromise } from './task-future.js'
import { TaskStates } from './task-states.js'
import { Turn } from './turn.js'

/**
 * The life of a task run: it takes its turn, waits for its inputs, and is attempted until a state settles it. What may
 * happen is decided in core; here it is only done.
 *
 * A flow may start a hundred thousand at once, so the common way (nothing to wait for, one attempt) is taken by plain
 * calls; only those that wait have a promise to wait with.
 */
export class TaskLife extends TaskStates {
  readonly #scope: Scope
  /** The attempt that is being carried out. */
  #call: TaskCall | undefined
  /** Its future, if that is a promise of its own. */
  #promise: TaskPromise<unknown> | undefined

  static start(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope): TaskLife {
    const life = new TaskLife(flow, task, args, scope)
    life.#begin()
    return life
  }

  private constructor(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], scope: Scope) {
    super(flow, task, args, scope.tags)
    this.#scope = scope
    this.#call = undefined
    this.#promise = undefined
    if (KnownResults.concern(flow, task))
      this.someExtras().known = new KnownResults(flow, task, this.record, () => this.#lookedAt())
    flow.children.adopt(this)
    flow.engine.created(this.record)
    if (task.signal) cancelOn(task.signal, this, forget => this.whenSettled(forget))
  }

  /** The future that is to be told how the run ends. */
  promised(promise: TaskPromise<unknown>): void {
    if (this.settled) promise.settle(this.settled)
    else this.#promise = promise
  }

  /** Turns are asked for before anything is awaited: they are taken in call order. */
  #begin(): void {
    const { done, session } = this.flow
    // A call that may be on hold must not keep others from having their turns: it asks when it knows what it is.
    const turn = done.mayHold ? undefined : Turn.ask(session)
    const edges = this.extras?.inputs?.edges
    if (turn || done.offers || (edges && !this.#joins(edges))) void this.#arrive(turn)
    else this.#submit()
  }

  async #arrive(turn: Turn | undefined): Promise<void> {
    // What has been done before needs no turn: then the inputs come first, and the turn if it is still wanted.
    const { done, session } = this.flow
    const asks = done.offers
    if (turn) this.someExtras().turn = turn
    try {
      if (turn && !asks) await turn.take()
      if (this.extras?.inputs?.edges) await this.#inputsArrive(this.extras.inputs.edges, this.extras.waits)
      if (asks && !this.hasEnded) await this.#takeOver()
      if (done.mayHold && !this.hasEnded) turn = this.someExtras().turn = Turn.ask(session)
      if (turn && asks && !this.hasEnded) await turn.take()
      if (this.settled) turn?.giveBack()
      else this.#submit()
    } catch (error) {
      this.lost(error)
    } finally {
      turn?.pass()
    }
  }

  // --- what it waits for

  /** Whether the run may be submitted together with those that it waits for. */
  #joins(edges: Edges): boolean {
    const calls = this.#isPlain && !this.flow.engine.degraded ? upstreamCalls(edges, this.flow) : undefined
    if (calls) this.someExtras().upstream = calls
    return calls !== undefined
  }

  /** Waits until every upstream run has settled; one that did not complete puts this run to rest in NotReady. */
  async #inputsArrive(edges: Edges, waits: Pause): Promise<void> {
    await waits.settled(edges)
    if (this.hasEnded) return
    const state = notReadyFor(this.record.name, edges, this.flow.engine.now())
    if (state) await this.propose(state)
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
      if (!this.hasEnded) await this.propose(states.crashed(this.flow.engine.now(), error))
    }
  }

  /** Whether the executor can hand a result to this run without its value being here. */
  #passes(held: HeldResult): boolean {
    return held.session === this.flow.session && !this.keepsResult
  }

  /** Takes over what an equal call did before, by an earlier attempt or in the flow run that this one continues. */
  async #takeOver(): Promise<void> {
    this.takeKey()
    const { record, flow } = this
    const asked = flow.onHold.match(record, this)
    const match = asked instanceof Promise ? await asked : asked
    if (!match || this.hasEnded || this.extras?.cancelled) return
    if (match.type !== 'known') return flow.done.notKnown(record)
    const certain = match.run.end === 'completed' ? isCertain(this.task, 'flow run', flow.engine.logger) : false
    const isSame = certain instanceof Promise ? await certain : certain
    if (this.hasEnded || this.extras?.cancelled) return
    const completed = isSame ? match.run.completed?.() : undefined
    if (completed && !this.admit(completed)) flow.done.reused(record)
    else if (match.run.end !== 'not begun') flow.done.ranAgain(record)
  }

  // --- attempts

  /** Hands an attempt to the executor. What starts work elsewhere is asked for its verdict first. */
  #submit(): void {
    if (this.hasEnded) return
    const { extras } = this
    if (extras?.turn?.hasBody) {
      extras.waitsForBody = true
      return
    }
    const may = this.flow.session.where === 'elsewhere' ? this.mayRun() : true
    if (may === true) this.#handOverOrLose()
    else if (may === false) this.#tryLater()
    else may.then(yes => (yes && !this.hasEnded ? this.#handOver() : this.#tryLater())).catch(error => this.lost(error))
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
    const { extras } = this
    if (logger.enabled('info')) logger.info(`Task run '${this.record.name}' submitted`)
    // Before its body can change any of it, or its buffers have moved away.
    if (this.record.runCount === 0 && !extras?.upstream?.size) this.takeKey()
    const call = newCall(this, extras?.inputs, extras?.upstream)
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

  /** The worker has begun. */
  started(at = this.flow.engine.now()): void {
    if (this.hasEnded || this.record.state.type === 'RUNNING') return
    this.enter(states.running(at, this.record.runCount + 1))
    if (this.extras?.cancelled) this.#startCancelling(this.extras.cancelled)
  }

  /** The attempt is over. One that was given up, because it ran out of time, ends unheard. */
  ended(call: TaskCall, outcome: Outcome): void {
    call.end()
    if (this.#call !== call) return
    if (call.upstream && !this.extras?.cancelled) return this.#endedAfter(call, outcome)
    this.#call = undefined
    if (this.hasEnded) return
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
      const later = this.propose(stateAfter(outcome, this, now, this.extras), now)
      if (later) later.then(() => this.#tryLater()).catch(error => this.lost(error))
      else this.#tryLater()
    } catch (error) {
      this.lost(error)
    }
  }

  /** What an attempt ended with says nothing if a run that it needed did not complete. */
  #endedAfter(call: TaskCall, outcome: Outcome): void {
    const edges = this.extras?.inputs?.edges as Edges
    call.upstream = undefined
    this.someExtras().upstream = undefined
    whenAllSettled(edges.upstream, () => {
      if (this.#call !== call) return
      const isStopped = this.extras?.cancelled || this.extras?.timedOut
      const state = isStopped ? undefined : notReadyFor(this.record.name, edges, this.flow.engine.now())
      if (!state || this.hasEnded) return this.ended(call, outcome)
      this.#call = undefined
      // One that has begun all the same (it was faster than a deadline of its upstream) cannot rest as if it had not.
      const begun = this.record.state.type === 'RUNNING'
      this.propose(begun ? states.failed(state.timestamp, state.error) : state)?.catch(error => this.lost(error))
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
    const { extras } = this
    if (extras?.notBefore === undefined || this.hasEnded) return
    const { surroundings } = this.flow.engine
    const isOver = () => this.hasEnded || extras.cancelled !== undefined
    void extras.waits.until(extras.notBefore, surroundings, isOver).then(() => {
      extras.notBefore = undefined
      this.#submit()
    })
  }

  protected override over(): void {
    if (this.extras) this.extras.inputs = undefined
    this.#promise?.settle(this.settled as SettledState)
    this.#promise = undefined
    this.flow.children.over()
    this.extras?.turn?.giveBack()
  }

  // --- a body in this process

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
    this.extras?.turn?.bodyBegins()
  }

  bodyEnds(): void {
    const { extras } = this
    const turn = extras?.turn
    if (!turn?.hasBody) return
    turn.bodyEnds()
    if (this.settled) turn.giveBack()
    if (!extras?.waitsForBody || turn.hasBody) return
    extras.waitsForBody = false
    this.#submit()
  }

  // --- being stopped

  /**
   * Asks the run to stop. Before it runs, it is CANCELLED at once; while it runs, it is Cancelling until its code has
   * stopped.
   */
  cancel(reason?: string): void {
    if (this.extras?.cancelled || isSettled(this.record.state)) return
    const why = cancelledError(`'${this.record.name}'`, reason)
    const extras = this.someExtras()
    extras.cancelled = why
    if (this.record.state.type === 'RUNNING') this.#startCancelling(why)
    else if (this.#call && this.flow.session.where === 'elsewhere') this.#call.abort(why)
    else this.propose(states.cancelled(this.flow.engine.now(), why))?.catch(error => this.lost(error))
    extras.waits.wake()
  }

  #startCancelling(why: MintakaError): void {
    this.enter(states.cancelling(this.flow.engine.now(), this.record.runCount, why.message))
    this.#call?.abort(why)
    if (this.flow.session.where === 'here') {
      this.flow.logger.info(`'${this.record.name}' was asked to stop; it is cancelled when its code ends`)
    }
  }

  /** The deadline of the running attempt has passed. */
  outOfTime(timeoutMs: number): void {
    if (this.hasEnded || this.extras?.cancelled) return
    const name = this.record.name
    const timedOut = new MintakaError('TIMED_OUT', `'${name}' took longer than its ${timeoutMs} ms.`, { timeoutMs })
    this.someExtras().timedOut = timedOut
    this.#call?.abort(timedOut)
    if (this.flow.session.where === 'here') {
      const note =
        'what runs in this process cannot be stopped: it keeps its slot until it ends, and its result is dropped'
      this.flow.logger.warn(`'${name}' took longer than its ${timeoutMs} ms; ${note}`, { taskRunId: this.record.id })
      if (this.#call) this.ended(this.#call, stopped)
    }
  }

  // --- what others ask it

  /** Whether what an attempt ends with is what the run ends with, and what it is given need not be looked at here. */
  get #isPlain(): boolean {
    return !this.flow.engine.hasAddedRules && !this.keepsResult && !this.flow.done.offers
  }

  override get lastCall(): Call | undefined {
    const isLast = this.record.runCount + (this.record.state.type === 'RUNNING' ? 0 : 1) > this.task.retries
    return isLast && this.#isPlain && !this.extras?.cancelled && !this.extras?.timedOut ? this.#call : undefined
  }

  override get keepsResult(): boolean {
    return this.task.persistResult === true || KnownResults.concern(this.flow, this.task)
  }

  get annotations(): Annotations | undefined {
    return mergeAnnotations(this.#scope.annotations, this.task.annotations)
  }

  isIn(flow: object): boolean {
    return this.flow === flow
  }

  override get isResting(): boolean {
    if (this.flow.onHold.has(this) || this.extras?.turn?.isAwaited) return true
    const edges = this.record.state.type === 'PENDING' && !this.#call ? this.extras?.inputs?.edges : undefined
    return edges !== undefined && waitsForResting(edges, this.flow)
  }

  /** The arguments, to be looked at and not changed. */
  #lookedAt(): readonly unknown[] {
    return this.extras?.inputs ? argumentsToLookAt(this.extras.inputs) : (this.record.constants ?? noArgs)
  }
}

const noArgs: readonly unknown[] = []
