import { look } from '../lib/threads/protocol.js'
import type { Slots } from '../lib/threads/slots.js'
import { post } from './context.js'

/** How long ends may wait for others to be told of with them, where the pool is in no hurry. A message costs 15 µs. */
const gatherMs = 0.5

/** Tells the pool that calls have ended, when it has asked to be told. */
export class Teller {
  private readonly slots: Slots
  private toldAt = 0
  private hasMore = false

  constructor(slots: Slots) {
    this.slots = slots
  }

  /** A call has ended. `isHeard`: by a message of its own, and with it all before it. */
  ended(now: number, isHeard: boolean): void {
    if (this.slots.isWanted(now - this.toldAt < gatherMs)) {
      this.toldAt = now
      this.hasMore = false
      if (!isHeard) post(look)
    } else this.hasMore = !isHeard
  }

  /** Nothing will end for some time: what has ended waits for no other. */
  pauses(): void {
    if (this.hasMore && this.slots.isWanted(false)) post(look)
    this.hasMore = false
  }

  /** A call begins of which the pool wants to know at once. */
  begins(): void {
    if (this.slots.isWanted(false)) post(look)
  }
}
