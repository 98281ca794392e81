import type { EngineEvent } from '../core/event.js'
import type { Store } from '../core/store.js'
import type { Surroundings } from '../core/surroundings.js'

/** How long a closing engine waits for a store that cannot be written, unless it was told otherwise. */
const patienceMs = 5000

interface Surrounding {
  readonly store: Store
  readonly surroundings: Surroundings
  readonly tell: (event: EngineEvent) => void
  /** The store is given up: what waits for it has waited in vain. */
  readonly giveUp: () => void
}

/**
 * The times in which the store cannot be written. Each is announced when it begins and when it is over; what would begin
 * waits for the end. An engine that is closing waits so long and no longer.
 */
export class StoreTrouble {
  readonly #around: Surrounding
  #over: Promise<void> | undefined
  #patienceMs: number | undefined
  #stopTimer: (() => void) | undefined
  /** What ends now does not end because the store can be written again. */
  #isClosed = false

  constructor(around: Surrounding) {
    this.#around = around
  }

  /** What a new run has to wait for; `undefined`, nearly always: nothing. */
  get over(): Promise<void> | undefined {
    const { degraded } = this.#around.store
    if (degraded !== undefined) this.begins('The store cannot be written.', degraded)
    return degraded
  }

  begins(reason: string, over: Promise<void>): void {
    if (this.#over === over) return
    const { surroundings, tell } = this.#around
    this.#over = over
    tell({ type: 'store-degraded', reason, at: surroundings.now() })
    const ends = () => {
      if (this.#over !== over) return
      this.#over = undefined
      this.#disarm()
      if (!this.#isClosed) tell({ type: 'store-restored', at: surroundings.now() })
    }
    over.then(ends, ends)
    this.#arm()
  }

  /** The engine is closing, and waits for the store no longer than that. A second time it may be less patient. */
  closing(timeoutMs = this.#patienceMs ?? patienceMs): void {
    this.#patienceMs = timeoutMs
    this.#arm()
  }

  /** The store is being closed. */
  storeCloses(): void {
    this.#isClosed = true
    this.#disarm()
  }

  #arm(): void {
    if (this.#isClosed || this.#over === undefined || this.#patienceMs === undefined) return
    this.#disarm()
    const { surroundings, giveUp } = this.#around
    this.#stopTimer = surroundings.timer(this.#patienceMs, giveUp)
  }

  #disarm(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }
}
