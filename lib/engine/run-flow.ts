import type { FlowContext } from '../core/context.js'
import { MintakaError } from '../core/errors.js'
import type { ExecutorSession } from '../core/executor.js'
import type { RetryPolicy } from '../core/retry.js'
import { type Completed, type SettledState, type State, states } from '../core/state.js'
import { CallCounts } from './call-counts.js'
import { Children } from './children.js'
import type { FlowDefinition } from './definitions.js'
import { divergedAround, divergedFrom, noteDivergence } from './divergence.js'
import { type ComparedCall, DoneRuns, defaultPolicy, type ReusePolicy } from './done-runs.js'
import { runsOf } from './earlier-runs.js'
import type { Engine } from './engine.js'
import { type BodyEnd, finalState } from './final-state.js'
import { FlowAttempt, interruptedState } from './flow-attempt.js'
import { runBody, withValues } from './flow-body.js'
import { resultOf } from './flow-result.js'
import { FlowStates } from './flow-states.js'
import { fetchHeld } from './held.js'
import { endOf, followEveryMs, holderOf, predecessorOf, type Waiting } from './idempotency.js'
import { notReadyFor, waitsForResting } from './inputs.js'
import { cancelledError, cancelOn, type ProcessEnd } from './life.js'
import { formerKeysOf } from './moved.js'
import { CallsOnHold } from './on-hold.js'
import type { Scope } from './scope.js'
import { Turn } from './turn.js'

/** How a flow run was started: what is not the flow's own business. */
export interface FlowStart {
  readonly engine: Engine
  readonly id: string
  readonly scope: Scope
  /** The flow run around it. */
  readonly parent: FlowLife | undefined
  /** The flow run that it continues. */
  readonly continues?: { readonly id: string; readonly policy: ReusePolicy } | undefined
  /** The run before it under its idempotency key, which it continues unless that completes. */
  readonly previous?: string | undefined
}

/**
 * The life of a flow run: it takes its turn in its parent, waits for what its parameters hold, opens its executor's
 * session, runs the body, waits for every run that the body started, closes the session, and only then ends.
 */
export class FlowLife extends FlowStates {
  readonly children = new Children()
  readonly calls: CallCounts
  readonly done: DoneRuns
  readonly onHold = new CallsOnHold(this)
  readonly policy: ReusePolicy
  readonly #previous: string | undefined
  readonly #scope: Scope
  #attempt = new FlowAttempt(this)
  #turn: Turn | undefined
  /** Gives the claim on its idempotency key back. */
  #giveBack: (() => Promise<void>) | undefined

  /** Starts a run of `flow`. Calls that may not be made throw at once; everything else happens to the run. */
  static start(flow: FlowDefinition, parameters: readonly unknown[], start: FlowStart): FlowLife {
    const life = new FlowLife(flow, parameters, start)
    void life.#live()
    return life
  }

  private constructor(flow: FlowDefinition, parameters: readonly unknown[], start: FlowStart) {
    super(flow, parameters, start)
    this.#previous = start.previous
    this.#scope = { ...start.scope, flow: this, task: undefined, taskName: undefined }
    this.calls = new CallCounts(start.id)
    this.done = new DoneRuns(flow.retries > 0)
    this.policy = start.continues?.policy ?? this.parent?.policy ?? defaultPolicy
    this.mirror?.follow(this)
    if (flow.signal) cancelOn(flow.signal, this, forget => this.whenOver(forget))
  }

  get executorName(): string {
    return this.flow.executor.name
  }

  get session(): ExecutorSession {
    return this.#attempt.session
  }

  async #live(): Promise<void> {
    // Asked for before anything is awaited: turns are taken in call order.
    const { parent } = this
    // One that may be on hold asks when it knows what it is: until then others have their turns.
    const mayHold = parent?.done.mayHold ?? false
    if (!mayHold) this.#turn = Turn.ask(parent?.session)
    try {
      await this.engine.ready
      if (this.engine.degraded) await this.storeWorks()
      if (this.#previous !== undefined) this.record.continues = await this.#predecessor(this.#previous)
      await this.#createUnlessOther()
      if (!this.hasEnded && this.#previous !== undefined) await this.#goOn(this.#previous)
      else if (!this.hasEnded && this.record.continues !== undefined) await this.#continue(this.record.continues)
      // What has been done before needs no turn.
      const asks = parent?.done.offers ?? false
      if (!asks) await this.#turn?.take()
      if (!this.hasEnded) await this.#inputsArrive()
      if (!this.hasEnded && asks && this.#previous === undefined) await this.#takeOver()
      if (!this.hasEnded && mayHold) this.#turn = Turn.ask(parent?.session)
      if (!this.hasEnded && asks) await this.#turn?.take()
      while (!this.hasEnded) await this.#carryOut()
    } catch (error) {
      await this.lose(error)
    } finally {
      this.#turn?.giveBack()
      this.#turn?.pass()
    }
  }

  async #createUnlessOther(): Promise<void> {
    if (this.record.idempotencyKey !== undefined && !(await this.#isFirst())) return
    if (this.hasEnded) return
    try {
      await this.create()
    } catch (error) {
      await this.#giveBack?.().catch(() => {})
      throw error
    }
    if (this.#attempt.interrupted && !this.hasEnded) await this.propose(this.#interruptedBy(this.#attempt.interrupted))
    await this.scheduledTime()
    if (!this.hasEnded && this.record.state.type === 'SCHEDULED') await this.propose(states.pending(this.engine.now()))
  }

  /** Whether this is the run under its key. Else somebody carries that out, or has: its end is this run's end. */
  async #isFirst(): Promise<boolean> {
    const { id: engineId, store } = this.engine
    const waiting = this.#waiting
    for (;;) {
      const holder = await holderOf(store, this.record.id, engineId, waiting.pause)
      if (holder?.type === 'ours') {
        this.#giveBack = holder.giveBack
        return true
      }
      if (!holder) return false
      this.isKnown = true
      const end = await endOf(store, this.record.id, waiting)
      if (end === 'removed') continue
      if (end) this.#endAs(end)
      return false
    }
  }

  #endAs(end: SettledState): void {
    this.mirror?.reflect(end)
    const wasCalled = this.mirror?.takeChild(this.record.id)
    if (wasCalled && end.type === 'COMPLETED') this.mirror?.reused()
    this.end(end)
  }

  /** How it waits for another's run. */
  get #waiting(): Waiting {
    return {
      pause: async () => {
        await this.pause(this.engine.now() + followEveryMs)
        return !this.hasEnded
      },
      interrupted: () => this.#attempt.interrupted,
    }
  }

  async #inputsArrive(): Promise<void> {
    if (!this.inputs.edges) return
    const { edges } = this.inputs
    await this.waits.settled(edges)
    if (this.hasEnded) return
    const state = notReadyFor(this.record.name, edges, this.engine.now())
    if (state) return this.propose(state)
    await fetchHeld([...edges.upstream, ...edges.allowed])
    this.mirror?.inputsArrived(this.inputs)
  }

  // --- what has been done before

  /**
   * The run that it continues: the flow run around it calls it again, because it did not complete there, and it takes the
   * place of the run before it under its key.
   */
  #predecessor(previous: string): Promise<string> {
    return predecessorOf(this.engine.store, previous, this.record.id, this.#waiting)
  }

  /** Goes on where the run before it under its key ended. */
  async #goOn(previous: string): Promise<void> {
    const { continues = previous } = this.record
    this.mirror?.takeChild(previous)
    await this.#goOnFrom(continues, await resultOf(this.engine.store, continues), true)
  }

  /** Takes over what an equal call of the flow did before; or continues it, if it did not complete. */
  async #takeOver(): Promise<void> {
    const match = await this.mirror?.match(this)
    if (!match || this.hasEnded || this.#attempt.interrupted) return
    const earlier = this.mirror?.earlierOf(match)
    if (!earlier) return
    this.record.continues = earlier.id
    // What other code did in it, its tasks can tell: it is called again, and they are compared.
    const mayBeWhole = this.policy.code === 'any'
    const completed = earlier.completed() ?? (mayBeWhole ? await resultOf(this.engine.store, earlier.id) : undefined)
    await this.#goOnFrom(earlier.id, completed, earlier.hadBegun)
  }

  /** Ends as that flow run did, if it has completed and the rules agree; or does what is left of it. */
  async #goOnFrom(flowRunId: string, completed: Completed | undefined, hadBegun: boolean): Promise<void> {
    if (completed && (await this.enterKnown(completed))) return this.mirror?.reused()
    if (hadBegun) this.mirror?.ranAgain()
    await this.#continue(flowRunId)
  }

  async #continue(flowRunId: string): Promise<void> {
    const { store } = this.engine
    const { runs, failed } = await runsOf(store, flowRunId)
    this.done.continue(runs, this.policy, failed)
    this.done.moved(await formerKeysOf(store, flowRunId, this.flow.file))
  }

  /** Its calls are not those of the run that it continues: it ends, before any of these runs. */
  diverge(calls: readonly ComparedCall[]): void {
    noteDivergence(this, true)
    this.#stop(divergedFrom(this.record, calls))
  }

  /** Its calls have all been made. */
  #compare({ type }: BodyEnd): void {
    noteDivergence(this, type === 'returned')
    if (this.record.divergence?.diverged && this.policy.divergence === 'fail')
      this.#attempt.interrupted = divergedFrom(this.record, [])
  }

  // --- attempts

  /** One attempt, its executor's session around it. */
  async #carryOut(): Promise<void> {
    await this.scheduledTime()
    if (this.engine.degraded) await this.storeWorks()
    if (this.hasEnded) return
    this.logger.info(`Flow run '${this.record.name}' of flow '${this.record.flowName}' begins`)
    const attempt = this.#attempt
    const end = await attempt.inSession(() => this.#attemptBody(attempt))
    if (!this.hasEnded && end !== this.record.state) await this.propose(end)
  }

  async #attemptBody(attempt: FlowAttempt): Promise<State> {
    if (!(await this.begin())) return this.record.state
    if (attempt.interrupted) return this.#interruptedBy(attempt.interrupted)
    attempt.accepts = true
    this.children.startAfresh()
    this.calls.startAfresh()
    this.done.startAfresh()
    const stopTimer = this.#armDeadline()
    const scope = { ...this.#scope, attempt: this.record.runCount }
    const body = await attempt.untilInterrupted(() => runBody(this.flow, this.inputs, scope))
    await this.children.end()
    stopTimer()
    attempt.accepts = false
    if (!attempt.interrupted) this.#compare(body)
    if (attempt.interrupted) return this.#interruptedBy(attempt.interrupted)
    return finalState(this.engine.now(), await withValues(body), this.children.lives, this.children.letGo)
  }

  // --- what its own runs, and those around it, ask it

  /** Lets a run be started in this one, or says why not. */
  admit(kind: 'Task' | 'Flow', called: string, attempt: number): void {
    this.#attempt.admit(kind, called, attempt === this.record.runCount)
  }

  /** What `flowContext()` gives in the body. */
  context(): FlowContext {
    return this.#attempt.context()
  }

  /** Whether another attempt may follow this one. */
  get mayRetry(): boolean {
    const { done, engine, flow, record } = this
    return done.keeps && (record.runCount <= flow.retries || engine.hasAddedRules)
  }

  isIn(flow: object): boolean {
    return this.parent === flow
  }

  override get isResting(): boolean {
    if (!this.parent) return false
    if (this.#turn?.isAwaited || this.parent.onHold.has(this)) return true
    const { type } = this.record.state
    const { edges } = this.inputs
    if (type === 'PENDING') return edges !== undefined && waitsForResting(edges, this.parent)
    // Its body may wait for a run of the flow around it.
    return (
      type === 'RUNNING' && this.#attempt.accepts && this.children.lives.every(life => life.settled || life.isResting)
    )
  }

  // --- being stopped

  /**
   * Asks the run to stop: its signal fires, its runs are cancelled, its next call throws. It is CANCELLED when they have
   * ended; nothing can interrupt an `await` of the body itself.
   */
  cancel(reason?: string): void {
    this.#stop(cancelledError(`Flow run '${this.record.name}'`, reason))
  }

  #stop(why: MintakaError): void {
    const attempt = this.#attempt
    if (this.hasEnded || attempt.interrupted) return
    attempt.interrupted = why
    const running = this.record.state.type === 'RUNNING'
    if (running && why.code === 'CANCELLED') {
      const state = states.cancelling(this.engine.now(), this.record.runCount, why.message)
      this.enter(state).catch(() => {}) // a store that refuses it refuses the last state too, and that one is awaited
    }
    attempt.abort()
    const reason = why.code === 'DIVERGED' ? divergedAround(this.record) : why.message
    for (const child of this.children.lives) child.cancel(reason)
    attempt.endBody()
    if (!running && this.isCreated) void this.propose(this.#interruptedBy(why)).catch(error => this.lose(error))
    this.waits.wake()
  }

  #interruptedBy(why: MintakaError): State {
    return interruptedState(why, this.engine.now())
  }

  #armDeadline(): () => void {
    const { timeoutMs } = this.flow
    if (timeoutMs === undefined) return () => {}
    return this.engine.surroundings.timer(timeoutMs, () => {
      const sentence = `Flow run '${this.record.name}' took longer than its ${timeoutMs} ms.`
      this.#stop(new MintakaError('TIMED_OUT', sentence, { timeoutMs }))
    })
  }

  // --- what its states ask of it

  protected override get retry(): RetryPolicy | undefined {
    const code = this.#attempt.interrupted?.code
    return code === 'CANCELLED' || code === 'DIVERGED' ? undefined : this.flow
  }

  /** What stopped the last attempt does not stop the next. */
  protected override startAfresh(): void {
    this.#attempt = new FlowAttempt(this)
  }

  override leave(why: ProcessEnd): void {
    for (const child of this.children.lives) child.leave(why)
    super.leave(why)
  }
}
