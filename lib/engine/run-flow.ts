import type { FlowContext } from '../core/context.js'
import { asError, MintakaError } from '../core/errors.js'
import type { ExecutorSession } from '../core/executor.js'
import { isFuture } from '../core/future.js'
import type { LogLevel } from '../core/logger.js'
import { onAbort } from '../core/on-abort.js'
import { enter, type FlowRun } from '../core/run.js'
import { type Completed, isSettled, type SettledState, type State, states } from '../core/state.js'
import { isNotPersisted, type Store } from '../core/store.js'
import { keptCopy } from '../values/kept.js'
import { preview } from '../values/preview.js'
import { argumentsToLookAt } from './attempt-arguments.js'
import { CallCounts } from './call-counts.js'
import { publishStats } from './channels.js'
import { Children } from './children.js'
import type { FlowDefinition } from './definitions.js'
import { divergedAround, divergedFrom, divergenceSentence } from './divergence.js'
import { type ComparedCall, DoneRuns, defaultPolicy, type ReusePolicy } from './done-runs.js'
import { runsOf } from './earlier-runs.js'
import type { Engine } from './engine.js'
import { type BodyEnd, finalState, futuresIn } from './final-state.js'
import { tooDeep } from './flow-depth.js'
import { parametersFor } from './flow-parameters.js'
import { Future } from './future.js'
import { fetchHeld, fetchHeldIn } from './held.js'
import { continuationOf, Follower, followEveryMs, holderOf } from './idempotency.js'
import { type Inputs, notReadyFor, takeInputs, waitsForResting, whenAllSettled } from './inputs.js'
import { cancelledError, Life, leftBehind, type ProcessEnd } from './life.js'
import { atLevel, type LeveledLogger } from './logger.js'
import { Mirror } from './mirror.js'
import { formerKeysOf } from './moved.js'
import { CallsOnHold } from './on-hold.js'
import { Pause } from './pause.js'
import { type Scope, scopes, unite } from './scope.js'
import { versionOf } from './source.js'

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
export class FlowLife extends Life {
  readonly record: FlowRun
  readonly engine: Engine
  readonly logger: LeveledLogger
  readonly future: Future<unknown>
  readonly children = new Children()
  readonly calls: CallCounts
  readonly done: DoneRuns
  readonly onHold = new CallsOnHold(this)
  readonly policy: ReusePolicy
  readonly flow: FlowDefinition
  /** The flow run around it. */
  readonly parent: FlowLife | undefined
  readonly #mirror: Mirror | undefined
  readonly #previous: string | undefined
  /** The store has it, or another one that it follows. */
  #isKnown = false
  readonly #inputs: Inputs
  #scope: Scope
  /** How many flow runs it is in, itself included. */
  readonly depth: number
  #controller = new AbortController()
  #session: ExecutorSession | undefined
  #accepts = false
  #waitsForTurn = false
  #interrupted: MintakaError | undefined
  #interrupt: (() => void) | undefined
  readonly #waits = new Pause()
  #context: FlowContext | undefined
  #created = false
  /** Gives the claim on its idempotency key back. */
  #giveBack: (() => Promise<void>) | undefined
  #watched = false

  /** Starts a run of `flow`. Calls that may not be made throw at once; everything else happens to the run. */
  static start(flow: FlowDefinition, parameters: readonly unknown[], start: FlowStart): FlowLife {
    const life = new FlowLife(flow, parameters, start)
    void life.#live()
    return life
  }

  private constructor(flow: FlowDefinition, parameters: readonly unknown[], start: FlowStart) {
    super()
    const { engine, parent, scope } = start
    this.engine = engine
    this.logger = flow.logLevel ? atLevel(engine.logger, flow.logLevel) : engine.logger
    this.flow = flow
    this.parent = parent
    this.#previous = start.previous
    this.depth = parent ? parent.depth + 1 : 1
    this.#inputs = takeInputs(parameters, flow.waitFor, 'parameters')
    this.#scope = { ...scope, flow: this, attempt: 0, task: undefined, taskName: undefined }
    this.calls = new CallCounts(start.id)
    this.done = new DoneRuns(flow.retries > 0)
    this.policy = start.continues?.policy ?? parent?.policy ?? defaultPolicy
    if (this.depth > engine.maxFlowDepth) throw tooDeep(this, engine.maxFlowDepth)
    const now = engine.now()
    const tags = unite(flow.tags, scope.tags)
    this.#mirror = parent && new Mirror(parent, flow, start.id, this.#inputs, tags, now)
    this.record = {
      kind: 'flow-run',
      id: start.id,
      name: flow.runName ?? engine.surroundings.newName(),
      flowName: flow.name,
      version: flow.version ?? versionOf(flow.file),
      file: flow.file,
      description: flow.description,
      executor: flow.executor.name,
      parentTaskRunId: this.#mirror?.record.id,
      parentFlowRunId: parent?.record.id,
      parameters: parameters.length === 0 ? undefined : preview(parameters[0], 400),
      idempotencyKey: flow.idempotencyKey,
      deployment: flow.occasion?.deployment,
      scheduledTime: flow.occasion?.scheduledTime,
      created: now,
      tags,
      state: firstState(flow, now),
      startTime: undefined,
      endTime: undefined,
      totalRunTimeMs: 0,
      runCount: 0,
      continues: start.continues?.id ?? start.previous,
    }
    this.future = new Future(this)
    this.#mirror?.follow(this)
    if (flow.signal) this.#obey(flow.signal)
  }

  get executorName(): string {
    return this.flow.executor.name
  }

  get session(): ExecutorSession {
    return this.#session as ExecutorSession
  }

  /** Whether nothing will follow: the run has settled, or is about to, once the store has acknowledged its last state. */
  get #ended(): boolean {
    return this.settled !== undefined || isSettled(this.record.state)
  }

  async #live(): Promise<void> {
    // Asked for before anything is awaited: turns are taken in call order.
    const { parent } = this
    // One that may be on hold asks when it knows what it is: until then others have their turns.
    const mayHold = parent?.done.mayHold ?? false
    const turn = mayHold ? undefined : parent?.session.turn?.()
    let release: (() => void) | undefined
    try {
      await this.engine.ready
      if (this.engine.degraded) await this.#storeWorks()
      if (this.#previous !== undefined) await this.#succeed(this.#previous)
      await this.#create()
      if (!this.#ended && this.#previous !== undefined) await this.#goOn(this.#previous)
      else if (!this.#ended && this.record.continues !== undefined) await this.#continue(this.record.continues)
      // What has been done before needs no turn.
      const asks = parent?.done.offers ?? false
      if (!asks) release = await this.#turn(turn)
      if (!this.#ended) await this.#inputsArrive()
      if (!this.#ended && asks && this.#previous === undefined) await this.#takeOver()
      if (!this.#ended && asks) release = await this.#turn(mayHold ? parent?.session.turn?.() : turn)
      while (!this.#ended) await this.#attempt()
    } catch (error) {
      await this.#lose(error)
    } finally {
      if (release) release()
      else void turn?.then(end => end())
    }
  }

  async #turn(turn: Promise<() => void> | undefined): Promise<(() => void) | undefined> {
    this.#waitsForTurn = turn !== undefined
    const release = await turn
    this.#waitsForTurn = false
    return release
  }

  async #create(): Promise<void> {
    while (this.record.idempotencyKey !== undefined && !(await this.#isFirst())) {
      if (await this.#followOther()) return
    }
    if (this.#ended) return
    this.#created = true
    this.#isKnown = true
    // A subflow is called again by the flow around it, with what that has then.
    const isWhole = !this.parent && !this.#inputs.edges
    const ack = this.engine.created(this.record, isWhole ? { parameters: this.#inputs.args[0] } : undefined)
    try {
      if (ack) await ack
    } catch (error) {
      await this.#giveBack?.().catch(() => {})
      throw error
    }
    if (this.#interrupted && !this.#ended) await this.#propose(this.#interruptedState())
    await this.#scheduledTime()
    if (!this.#ended && this.record.state.type === 'SCHEDULED') await this.#propose(states.pending(this.engine.now()))
  }

  async #inputsArrive(): Promise<void> {
    if (!this.#inputs.edges) return
    const { edges } = this.#inputs
    await this.#waits.settled(edges)
    if (this.#ended) return
    const state = notReadyFor(this.record.name, edges, this.engine.now())
    if (state) return this.#propose(state)
    await fetchHeld([...edges.upstream, ...edges.allowed])
    this.#mirror?.inputsArrived(this.#inputs)
  }

  // --- what has been done before

  async #continue(flowRunId: string): Promise<void> {
    const { runs, failed } = await runsOf(this.engine.store, flowRunId)
    this.done.continue(runs, this.policy, failed)
    this.done.moved(await formerKeysOf(this.engine.store, flowRunId, this.flow.file))
  }

  /** Takes over what an equal call of the flow did before; or continues it, if it did not complete. */
  async #takeOver(): Promise<void> {
    const { parent } = this
    const call = this.#mirror?.record
    if (!parent || !call) return
    const match = await parent.onHold.match(call, this)
    if (!match || this.#ended || this.#interrupted) return
    if (match.type !== 'known') return parent.done.notKnown(call)
    const { childFlowRunId, end } = match.run
    if (childFlowRunId === undefined) return parent.done.ranAgain(call)
    this.record.continues = childFlowRunId
    // What other code did in it, its tasks can tell: it is called again, and they are compared.
    const mayBeWhole = this.policy.code === 'any'
    const completed =
      match.run.completed?.() ?? (mayBeWhole ? await resultOf(this.engine.store, childFlowRunId) : undefined)
    if (completed && (await this.#enterKnown(completed))) return parent.done.reused(call)
    if (end !== 'not begun') parent.done.ranAgain(call)
    await this.#continue(childFlowRunId)
  }

  /** Ends the run before it begins, if the rules agree. */
  async #enterKnown(cached: Completed): Promise<boolean> {
    const { engine, record } = this
    const now = engine.now()
    const verdict = engine.propose({ run: record, from: record.state, to: states.running(now, 1), now, cached })
    if (verdict.type !== 'REJECT') return false
    await this.#enter(verdict.state)
    return true
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
    if (this.#waitsForTurn || this.parent.onHold.has(this)) return true
    const { type } = this.record.state
    const { edges } = this.#inputs
    if (type === 'PENDING') return edges !== undefined && waitsForResting(edges, this.parent)
    // Its body may wait for a run of the flow around it.
    return type === 'RUNNING' && this.#accepts && this.children.lives.every(life => life.settled || life.isResting)
  }

  /** Its calls are not those of the run that it continues: it ends, before any of these runs. */
  diverge(calls: readonly ComparedCall[]): void {
    this.#noteDivergence(true)
    this.#stop(divergedFrom(this.record, calls))
  }

  /** Its calls have all been made. */
  #compare({ type }: BodyEnd): void {
    this.#noteDivergence(type === 'returned')
    if (this.record.divergence?.diverged && this.policy.divergence === 'fail')
      this.#interrupted = divergedFrom(this.record, [])
  }

  #noteDivergence(isWhole: boolean): void {
    const report = this.done.report(isWhole)
    if (!report) return
    this.record.divergence = report
    const sentence = divergenceSentence(this.record)
    if (report.diverged) this.logger.warn(sentence, { run: this.record.id })
    else this.logger.info(sentence)
  }

  /** One attempt, its executor's session around it. Every way out is recorded. */
  async #attempt(): Promise<void> {
    const { executor } = this.flow
    await this.#scheduledTime()
    if (this.engine.degraded) await this.#storeWorks()
    if (this.#ended) return
    this.logger.info(`Flow run '${this.record.name}' of flow '${this.record.flowName}' begins`)
    let end: State
    try {
      this.logger.info(`Executor '${executor.name}' starts`)
      const { id: flowRunId, name: flowRunName } = this.record
      this.#session = await executor.start({ flowRunId, flowRunName, log: this.logger })
    } catch (cause) {
      const what = `The executor '${executor.name}' of flow '${this.flow.name}' could not start`
      const error = new MintakaError('EXECUTOR_FAILED', `${what}: ${asError(cause).message}`, { cause })
      return this.#propose(states.crashed(this.engine.now(), error))
    }
    try {
      end = await this.#attemptBody()
    } finally {
      this.#accepts = false
      this.logger.info(`Executor '${executor.name}' shuts down`)
      await this.#closeSession()
    }
    if (!this.#ended && end !== this.record.state) await this.#propose(end)
  }

  async #attemptBody(): Promise<State> {
    if (!(await this.#begin())) return this.record.state
    if (this.#interrupted) return this.#interruptedState()
    this.#accepts = true
    this.#scope = { ...this.#scope, attempt: this.record.runCount }
    this.children.startAfresh()
    this.calls.startAfresh()
    this.done.startAfresh()
    const stopTimer = this.#armDeadline()
    const body = await this.#body()
    await this.children.end()
    stopTimer()
    this.#accepts = false
    if (!this.#interrupted) this.#compare(body)
    if (this.#interrupted) return this.#interruptedState()
    return finalState(this.engine.now(), await withValues(body), this.children.lives, this.children.letGo)
  }

  /** Asks the rules about RUNNING, and enters it if they let it. */
  async #begin(): Promise<boolean> {
    for (;;) {
      const { engine, record } = this
      const now = engine.now()
      const to = states.running(now, record.runCount + 1)
      const verdict = engine.propose({ run: record, from: record.state, to, now })
      if (verdict.type === 'ACCEPT') await this.#enter(to)
      else if (verdict.type === 'REJECT') await this.#enter(verdict.state)
      else if (verdict.type === 'ABORT') this.settleAborted(now, verdict.reason)
      else {
        await this.#pause(verdict.until)
        if (!this.#ended) continue
      }
      return record.state.type === 'RUNNING' && !this.#ended
    }
  }

  async #body(): Promise<BodyEnd> {
    const interrupted = new Promise<BodyEnd>(resolve => {
      this.#interrupt = () => resolve({ type: 'threw', error: this.#interrupted })
      if (this.#interrupted) this.#interrupt()
    })
    return Promise.race([this.#runBody(), interrupted])
  }

  async #runBody(): Promise<BodyEnd> {
    try {
      const parameters = await parametersFor(this.flow, this.#inputs)
      const value = scopes.run(this.#scope, () => this.flow.fn(...(parameters as [never])))
      const returned = isObject(value) && isFuture(value) ? value : await value // a sync body's future is not unwrapped
      await new Promise<void>(resolve => whenAllSettled(futuresIn(returned), resolve))
      return { type: 'returned', value: returned }
    } catch (error) {
      return { type: 'threw', error }
    }
  }

  async #closeSession(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#keepStats(session)
    try {
      await session?.[Symbol.asyncDispose]()
    } catch (error) {
      this.logger.error(`Executor '${this.executorName}' could not shut down cleanly`, { error })
    }
  }

  #keepStats(session: ExecutorSession | undefined): void {
    try {
      const stats = session?.stats?.()
      if (!stats) return
      this.record.executorStats = stats
      publishStats({ flowRun: this.record, executor: this.executorName, stats })
    } catch (error) {
      this.logger.error(`Executor '${this.executorName}' could not tell how it did`, { error })
    }
  }

  // --- what tasks and subflows ask of the flow run around them

  /** Lets a run be started in this one, or says why not. */
  admit(kind: 'Task' | 'Flow', called: string, attempt: number): void {
    if (this.#interrupted) throw this.#interrupted
    if (this.#accepts && this.#session && attempt === this.record.runCount) return
    const { name } = this.record
    const fix = 'Await what leads to the call before the flow returns.'
    throw new MintakaError(
      'FLOW_RUN_ENDED',
      `${kind} '${called}' was called in flow run '${name}', which has ended. ${fix}`,
      {
        flow: this.record.flowName,
      },
    )
  }

  context(): FlowContext {
    const { id, name } = this.record
    const write = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      this.engine.logRun(this.logger, level, message, { flowRunId: id, fields })
    this.#context ??= {
      flowRunId: id,
      flowRunName: name,
      signal: this.#controller.signal,
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    }
    return this.#context
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
    if (this.#ended || this.#interrupted) return
    this.#interrupted = why
    const running = this.record.state.type === 'RUNNING'
    if (running && why.code === 'CANCELLED') {
      const state = states.cancelling(this.engine.now(), this.record.runCount, why.message)
      this.#enter(state).catch(() => {}) // a store that refuses it refuses the last state too, and that one is awaited
    }
    this.#controller.abort(why)
    const reason = why.code === 'DIVERGED' ? divergedAround(this.record) : why.message
    for (const child of this.children.lives) child.cancel(reason)
    this.#interrupt?.()
    if (!running && this.#created) void this.#propose(this.#interruptedState()).catch(error => this.#lose(error))
    this.#waits.wake()
  }

  #interruptedState(): State {
    const why = this.#interrupted as MintakaError
    const now = this.engine.now()
    if (why.code === 'DIVERGED') return states.failed(now, why)
    return why.code === 'TIMED_OUT' ? states.timedOut(now, why) : states.cancelled(now, why)
  }

  #armDeadline(): () => void {
    const { timeoutMs } = this.flow
    if (timeoutMs === undefined) return () => {}
    return this.engine.surroundings.timer(timeoutMs, () => {
      const sentence = `Flow run '${this.record.name}' took longer than its ${timeoutMs} ms.`
      this.#stop(new MintakaError('TIMED_OUT', sentence, { timeoutMs }))
    })
  }

  #obey(signal: AbortSignal): void {
    const cancel = () => this.cancel(signal.reason === undefined ? undefined : asError(signal.reason).message)
    if (signal.aborted) return cancel()
    this.whenOver(onAbort(signal, cancel))
  }

  // --- states

  async #storeWorks(): Promise<void> {
    for (let over = this.engine.degraded; over; over = this.engine.degraded) await over
  }

  async #scheduledTime(): Promise<void> {
    const { state } = this.record
    if (state.type === 'SCHEDULED') await this.#pause(state.scheduledTime)
  }

  #pause(until: number): Promise<void> {
    return this.#waits.until(until, this.engine.surroundings, () => this.#ended)
  }

  async #propose(to: State): Promise<void> {
    for (;;) {
      const now = this.engine.now()
      const code = this.#interrupted?.code
      const retry = code === 'CANCELLED' || code === 'DIVERGED' ? undefined : this.flow
      const verdict = this.engine.propose({ run: this.record, from: this.record.state, to, now, retry })
      if (verdict.type === 'ACCEPT') return this.#enter(to)
      if (verdict.type === 'REJECT') return this.#enter(verdict.state)
      if (verdict.type === 'ABORT') return this.settleAborted(now, verdict.reason)
      await this.#pause(verdict.until)
      if (this.#ended) return
    }
  }

  async #enter(state: State): Promise<void> {
    const from = this.record.state
    enter(this.record, state)
    const ack = this.engine.store.appendState(this.record, state, this.#lateParameters(state))
    this.#mirror?.reflect(state)
    if (state.name === 'AwaitingRetry') this.#startAfresh()
    if (ack) await ack
    if (isSettled(state)) this.#end(state)
    this.engine.changed(this.record, from, state)
  }

  /** What a run was called with that had to wait for it, whole: with the state in which it begins. */
  #lateParameters({ type }: State): { readonly parameters: unknown } | undefined {
    if (this.parent || !this.#inputs.edges || type !== 'RUNNING' || this.record.runCount !== 1) return undefined
    return { parameters: argumentsToLookAt(this.#inputs)[0] }
  }

  /** What stopped the last attempt does not stop the next. */
  #startAfresh(): void {
    this.#interrupted = undefined
    this.#controller = new AbortController()
    this.#context = undefined
  }

  #end(state: SettledState): void {
    const level = state.type === 'COMPLETED' ? 'info' : 'error'
    const why = state.message === undefined ? '' : `: ${state.message}`
    this.logger[level](`Flow run '${this.record.name}' finished in state ${state.name}${why}`)
    this.#settleWatched(state)
  }

  /**
   * A top-level run that fails with nobody watching is an unhandled rejection, as for any promise. One that is cancelled
   * is what somebody asked for: another process perhaps, or the closing of the engine, which also tells what the store lost.
   */
  #settleWatched(state: SettledState): void {
    const isNews = state.type !== 'COMPLETED' && state.type !== 'CANCELLED' && !this.engine.hasGivenUp
    const unseen = isNews && !this.#watched && !this.parent
    this.settle(state)
    if (unseen) this.future.rejectUnwatched()
  }

  override watch(): void {
    this.#watched = true
  }

  protected override over(): void {
    const { settled } = this
    const call = this.#mirror?.record
    if (call && settled && this.parent?.mayRetry) {
      this.parent.done.keepSubflow(call, this.record.id, keptState(settled, this.record.id))
      if (settled.type !== 'COMPLETED' && this.#isKnown) this.parent.done.fail(this.record.id)
    }
    this.parent?.children.over()
    this.#whenOver?.()
  }

  #whenOver: (() => void) | undefined

  /** Calls back when the run has settled, without counting as somebody who watches how. */
  whenOver(callback: () => void): void {
    if (this.settled) return callback()
    const before = this.#whenOver
    this.#whenOver = () => {
      before?.()
      callback()
    }
  }

  /** The store refused, or we have a defect: the run must settle all the same. */
  async #lose(error: unknown): Promise<void> {
    this.engine.lost(`Flow run '${this.record.name}'`, error)
    if (this.settled) return
    const crashed = states.crashed(this.engine.now(), error)
    // It cannot be resumed before it has ended in the store as well.
    if (this.#created && !this.#ended) await this.#enter(crashed).catch(() => {})
    if (!this.settled) this.#settleWatched(crashed)
  }

  override leave(why: ProcessEnd): void {
    for (const child of this.children.lives) child.leave(why)
    if (this.#ended) return
    const state = leftBehind(this.record, why, this.engine.now())
    if (this.#created) this.#enter(state).catch(() => {})
    else this.#mirror?.reflect(state) // the flow run around it knows it already
  }

  // --- idempotency: one run per key, wherever it runs

  /** Whether this is the run under its key. Else it follows the one that is. */
  async #isFirst(): Promise<boolean> {
    const { id: engineId, store } = this.engine
    const holder = await holderOf(store, this.record.id, engineId, () => this.#pauses())
    if (holder?.type === 'ours') this.#giveBack = holder.giveBack
    return holder?.type === 'ours'
  }

  async #pauses(): Promise<boolean> {
    await this.#pause(this.engine.now() + followEveryMs)
    return !this.#ended
  }

  /**
   * The flow run around it calls it again, because it did not complete there: it takes the place of the run before it under
   * its key, once that has ended, or of one that somebody has continued that with.
   */
  async #succeed(previous: string): Promise<void> {
    const { store } = this.engine
    let last = previous
    let follower = new Follower(store, last)
    while (!this.#interrupted) {
      const stored = await follower.look()
      this.record.continues = last
      if (stored && !isSettled(stored.run.state)) {
        await this.#pauses()
        continue
      }
      if (!stored || stored.run.state.type === 'COMPLETED') return
      const next = await continuationOf(store, last, this.record.id, async () => {
        await this.#pauses()
        return this.#interrupted === undefined
      })
      if (next === this.record.id) return
      last = next
      follower = new Follower(store, last)
    }
  }

  /** Goes on where the run before it under its key ended. */
  async #goOn(previous: string): Promise<void> {
    const { parent } = this
    const call = this.#mirror?.record
    const { continues = previous } = this.record
    if (call) parent?.done.takeChild(call, previous)
    const completed = await resultOf(this.engine.store, continues)
    if (completed && (await this.#enterKnown(completed))) return call && parent?.done.reused(call)
    if (call) parent?.done.ranAgain(call)
    await this.#continue(continues)
  }

  /** Somebody else carries this run out, or has: its end is this run's end. `false`: it has been removed, so it may be begun. */
  async #followOther(): Promise<boolean> {
    const { store } = this.engine
    this.#isKnown = true
    const follower = new Follower(store, this.record.id)
    let isAskedToStop = false
    while (!this.#ended) {
      const other = await follower.look()
      if (!other) return false
      if (this.#interrupted && !isAskedToStop) {
        isAskedToStop = true
        await store.post(other.owner, { type: 'cancel', runId: this.record.id, reason: this.#interrupted.message })
      }
      if (isSettled(other.run.state)) {
        this.#mirror?.reflect(other.run.state)
        const call = this.#mirror?.record
        const wasCalled = call && this.parent?.done.takeChild(call, this.record.id)
        if (wasCalled && other.run.state.type === 'COMPLETED') this.parent?.done.reused(call)
        this.#settleWatched(other.run.state)
        return true
      }
      await this.#pause(this.engine.now() + followEveryMs)
    }
    return true
  }
}

/** How far behind its time a run begins that is Late. */
const lateAfterMs = 5000

function firstState({ occasion }: FlowDefinition, now: number): State {
  const { scheduledTime } = occasion ?? {}
  if (scheduledTime === undefined) return states.pending(now)
  return now - scheduledTime > lateAfterMs ? states.late(now, scheduledTime) : states.scheduled(now, scheduledTime)
}

/** A flow ends with values: results that have stayed elsewhere are fetched, before their executor closes. */
async function withValues(body: BodyEnd): Promise<BodyEnd> {
  if (body.type === 'threw') return body
  try {
    await fetchHeld(futuresIn(body.value))
    await fetchHeldIn(body.value)
    return body
  } catch (error) {
    return { type: 'threw', error }
  }
}

/** What a later attempt takes over, whatever becomes of the result in this one. */
function keptState(settled: SettledState, from: string): Completed | undefined {
  const completed = cachedState(settled, from)
  return completed && states.cached(completed.timestamp, keptCopy(completed.result), from)
}

/** What a later run takes over of one that has completed. */
function cachedState(state: State, from: string): Completed | undefined {
  if (state.type !== 'COMPLETED' || isNotPersisted(state.result)) return undefined
  return states.cached(state.timestamp, state.result, from)
}

async function resultOf(store: Store, flowRunId: string): Promise<Completed | undefined> {
  const stored = await store.getFlowRun(flowRunId)
  return stored && cachedState(stored.run.state, flowRunId)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
