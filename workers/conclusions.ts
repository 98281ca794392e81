import type { Clock } from '../lib/threads/clock.js'
import type { Reply } from '../lib/threads/protocol.js'
import { form, slotTextBytes } from '../lib/threads/results.js'
import type { Slots } from '../lib/threads/slots.js'
import { isSlight } from '../lib/threads/weight.js'
import { encode, thrownToWire } from '../lib/values/wire.js'
import { type CallContext, post } from './context.js'
import { drain, isWriting } from './output.js'
import type { Teller } from './teller.js'

/** Ends calls: what came of them goes to shared memory if it is small, by message if not. Each gives the time. */
export class Conclusions {
  private readonly slots: Slots
  private readonly clock: Clock
  private readonly teller: Teller

  constructor(slots: Slots, clock: Clock, teller: Teller) {
    this.slots = slots
    this.clock = clock
    this.teller = teller
  }

  returned(context: CallContext, value: unknown): number | Promise<number> {
    context.end()
    const { n } = context
    if (this.slots.results.keep(n, value)) return this.conclude(context)
    const moved: ArrayBuffer[] = []
    let wire: unknown
    try {
      const encoded = encode(value, 'the result', { task: context.taskName, moved })
      wire = encoded.wire
      if (encoded.json && isSlight(wire, slotTextBytes) && this.slots.results.keepJson(n, JSON.stringify(wire))) {
        return this.conclude(context)
      }
    } catch (thrown) {
      return this.threw(context, thrown)
    }
    return this.conclude(context, { type: 'returned', value: wire }, moved)
  }

  threw(context: CallContext, thrown: unknown): number | Promise<number> {
    context.end()
    return this.conclude(context, { type: 'threw', value: thrownToWire(thrown) })
  }

  stopped(context: CallContext): number | Promise<number> {
    context.end()
    this.slots.results.keepForm(context.n, form.stopped)
    return this.conclude(context)
  }

  private conclude(context: CallContext, reply?: Reply, moved?: readonly ArrayBuffer[]): number | Promise<number> {
    const end = (): number => {
      const now = this.clock.now()
      if (reply) this.slots.results.keepForm(context.n, form.posted)
      this.slots.end(context.n, now, context.posted)
      this.teller.ended(now, reply !== undefined)
      if (reply) postReply(context.n, reply, moved)
      return now
    }
    // What the task has printed comes before its result, or a process that exits on it would lose the lines.
    return isWriting() ? drain().then(end) : end()
  }
}

function postReply(n: number, reply: Reply, moved?: readonly ArrayBuffer[]): void {
  try {
    post({ type: 'reply', n, reply }, moved)
  } catch (error) {
    // Not every buffer can be moved, and which ones nobody can ask.
    if (moved?.length) return postReply(n, reply)
    post({ type: 'reply', n, reply: { type: 'threw', value: thrownToWire(error) } })
  }
}
