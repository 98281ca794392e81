import type { Completed } from '../core/state.js'

/**
 * What the tasks of a flow run's attempts have done, by reuse key: a later attempt takes it over instead of doing it
 * again. As a multiset: equal calls answer equal calls, in whatever order `Promise.all` makes them.
 */
export class DoneRuns {
  /** Whether anything is kept at all: a flow without retries has no later attempt. */
  readonly keeps: boolean
  #before: Map<string, Completed[]> | undefined
  readonly #now = new Map<string, Completed[]>()

  constructor(keeps: boolean) {
    this.keeps = keeps
  }

  /** Whether an earlier attempt may have done what a task is about to do. */
  get offers(): boolean {
    return this.#before !== undefined
  }

  keep(key: string | undefined, state: Completed): void {
    if (key === undefined) return
    const known = this.#now.get(key)
    if (known) known.push(state)
    else this.#now.set(key, [state])
  }

  /** What an earlier attempt has done under that key. Each is taken once. */
  take(key: string | undefined): Completed | undefined {
    return key === undefined ? undefined : this.#before?.get(key)?.shift()
  }

  /** Another attempt begins: what the last one has done, and what it left of those before, is there for it. */
  startAfresh(): void {
    for (const [key, left] of this.#before ?? []) for (const state of left) this.keep(key, state)
    if (this.#now.size > 0) this.#before = new Map(this.#now)
    this.#now.clear()
  }
}
