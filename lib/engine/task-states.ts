import { enter } from '../core/run.js'
import { type Completed, isSettled, type SettledState, type State, states } from '../core/state.js'
import type { Waiting } from './acknowledged.js'
import type { TaskDefinition } from './definitions.js'
import { areSmall, takeInputs } from './inputs.js'
import type { KnownResults } from './known-results.js'
import { Life, leftBehind, logEnd, type ProcessEnd } from './life.js'
import type { FlowLife } from './run-flow.js'
import { TaskExtras } from './task-extras.js'
import { takeInputKey } from './task-keys.js'
import { TaskRecord } from './task-record.js'

/**
 * The states of a task run: the rules are asked about each, the store keeps it, then those who listen are told, and those
 * who wait if it is the last. Which states the run wants to be in is the matter of who extends it.
 */
export abstract class TaskStates extends Life implements Waiting<State> {
  readonly record: TaskRecord
  readonly flow: FlowLife
  readonly task: TaskDefinition
  protected extras: TaskExtras | undefined

  protected constructor(flow: FlowLife, task: TaskDefinition, args: readonly unknown[], tags: readonly string[]) {
    super()
    const { calls, engine, session } = flow
    const of = calls.of(task, tags, session.where)
    const pending = states.pending(engine.now())
    this.flow = flow
    this.task = task
    this.extras = undefined
    if (task.waitFor === undefined && areSmall(args)) {
      this.record = new TaskRecord(of, calls.next(), of.counter.count++, pending, args, undefined)
    } else {
      const inputs = takeInputs(args, task.waitFor, undefined, session.where)
      this.someExtras().inputs = inputs
      this.record = new TaskRecord(of, calls.next(), of.counter.count++, pending, inputs.args, inputs.described)
    }
  }

  /** Its extras, made when there is something to keep there. */
  protected someExtras(): TaskExtras {
    this.extras ??= new TaskExtras()
    return this.extras
  }

  /** Whether nothing will follow: the run has settled, or is about to, once the store has acknowledged its last state. */
  protected get hasEnded(): boolean {
    return this.settled !== undefined || isSettled(this.record.state)
  }

  // --- what the rules say

  /** Whether the attempt may begin: asks the rules about RUNNING, with the cached result if there is one. */
  mayRun(): boolean | Promise<boolean> {
    if (this.hasEnded || this.extras?.cancelled) return false
    const { degraded } = this.flow.engine
    if (degraded) return degraded.then(() => this.mayRun())
    const known = this.extras?.known
    if (known?.mayBe && this.record.runCount === 0) return this.#mayRunUnlessKnown(known)
    return this.admit(undefined)
  }

  async #mayRunUnlessKnown(results: KnownResults): Promise<boolean> {
    try {
      this.takeKey()
      const known = await results.find()
      return this.hasEnded || this.extras?.cancelled ? false : this.admit(known)
    } catch (error) {
      await this.propose(states.failed(this.flow.engine.now(), error))
      return false
    }
  }

  /** Whether the rules let the run begin. A result that is known ends it instead, if they agree. */
  protected admit(cached: Completed | undefined): boolean {
    const { engine } = this.flow
    const from = this.record.state
    if (!cached && engine.accepts(from.type, 'RUNNING')) return true
    const now = engine.now()
    const to = states.running(now, this.record.runCount + 1)
    const verdict = engine.propose({ run: this.record, from, to, now, cached })
    if (verdict.type === 'ACCEPT') return true
    if (verdict.type === 'WAIT') this.someExtras().notBefore = verdict.until
    else if (verdict.type === 'ABORT') this.settleAborted(now, verdict.reason)
    else this.enter(verdict.state)
    return false
  }

  /**
   * Proposes a state that the run wants to be in, and enters what the rules make of it. Gives a promise only if they say
   * that it has to wait.
   */
  protected propose(to: State, now = to.timestamp): Promise<void> | undefined {
    const { engine } = this.flow
    const from = this.record.state
    if (engine.accepts(from.type, to.type)) return this.enter(to)
    const verdict = engine.propose({ run: this.record, from, to, now, retry: this.task })
    if (verdict.type === 'ACCEPT') return this.enter(to)
    if (verdict.type === 'REJECT') return this.enter(verdict.state)
    if (verdict.type === 'WAIT') return this.#proposeAgain(to, verdict.until - now)
    this.settleAborted(now, verdict.reason)
    return undefined
  }

  async #proposeAgain(to: State, ms: number): Promise<void> {
    await new Promise<void>(resolve => void this.flow.engine.surroundings.timer(ms, resolve))
    if (!this.hasEnded) await this.propose(to, this.flow.engine.now())
  }

  // --- what is kept and told

  /** Nobody is told that the run has settled before the store has acknowledged it. */
  protected enter(state: State): undefined {
    const { engine } = this.flow
    const from = this.record.state
    enter(this.record, state)
    if (state.type === 'COMPLETED' && this.extras) {
      if (this.extras.inputs && state.name === 'Completed') this.takeKey()
      this.extras.known?.keep(state)
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

  #retryAt(time: number): void {
    const extras = this.someExtras()
    extras.notBefore = time
    extras.timedOut = undefined
  }

  /** Makes the key of what the run is called with, where that does not follow from its record. */
  protected takeKey(): void {
    takeInputKey(this.record, this.task, this.flow.engine.store, this.extras)
  }

  /** The store has acknowledged the last state. */
  stored(from: State): void {
    this.#end(from, this.record.state as SettledState)
  }

  #end(from: State, state: SettledState): void {
    this.settle(state)
    this.flow.engine.changed(this.record, from, state)
    logEnd(this.flow.logger, this.record, state)
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
}
