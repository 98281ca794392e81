import { capacity, slotOf } from './call-numbers.js'
import { form, Results } from './results.js'

/** Where a call stands. */
const free = 0
const begun = 1
const takenBack = 2
const ended = 3
type State = typeof free | typeof begun | typeof takenBack | typeof ended

/** How the pool wants to be told. */
const atOnce = 1
const soon = 2

const floatsPerSlot = 2
const intsPerSlot = 5
const headerInts = 4
const headerBytes = headerInts * 4

/**
 * The memory that a thread and its pool both see: a slot for each call that the thread holds, told apart by the call's
 * number, which counts the calls of the thread. The slot says whose the call is, when it began and ended, and holds its
 * result if that is small: so what has been computed is there whatever becomes of the thread, and costs no message.
 *
 * A call belongs to the side that gets its cell from free to begun, or to taken back: it runs once or not at all,
 * whatever the other side does at that moment. A cell holds the number too: one that is used again cannot be mistaken.
 */
export class Slots {
  static readonly bytes = headerBytes + capacity * (floatsPerSlot * 8 + intsPerSlot * 4) + Results.bytes
  /** What calls have returned that is small. */
  readonly results: Results
  private readonly header: Int32Array
  private readonly starts: Float64Array
  private readonly ends: Float64Array
  private readonly cells: Int32Array
  private readonly notices: Int32Array
  private readonly kins: Int32Array
  private readonly ids: Int32Array
  private readonly names: Int32Array

  private static readonly stopped = 0
  private static readonly wanted = 1
  private static readonly bell = 2

  constructor(memory: SharedArrayBuffer) {
    let at = 0
    const ints = (count: number): Int32Array => {
      at += count * 4
      return new Int32Array(memory, at - count * 4, count)
    }
    const floats = (): Float64Array => {
      at += capacity * 8
      return new Float64Array(memory, at - capacity * 8, capacity)
    }
    this.header = ints(headerInts)
    this.starts = floats()
    this.ends = floats()
    this.cells = ints(capacity)
    this.notices = ints(capacity)
    this.kins = ints(capacity)
    this.ids = ints(capacity)
    this.names = ints(capacity)
    this.results = new Results(memory, at)
  }

  // --- the pool's side

  /** Before it sends call `n`: the place of its kin, and the numbers that its id and its name end with. */
  offer(n: number, kin: number, id: number, name: number): void {
    const slot = slotOf(n)
    this.kins[slot] = kin
    this.ids[slot] = id
    this.names[slot] = name
    Atomics.store(this.cells, slot, cellOf(n, free))
  }

  /** `true` if the call had not begun. It never will then. */
  takeBack(n: number): boolean {
    return Atomics.compareExchange(this.cells, slotOf(n), cellOf(n, free), cellOf(n, takenBack)) === cellOf(n, free)
  }

  isFree(n: number): boolean {
    return this.is(n, free)
  }

  isRunning(n: number): boolean {
    return this.is(n, begun)
  }

  isTakenBack(n: number): boolean {
    return this.is(n, takenBack)
  }

  hasEnded(n: number): boolean {
    return this.is(n, ended)
  }

  /** When the call began, epoch milliseconds; `undefined`: it has not. */
  begunAt(n: number): number | undefined {
    return this.isRunning(n) || this.hasEnded(n) ? this.starts[slotOf(n)] : undefined
  }

  /** When a call that has ended did, epoch milliseconds. */
  endedAt(n: number): number {
    return this.ends[slotOf(n)] ?? 0
  }

  /** How many notices a call that has ended has posted. */
  noticesOf(n: number): number {
    return this.notices[slotOf(n)] ?? 0
  }

  /** Whether more is heard of a call that has ended than what is here. */
  isHeardOf(n: number): boolean {
    return this.results.formOf(n) === form.posted || this.noticesOf(n) > 0
  }

  /** Asks to be told when a call ends, once. Whoever asks looks again afterwards: it may have ended just before. */
  want(): void {
    Atomics.store(this.header, Slots.wanted, atOnce)
  }

  /** The same, but it may take its time: of calls that end soon after each other it is told with one message. */
  wantSoon(): void {
    Atomics.store(this.header, Slots.wanted, soon)
  }

  /** Call `n` shall stop. Calls are told apart by their number, so that nothing needs a reset. */
  stop(n: number): void {
    Atomics.store(this.header, Slots.stopped, n)
    Atomics.notify(this.header, Slots.stopped)
  }

  /** Wakes a thread that waits for its next calls. */
  ring(): void {
    Atomics.add(this.header, Slots.bell, 1)
    Atomics.notify(this.header, Slots.bell)
  }

  // --- the thread's side

  kinOf(n: number): number {
    return this.kins[slotOf(n)] ?? 0
  }

  idOf(n: number): number {
    return this.ids[slotOf(n)] ?? 0
  }

  nameOf(n: number): number {
    return this.names[slotOf(n)] ?? 0
  }

  /** Before it begins call `n`: `false` if that has been taken back. */
  begin(n: number, at: number): boolean {
    const slot = slotOf(n)
    if (!this.is(n, free)) return false
    this.starts[slot] = at
    return Atomics.compareExchange(this.cells, slot, cellOf(n, free), cellOf(n, begun)) === cellOf(n, free)
  }

  /** When nothing of the call runs any more, and its result is written down. */
  end(n: number, at: number, notices: number): void {
    const slot = slotOf(n)
    this.ends[slot] = at
    this.notices[slot] = notices
    Atomics.store(this.cells, slot, cellOf(n, ended))
  }

  /** Whether the pool wants to be told now; with `mayWait` not where it is in no hurry. Says so once. */
  isWanted(mayWait: boolean): boolean {
    const how = Atomics.load(this.header, Slots.wanted)
    if (how === 0 || (how === soon && mayWait)) return false
    return Atomics.compareExchange(this.header, Slots.wanted, how, 0) === how
  }

  /** How often the bell has rung. */
  get rings(): number {
    return Atomics.load(this.header, Slots.bell)
  }

  /** Blocks until the bell has rung more often than that, for that time at most. */
  wait(rings: number, ms: number): void {
    Atomics.wait(this.header, Slots.bell, rings, ms)
  }

  isStopped(n: number): boolean {
    return Atomics.load(this.header, Slots.stopped) === n
  }

  /** Calls back once call `n` shall stop, unless it `hasEnded` by then. `release` wakes those that wait for nothing. */
  whenStopped(n: number, callback: () => void, hasEnded: () => boolean): void {
    if (hasEnded()) return
    const seen = Atomics.load(this.header, Slots.stopped)
    if (seen === n) return callback()
    // TypeScript's libraries for ES2023 lack it; Node has had it since version 16.
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync }
    const { value } = waitAsync(this.header, Slots.stopped, seen)
    // Another call may have been meant.
    void Promise.resolve(value).then(() => this.whenStopped(n, callback, hasEnded))
  }

  release(): void {
    Atomics.notify(this.header, Slots.stopped)
  }

  private is(n: number, state: State): boolean {
    return Atomics.load(this.cells, slotOf(n)) === cellOf(n, state)
  }
}

function cellOf(n: number, state: State): number {
  return (n << 2) | state
}

type WaitAsync = (
  numbers: Int32Array,
  index: number,
  value: number,
) => { readonly async: boolean; readonly value: string | Promise<string> }
