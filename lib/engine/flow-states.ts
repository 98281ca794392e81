import type { RetryPolicy } from '../core/retry.js'
import { enter, type FlowRun } from '../core/run.js'
import { type Completed, isSettled, type SettledState, type State, states } from '../core/state.js'
import { argumentsToLookAt } from './attempt-arguments.js'
import type { FlowDefinition } from './definitions.js'
import type { Engine } from './engine.js'
import { tooDeep } from './flow-depth.js'
import { newFlowRun } from './flow-record.js'
import { type Inputs, takeInputs } from './inputs.js'
import { leftBehind, logEnd, type ProcessEnd } from './life.js'
import { atLevel, type LeveledLogger } from './logger.js'
import { Mirror } from './mirror.js'
import { Pause } from './pause.js'
import type { FlowLife, FlowStart } from './run-flow.js'
import { unite } from './scope.js'
import { WatchedLife } from './watched-life.js'

/**
 * The states of a flow run: the rules are asked about each, the store keeps it, the task run that mirrors it in its parent
 * has it too, then those who listen are told, and those who wait if it is the last. Which states the run wants to be in is
 * the matter of who extends it.
 */
export abstract class FlowStates extends WatchedLife {
  readonly record: FlowRun
  readonly engine: Engine
  readonly logger: LeveledLogger
  readonly flow: FlowDefinition
  /** The flow run around it. */
  readonly parent: FlowLife | undefined
  /** How many flow runs it is in, itself included. */
  readonly depth: number
  protected readonly mirror: Mirror | undefined
  protected readonly inputs: Inputs
  protected readonly waits = new Pause()
  /** Whether the store has it, or another one that it follows. */
  protected isKnown = false
  #created = false

  protected constructor(flow: FlowDefinition, parameters: readonly unknown[], start: FlowStart) {
    super()
    const { engine, id, parent, scope } = start
    this.engine = engine
    this.logger = flow.logLevel ? atLevel(engine.logger, flow.logLevel) : engine.logger
    this.flow = flow
    this.parent = parent
    this.depth = parent ? parent.depth + 1 : 1
    if (this.depth > engine.maxFlowDepth) throw tooDeep(this, engine.maxFlowDepth)
    this.inputs = takeInputs(parameters, flow.waitFor, 'parameters')
    const created = engine.now()
    const tags = unite(flow.tags, scope.tags)
    this.mirror = parent && new Mirror(parent, flow, id, this.inputs, tags, created)
    this.record = newFlowRun(flow, {
      id,
      name: flow.runName ?? engine.surroundings.newName(),
      created,
      tags,
      parentTaskRunId: this.mirror?.record.id,
      parentFlowRunId: parent?.record.id,
      parameters,
      continues: start.continues?.id ?? start.previous,
    })
  }

  /** What the rules make of a failure. */
  protected abstract get retry(): RetryPolicy | undefined

  /** The run is going to be attempted again. */
  protected abstract startAfresh(): void

  /** Whether nothing will follow: the run has settled, or is about to, once the store has acknowledged its last state. */
  protected get hasEnded(): boolean {
    return this.settled !== undefined || isSettled(this.record.state)
  }

  /** Whether the store has been given it. */
  protected get isCreated(): boolean {
    return this.#created
  }

  /** Gives it to the store, with what it was called with. */
  protected async create(): Promise<void> {
    this.#created = true
    this.isKnown = true
    // A subflow is called again by the flow around it, with what that has then.
    const isWhole = !this.parent && !this.inputs.edges
    const ack = this.engine.created(this.record, isWhole ? { parameters: this.inputs.args[0] } : undefined)
    if (ack) await ack
  }

  // --- what the rules say

  /** Asks the rules about RUNNING, and enters it if they let it. */
  protected async begin(): Promise<boolean> {
    for (;;) {
      const { engine, record } = this
      const now = engine.now()
      const to = states.running(now, record.runCount + 1)
      const verdict = engine.propose({ run: record, from: record.state, to, now })
      if (verdict.type === 'ACCEPT') await this.enter(to)
      else if (verdict.type === 'REJECT') await this.enter(verdict.state)
      else if (verdict.type === 'ABORT') this.settleAborted(now, verdict.reason)
      else {
        await this.pause(verdict.until)
        if (!this.hasEnded) continue
      }
      return record.state.type === 'RUNNING' && !this.hasEnded
    }
  }

  /** Ends the run before it begins, if the rules agree. */
  protected async enterKnown(cached: Completed): Promise<boolean> {
    const { engine, record } = this
    const now = engine.now()
    const verdict = engine.propose({ run: record, from: record.state, to: states.running(now, 1), now, cached })
    if (verdict.type !== 'REJECT') return false
    await this.enter(verdict.state)
    return true
  }

  /** Proposes a state that the run wants to be in, and enters what the rules make of it. */
  protected async propose(to: State): Promise<void> {
    for (;;) {
      const { engine, record, retry } = this
      const now = engine.now()
      const verdict = engine.propose({ run: record, from: record.state, to, now, retry })
      if (verdict.type === 'ACCEPT') return this.enter(to)
      if (verdict.type === 'REJECT') return this.enter(verdict.state)
      if (verdict.type === 'ABORT') return this.settleAborted(now, verdict.reason)
      await this.pause(verdict.until)
      if (this.hasEnded) return
    }
  }

  // --- what it waits for

  protected async storeWorks(): Promise<void> {
    for (let over = this.engine.degraded; over; over = this.engine.degraded) await over
  }

  protected async scheduledTime(): Promise<void> {
    const { state } = this.record
    if (state.type === 'SCHEDULED') await this.pause(state.scheduledTime)
  }

  protected pause(until: number): Promise<void> {
    return this.waits.until(until, this.engine.surroundings, () => this.hasEnded)
  }

  // --- what is kept and told

  protected async enter(state: State): Promise<void> {
    const from = this.record.state
    enter(this.record, state)
    const ack = this.engine.store.appendState(this.record, state, this.#lateParameters(state))
    this.mirror?.reflect(state)
    if (state.name === 'AwaitingRetry') this.startAfresh()
    if (ack) await ack
    if (isSettled(state)) {
      logEnd(this.logger, this.record, state)
      this.end(state)
    }
    this.engine.changed(this.record, from, state)
  }

  /** What a run was called with that had to wait for it, whole: with the state in which it begins. */
  #lateParameters({ type }: State): { readonly parameters: unknown } | undefined {
    if (this.parent || !this.inputs.edges || type !== 'RUNNING' || this.record.runCount !== 1) return undefined
    return { parameters: argumentsToLookAt(this.inputs)[0] }
  }

  /**
   * Settles. A top-level run that fails is news. One that is cancelled is what somebody asked for: another process perhaps,
   * or the closing of the engine, which also tells what the store lost.
   */
  protected end(state: SettledState): void {
    const isAskedFor = state.type === 'COMPLETED' || state.type === 'CANCELLED'
    this.settleWatched(state, !isAskedFor && !this.parent && !this.engine.hasGivenUp)
  }

  protected override over(): void {
    if (this.settled) this.mirror?.over(this.record.id, this.settled, this.isKnown)
    super.over()
  }

  /** The store refused, or we have a defect: the run must settle all the same. */
  protected async lose(error: unknown): Promise<void> {
    this.engine.lost(`Flow run '${this.record.name}'`, error)
    if (this.settled) return
    const crashed = states.crashed(this.engine.now(), error)
    // It cannot be resumed before it has ended in the store as well.
    if (this.#created && !this.hasEnded) await this.enter(crashed).catch(() => {})
    if (!this.settled) this.end(crashed)
  }

  override leave(why: ProcessEnd): void {
    if (this.hasEnded) return
    const state = leftBehind(this.record, why, this.engine.now())
    if (this.#created) this.enter(state).catch(() => {})
    else this.mirror?.reflect(state) // the flow run around it knows it already
  }
}
