import { hostname } from 'node:os'
import type { Documents } from '../core/documents.js'
import { asError, MintakaError } from '../core/errors.js'
import { isSettled, type State, states } from '../core/state.js'
import type { Engine } from '../engine/engine.js'
import { Pause } from '../engine/pause.js'
import { lockOf, whileListed } from './agents.js'
import { documentsOf } from './deployments.js'
import type { Launch, LaunchEnd, Launcher } from './launcher.js'
import { type Plan, readPlan, runsToTake } from './plan.js'
import { kinds, type ScheduledRun, type Taker, toDocument } from './record.js'
import { recordEnd } from './record-end.js'
import { Scheduler } from './scheduler.js'

/** What an agent is made of. */
export interface AgentParts {
  /** Its store is that of the deployments; it is not closed with the agent. */
  readonly engine: Engine
  readonly launcher: Launcher
  /** How many runs it carries out at once. */
  readonly concurrency: number
  /** How often it looks for what others have entered. Default 1000. */
  readonly pollMs?: number | undefined
  readonly tell?: ((event: AgentEvent) => void) | undefined
}

/** What an agent tells of its runs. */
export type AgentEvent =
  | { readonly type: 'begun'; readonly run: ScheduledRun }
  | { readonly type: 'ended'; readonly run: ScheduledRun; readonly state: State | undefined }

/** How long it waits for another agent that is just deciding. */
const busyMs = 50

/**
 * Begins the runs of deployments when they are due, the earliest first, and sees them to their end. Any number of agents
 * may share a store. Each holds a lock that bears its name for as long as it lives: of one whose lock is free, the others
 * take over what it had begun. That no run happens twice is not their doing: whoever carries one out claims it first.
 */
export class Agent {
  readonly id: string
  /** Resolves when it has stopped, and all that it had begun has ended. */
  readonly ended: Promise<void>
  readonly #parts: AgentParts
  readonly #scheduler: Scheduler
  readonly #taker: Taker
  readonly #launched = new Map<string, Launch>()
  /** How launches ended whose runs are not settled yet. */
  readonly #ends = new Map<string, LaunchEnd>()
  readonly #settling = new Map<string, Promise<void>>()
  readonly #rest = new Pause()
  #wokenUp = false
  #stops = false
  #leave: (() => void) | undefined
  /** Resolves when others see that it is gone. */
  #left: Promise<void> | undefined
  #trouble: string | undefined

  constructor(parts: AgentParts) {
    const { engine, launcher } = parts
    this.#parts = parts
    this.id = engine.surroundings.newId()
    this.#taker = { agent: this.id, pid: process.pid, host: hostname() }
    this.#scheduler = new Scheduler({
      documents: documentsOf(engine.store),
      now: engine.now,
      newName: engine.surroundings.newName,
      logger: engine.logger,
      serves: id => launcher.serves(id),
    })
    this.ended = this.#live()
  }

  /** Begins nothing more; {@link ended} waits for what it has begun. */
  stop(): void {
    this.#stops = true
    this.#wake()
  }

  /** Stops, and does not wait for what it has begun to end by itself. */
  force(how: 'cancel' | 'kill'): void {
    this.stop()
    for (const launch of this.#launched.values()) launch.stop(how)
  }

  /** How many runs it carries out now. */
  get running(): number {
    return this.#launched.size
  }

  async #live(): Promise<void> {
    const { engine } = this.#parts
    await engine.ready
    while (!this.#stops && !engine.isClosed) {
      const until = await this.#lookSafely()
      if (!this.#wokenUp) await this.#rest.until(until, engine.surroundings, () => this.#wokenUp)
      this.#wokenUp = false
    }
    this.#stops = true
    await Promise.all([...this.#launched.values()].map(({ ended }) => ended))
    while (this.#settling.size > 0) await Promise.allSettled(this.#settling.values())
    this.#leave?.()
    await this.#left
  }

  #wake(): void {
    this.#wokenUp = true
    this.#rest.wake()
  }

  // --- looking

  /** When to look again. What goes wrong is told, once, and tried again. */
  async #lookSafely(): Promise<number> {
    const { engine, pollMs = 1000 } = this.#parts
    try {
      const next = await this.#look()
      if (this.#trouble !== undefined) engine.logger.info('The store can be used again')
      this.#trouble = undefined
      return Math.min(next ?? Number.POSITIVE_INFINITY, engine.now() + pollMs)
    } catch (error) {
      this.#tellTrouble(error)
      return engine.now() + pollMs
    }
  }

  #tellTrouble(error: unknown): void {
    const { message } = asError(error)
    if (message !== this.#trouble) this.#parts.engine.logger.warn(`The agent will try again: ${message}`)
    this.#trouble = message
  }

  async #look(): Promise<number | undefined> {
    await this.#enterLock()
    const plan = await readPlan(this.#documents)
    const gone = await this.#goneIn(plan)
    await this.#settleLeftovers(plan)
    if (!this.#scheduler.isDue(plan) && this.#toTake(plan, gone).length === 0) return this.#nextTime(plan)
    const done = await this.#documents.exclusively('schedule', () => this.#decideAndTake(gone))
    if (!done) return this.#parts.engine.now() + busyMs
    const { plan: then, taken } = done.value
    for (const run of taken) await this.#begin(then, run)
    return this.#nextTime(then)
  }

  /** What is decided and taken here nobody else decides and takes meanwhile. */
  async #decideAndTake(gone: ReadonlySet<string>) {
    await this.#scheduler.enterDue(await readPlan(this.#documents))
    const plan = await readPlan(this.#documents)
    const taken = this.#toTake(plan, gone)
    for (const run of taken)
      await this.#documents.put(kinds.scheduled, run.id, toDocument({ ...run, takenBy: this.#taker }))
    return { plan, taken }
  }

  #toTake(plan: Plan, gone: ReadonlySet<string>): readonly ScheduledRun[] {
    const { concurrency, engine, launcher } = this.#parts
    if (this.#stops) return []
    return runsToTake(plan, {
      now: engine.now(),
      slots: concurrency - this.#launched.size,
      serves: id => launcher.serves(id),
      isGone: agent => gone.has(agent),
    })
  }

  /** When something is due next. What is due already waits for a slot, which wakes the agent up. */
  #nextTime(plan: Plan): number | undefined {
    const now = this.#parts.engine.now()
    const times = plan.scheduled.map(({ scheduledTime }) => scheduledTime).filter(time => time > now)
    const next = this.#scheduler.nextDue(plan)
    const least = Math.min(next ?? Number.POSITIVE_INFINITY, ...times)
    return Math.max(least, now + busyMs)
  }

  // --- who is there

  /** The lock by which others see that it lives. */
  async #enterLock(): Promise<void> {
    if (this.#leave) return
    const isHeld = new Promise<boolean>((resolve, reject) => {
      const untilLeft = () =>
        new Promise<void>(leave => {
          this.#leave = leave
          resolve(true)
        })
      const listed = whileListed(this.#documents, this.#taker, untilLeft)
      this.#left = listed.then(() => {}).catch(() => {}) // who looks for agents removes what is left of it
      listed.then(() => resolve(false), reject)
    })
    if (!(await isHeld)) throw new MintakaError('STORE_WRITE_FAILED', `The lock of agent ${this.id} is not free.`)
  }

  /** The agents that have taken runs and are no more. */
  async #goneIn({ scheduled }: Plan): Promise<ReadonlySet<string>> {
    const agents = new Set(scheduled.map(({ takenBy }) => takenBy?.agent).filter(agent => agent !== undefined))
    agents.delete(this.id)
    const gone = new Set<string>()
    for (const agent of agents) if (await this.#documents.exclusively(lockOf(agent), async () => true)) gone.add(agent)
    return gone
  }

  // --- runs

  async #begin(plan: Plan, run: ScheduledRun): Promise<void> {
    const { engine, launcher, tell } = this.#parts
    // Whoever had it before may have begun it.
    if (run.takenBy && (await engine.store.getFlowRun(run.id))) return this.#settle(run, undefined)
    const record = plan.deployments.find(({ id }) => id === run.deployment)
    if (!record) {
      const error = new MintakaError('NOT_FOUND', `Its deployment '${run.deployment}' has been deleted.`)
      return this.#settle(run, { type: 'failed', error })
    }
    const launch = launcher.launch(run, record)
    this.#launched.set(run.id, launch)
    tell?.({ type: 'begun', run })
    void launch.ended.then(end => {
      this.#launched.delete(run.id)
      this.#ends.set(run.id, end)
      this.#wake()
      return this.#settle(run, end, record.file).catch(error => this.#tellTrouble(error))
    })
  }

  /** What it has taken and does not carry out: what others had begun, and what could not be settled for want of a store. */
  async #settleLeftovers(plan: Plan): Promise<void> {
    for (const run of plan.scheduled) {
      if (run.takenBy?.agent !== this.id || this.#launched.has(run.id) || this.#settling.has(run.id)) continue
      const end = this.#ends.get(run.id)
      if (end || (await this.#parts.engine.store.getFlowRun(run.id))) await this.#settle(run, end)
      else if (this.#launched.size < this.#parts.concurrency) await this.#begin(plan, run)
    }
  }

  #settle(run: ScheduledRun, end: LaunchEnd | undefined, file?: string): Promise<void> {
    const known = this.#settling.get(run.id)
    if (known) return known
    const settled = this.#finish(run, end, file).finally(() => this.#settling.delete(run.id))
    settled.catch(() => {}) // told to whoever waits for it
    this.#settling.set(run.id, settled)
    return settled
  }

  /** Its flow run has ended, or will not begin: then the store says so, and its document goes. */
  async #finish(run: ScheduledRun, end: LaunchEnd | undefined, file: string | undefined): Promise<void> {
    const { engine, tell } = this.#parts
    const { store } = engine
    let stored = await store.getFlowRun(run.id)
    if (stored && !isSettled(stored.run.state)) {
      await store.recover?.()
      stored = await store.getFlowRun(run.id)
    }
    if (stored && !isSettled(stored.run.state) && !(end && stored.owner === engine.id)) return // somebody else carries it out
    if (!stored && end) {
      const recorder = { store, owner: engine.id, now: engine.now, file }
      const { type, error } = end.type === 'ran' ? unrecorded(run) : end
      if (!(await recordEnd(recorder, run, at => states[type](at, error)))) return
      stored = await store.getFlowRun(run.id)
    }
    const wasThere = await this.#documents.remove(kinds.scheduled, run.id)
    this.#ends.delete(run.id)
    if (wasThere || end) tell?.({ type: 'ended', run, state: stored?.run.state })
  }

  get #documents(): Documents {
    return documentsOf(this.#parts.engine.store)
  }
}

/** It ended before the store had it, which could not be written. */
function unrecorded({ name }: ScheduledRun) {
  const sentence = `Flow run '${name}' was lost: its store could not be written when it began.`
  return { type: 'crashed', error: new MintakaError('CRASHED', sentence) } as const
}
