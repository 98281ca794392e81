import type { Ends } from './ends.js'
import type { HeldCalls } from './held-calls.js'
import { mayGather, netMs } from './policy.js'
import type { Slots } from './slots.js'

/**
 * When what has ended in a thread is looked for: when the thread says that something has, which it does when asked, once.
 * It is asked to say so at once, or in its own time where many ends can come together; then it is looked for without a
 * word as well, if that takes long.
 */
export class Lookout {
  private readonly slots: Slots
  private readonly held: HeldCalls
  private readonly ends: Ends
  private readonly onLook: () => void
  private isLooking = false
  private isClosed = false
  /** Looks for ends of which the thread could not tell. */
  private net: NodeJS.Timeout | undefined

  /** `onLook` finds what has ended, and gives the thread others if it can take them. */
  constructor(slots: Slots, held: HeldCalls, ends: Ends, onLook: () => void) {
    this.slots = slots
    this.held = held
    this.ends = ends
    this.onLook = onLook
  }

  /** Has what has ended found and settled, and asks to be told of more. */
  look(): void {
    if (this.isLooking || this.isClosed) return
    this.isLooking = true
    try {
      // First the thread: it shall not wait for what the results set off.
      this.onLook()
      this.ends.settle()
    } finally {
      this.isLooking = false
    }
    this.askForMore()
  }

  private askForMore(): void {
    const { held, slots, ends } = this
    // What settling has set off may have had the pool look in between.
    if (ends.areUnsettled) this.lookAgain()
    if (held.left === 0) return
    if (held.at(held.first)?.work.call.timeoutMs !== undefined) held.tellBegun()
    if (mayGather(held.left, ends.leastMs)) return this.askToTellSoon()
    slots.want()
    if (slots.hasEnded(held.first) || slots.isTakenBack(held.first)) this.lookAgain()
  }

  // Looks by itself when that may have become too long.
  private askToTellSoon(): void {
    this.slots.wantSoon()
    if (this.net) this.net.refresh()
    else this.net = setTimeout(() => this.look(), netMs).unref()
  }

  // Not at once: others want to have their turn of the loop.
  private lookAgain(): void {
    setImmediate(() => this.look())
  }

  /** Looks once more where something has been found and is not about to be settled: that keeps the process until it is. */
  leaveNothing(): void {
    if (this.ends.areUnsettled && !this.isLooking) this.lookAgain()
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.net)
  }
}
