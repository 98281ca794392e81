import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { after } from '../lib/threads/call-numbers.js'
import type { Clock } from '../lib/threads/clock.js'
import { kinPlaces } from '../lib/threads/kins.js'
import { asList, Envelope, type Kin, type Parcel } from '../lib/threads/protocol.js'
import type { Slots } from '../lib/threads/slots.js'
import type { Resolve } from '../lib/values/decoder.js'
import { type Fn, functionFor, know, loadFunction } from './codes.js'
import { Conclusions } from './conclusions.js'
import { CallContext, runAs } from './context.js'
import { isWriting } from './output.js'
import { sharedFor } from './shared-values.js'
import { Teller } from './teller.js'

/** How long the thread waits for its next calls before it turns to its event loop: a message by the loop takes longer. */
const lingerMs = 1
/** How long calls may follow each other before the event loop has a turn: for what tasks have left open. */
const turnMs = 5

/**
 * Carries calls out, one at a time, in the order in which they came. Each result is in shared memory, or posted, before
 * the next call begins; the pool is told only when it has asked. Calls that do not wait for anything follow each other
 * without a promise.
 */
export class Runner {
  private readonly slots: Slots
  private readonly port: MessagePort
  private readonly clock: Clock
  private readonly teller: Teller
  private readonly conclusions: Conclusions
  private readonly parcels: Parcel[] = []
  /** What calls have in common, by place. */
  private readonly kins: Kin[] = []
  private parcel: Parcel | undefined
  /** The next call: its place in the parcel, its number, and where its arguments are. */
  private index = 0
  private n = 0
  private at = 0
  private isBusy = false
  /** When the event loop last had a turn. */
  private turnedAt = 0

  constructor(slots: Slots, port: MessagePort, clock: Clock) {
    this.slots = slots
    this.port = port
    this.clock = clock
    this.teller = new Teller(slots)
    this.conclusions = new Conclusions(slots, clock, this.teller)
  }

  receive(parcel: Parcel): void {
    this.parcels.push(parcel)
    if (!this.isBusy) this.turn()
  }

  /** Called by the event loop. */
  private turn(): void {
    this.clock.check()
    this.turnedAt = this.clock.now()
    this.work(this.turnedAt)
  }

  /** Carries out what there is, until a call has to be waited for, or the event loop needs a turn. */
  private work(now: number): void {
    this.isBusy = true
    while (this.hasMore(now)) {
      if (now - this.turnedAt > turnMs) return void setImmediate(() => this.turn())
      const time = this.next(now)
      if (typeof time !== 'number') {
        this.teller.pauses()
        return void time.then(time => this.work(time))
      }
      now = time
    }
    this.isBusy = false
  }

  private hasMore(now: number): boolean {
    if (this.parcel && this.index < this.parcel[1]) return true
    this.parcel = this.parcels.shift() ?? this.arrived() ?? this.linger(now)
    if (!this.parcel) return false
    const [first, , kinsAt, kins] = this.parcel
    for (const [index, kin] of kins.entries()) this.meet((kinsAt + index) % kinPlaces, kin)
    this.index = 0
    this.n = first
    this.at = 0
    return true
  }

  private meet(at: number, kin: Kin): void {
    this.kins[at] = kin
    if (kin.newCode) know(kin.code, kin.newCode)
  }

  /** Waits for a parcel, unless what tasks have left open has waited for long. */
  private linger(now: number): Parcel | undefined {
    this.teller.pauses()
    if (now - this.turnedAt > turnMs || isWriting()) return undefined
    const { rings } = this.slots
    const parcel = this.arrived()
    if (parcel) return parcel
    this.slots.wait(rings, lingerMs)
    return this.arrived()
  }

  private arrived(): Parcel | undefined {
    return receiveMessageOnPort(this.port)?.message as Parcel | undefined
  }

  /** Carries the next call out, if it has not been taken back. Gives the time when it has ended. */
  private next(now: number): number | Promise<number> {
    const { slots, n, at } = this
    const args = (this.parcel as Parcel)[4]
    // Another's, if the slot belongs to a later call by now, and perhaps not known yet: then this one and those behind it
    // have been taken back.
    const kin = this.kins[slots.kinOf(n)]
    this.index++
    this.n = after(n)
    if (!kin) return now
    this.at += kin.arity === asList ? 1 : kin.arity
    if (!slots.begin(n, now)) return now
    if (kin.tells) this.teller.begins()
    const context = new CallContext(new Envelope(n, kin, slots.idOf(n), slots.nameOf(n)), slots)
    if (slots.isStopped(n)) return this.conclusions.stopped(context)
    return this.run(context, kin, args, at)
  }

  private run(context: CallContext, kin: Kin, args: readonly unknown[], at: number): number | Promise<number> {
    const { conclusions } = this
    const fn = functionFor(kin.code)
    // Loaded outside the call: what stands at the top level of a module belongs to no task.
    if (!fn) {
      return loadFunction(kin.code).then(
        () => this.run(context, kin, args, at),
        thrown => conclusions.threw(context, thrown),
      )
    }
    const shared = kin.arity === asList ? sharedFor(args[at]) : undefined
    if (!(shared instanceof Promise)) return this.carryOut(context, fn, kin, args, at, shared)
    return shared.then(
      shared => this.carryOut(context, fn, kin, args, at, shared),
      thrown => conclusions.threw(context, thrown),
    )
  }

  private carryOut(
    context: CallContext,
    fn: Fn,
    { arity }: Kin,
    args: readonly unknown[],
    at: number,
    shared: Resolve | undefined,
  ): number | Promise<number> {
    const { conclusions } = this
    try {
      const value = runAs(context, fn, args, at, arity, shared)
      if (!isThenable(value)) return conclusions.returned(context, value)
      return Promise.resolve(value).then(
        value => conclusions.returned(context, value),
        thrown => conclusions.threw(context, thrown),
      )
    } catch (thrown) {
      return conclusions.threw(context, thrown)
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
