import { isFuture } from '../core/future.js'
import { TransferredFuture } from '../core/transferred-future.js'
import { find } from '../core/traverse.js'
import { isBytes } from './shapes.js'

/** From this size on, moving bytes takes less than copying them. */
export const worthMoving = 65_536

/** What a user has given to `transfer`, until it is taken. */
const marked = new WeakSet<ArrayBuffer>()
/** What a sender need not keep: nobody else holds it, and it will not be sent again. */
const givenAway = new WeakSet<ArrayBuffer>()

/**
 * As an argument or a result: the buffers in `value` are not copied but handed over, and are empty here afterwards, as
 * with the transfer list of `postMessage`.
 *
 * - As an argument of a task on workers: they are taken at the call. With retries, copies are sent until the last
 *   attempt. A task that runs in this process is given them as they are, neither copied nor emptied.
 * - As the result of a task on workers: they are taken when it returns.
 * - `transfer(future)`, as an argument: the task is given the buffers of that run's result, and the result, for whoever
 *   else reads it, has empty ones from then on. A result that is kept for a cache or for a retry of the flow is copied.
 *
 * Handed over are buffers, and views that show all of their buffer; a view of a part is copied. What cannot be moved (the
 * memory of WebAssembly, the pool of small Buffers) is copied.
 */
export function transfer<T>(value: T): T {
  if (typeof value === 'object' && value !== null && isFuture(value)) return new TransferredFuture(value) as T
  for (const bytes of find(value, isBytes)) marked.add(ArrayBuffer.isView(bytes) ? bytes.buffer : bytes)
  return value
}

/** Whether `buffer` was given to {@link transfer}, and nobody has taken it yet. */
export function isMarked(buffer: ArrayBuffer): boolean {
  return marked.has(buffer)
}

/** Takes the mark off: one `transfer` is good for one call. */
export function unmark(buffer: ArrayBuffer): void {
  marked.delete(buffer)
}

/** What `buffer` held, in a buffer that is nobody else's. Moved if possible: then `buffer` is empty. */
export function takeOver(buffer: ArrayBuffer): ArrayBuffer {
  marked.delete(buffer)
  try {
    return structuredClone(buffer, { transfer: [buffer] })
  } catch {
    return buffer.slice(0)
  }
}

/** Says of a buffer of one's own that the next message may have it. */
export function giveAway(buffer: ArrayBuffer): void {
  givenAway.add(buffer)
}

/** Whether a message may have `buffer` itself rather than a copy. */
export function isMovable(buffer: ArrayBuffer): boolean {
  return givenAway.has(buffer) || marked.has(buffer)
}

const handedOver = new WeakSet<object>()

/** Says of a value that its buffers have been taken: it is not what it was. */
export function markHandedOver(value: object): void {
  handedOver.add(value)
}

/** Whether the buffers of a value have been taken. */
export function isHandedOver(value: object): boolean {
  return handedOver.has(value)
}
