import { largestBatch } from './policy.js'

/** Where a call of a batch stands. */
const free = 0
const begun = 1
const takenBack = 2
const ended = 3

/**
 * The bytes that a thread and its pool both see: a cell and a start time for each call of the batch, and which call
 * shall stop. A call belongs to the side that gets its cell from free to begun, or to taken back: so it runs once or not
 * at all, whatever the other side does at that moment.
 */
export class Claims {
  static readonly bytes = largestBatch * 12 + 8
  private readonly times: Float64Array
  private readonly cells: Int32Array
  private static readonly stopped = largestBatch

  constructor(memory: SharedArrayBuffer) {
    this.times = new Float64Array(memory, 0, largestBatch)
    this.cells = new Int32Array(memory, largestBatch * 8)
  }

  /** Called by the pool before it sends `count` calls, when the thread has none. */
  offer(count: number): void {
    for (let index = 0; index < count; index++) Atomics.store(this.cells, index, free)
  }

  /** Called by the thread before it begins a call: `false` if that has been taken back. */
  begin(index: number): boolean {
    if (Atomics.load(this.cells, index) !== free) return false
    this.times[index] = Date.now()
    return Atomics.compareExchange(this.cells, index, free, begun) === free
  }

  /** Called by the thread when nothing of the call runs any more. */
  end(index: number): void {
    Atomics.store(this.cells, index, ended)
  }

  /** Called by the pool: `true` if the call had not begun. It never will then. */
  takeBack(index: number): boolean {
    return Atomics.compareExchange(this.cells, index, free, takenBack) === free
  }

  isFree(index: number): boolean {
    return Atomics.load(this.cells, index) === free
  }

  isRunning(index: number): boolean {
    return Atomics.load(this.cells, index) === begun
  }

  /** When the call began, epoch milliseconds; `undefined`: it has not. */
  begunAt(index: number): number | undefined {
    const cell = Atomics.load(this.cells, index)
    return cell === begun || cell === ended ? this.times[index] : undefined
  }

  /** Called by the pool: call `n` shall stop. Calls are told apart by their number, so that nothing needs a reset. */
  stop(n: number): void {
    Atomics.store(this.cells, Claims.stopped, n)
    Atomics.notify(this.cells, Claims.stopped)
  }

  isStopped(n: number): boolean {
    return Atomics.load(this.cells, Claims.stopped) === n
  }

  /** Calls back once call `n` shall stop, unless it `hasEnded` by then. `release` wakes those that wait for nothing. */
  whenStopped(n: number, callback: () => void, hasEnded: () => boolean): void {
    if (hasEnded()) return
    const seen = Atomics.load(this.cells, Claims.stopped)
    if (seen === n) return callback()
    // TypeScript's libraries for ES2023 lack it; Node has had it since version 16.
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync }
    const { value } = waitAsync(this.cells, Claims.stopped, seen)
    // Another call may have been meant.
    void Promise.resolve(value).then(() => this.whenStopped(n, callback, hasEnded))
  }

  release(): void {
    Atomics.notify(this.cells, Claims.stopped)
  }
}

type WaitAsync = (
  numbers: Int32Array,
  index: number,
  value: number,
) => { readonly async: boolean; readonly value: string | Promise<string> }
