import { type Completed, states } from '../core/state.js'
import { keptCopy } from '../values/kept.js'
import { isCertain } from './certainty.js'
import type { TaskDefinition } from './definitions.js'
import type { FlowLife } from './run-flow.js'
import { cacheKeyOf } from './task-keys.js'
import type { TaskRecord } from './task-record.js'

/**
 * Results that a task run need not compute, because they are in the cache; and what it leaves there, and for later
 * attempts of its flow run. Made only for runs that may find one or leave one.
 */
export class KnownResults {
  readonly #flow: FlowLife
  readonly #task: TaskDefinition
  readonly #record: TaskRecord
  /** The arguments, to be looked at and not changed. */
  readonly #args: () => readonly unknown[]
  #cacheKey: string | undefined

  constructor(flow: FlowLife, task: TaskDefinition, record: TaskRecord, args: () => readonly unknown[]) {
    this.#flow = flow
    this.#task = task
    this.#record = record
    this.#args = args
  }

  /** Whether a run of `task` may find a result or leave one. */
  static concern(flow: FlowLife, task: TaskDefinition): boolean {
    return task.cacheKey !== undefined || flow.done.keeps
  }

  /** Whether there may be one. */
  get mayBe(): boolean {
    return this.#task.cacheKey !== undefined
  }

  /** The cached result for these arguments, if there is one. Rejects with what a user's function of the key threw. */
  async find(): Promise<Completed | undefined> {
    const key = cacheKeyOf(this.#task, this.#record, this.#flow.record.flowName, this.#args)
    if (key === undefined) return undefined
    const { store, now, logger } = this.#flow.engine
    if (this.#task.cacheKey === 'inputs' && !(await isCertain(this.#task, 'cache', logger))) return undefined
    this.#cacheKey = key
    const entry = await store.getCached(key)
    if (!entry || (entry.expires !== undefined && entry.expires <= now())) return undefined
    return states.cached(entry.state.timestamp, entry.state.result, entry.runId)
  }

  /** Leaves a result for others. */
  keep(state: Completed): void {
    const { timestamp, result, cachedFrom = this.#record.id } = state
    // The body gets the result, and may change it.
    if (this.#flow.mayRetry) this.#flow.done.keep(this.#record, states.cached(timestamp, keptCopy(result), cachedFrom))
    if (this.#cacheKey !== undefined && state.name !== 'Cached') this.#put(this.#cacheKey, state)
  }

  #put(key: string, state: Completed): void {
    const { cacheForMs } = this.#task
    const expires = cacheForMs === undefined ? undefined : state.timestamp + cacheForMs
    const { engine } = this.#flow
    const { id: runId, name } = this.#record
    const warn = (error: unknown) => engine.logger.warn(`The result of '${name}' was not cached`, { error })
    try {
      const put = engine.store.putCached(key, { state, expires, runId })
      if (put) put.catch(warn)
    } catch (error) {
      warn(error)
    }
  }
}
