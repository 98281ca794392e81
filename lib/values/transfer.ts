import { types } from 'node:util'
import { find } from '../core/traverse.js'

const movable = new WeakSet<ArrayBuffer>()

/**
 * As an argument or a result: the buffers in `value` are moved to where it goes instead of copied, where they can be.
 * Here they are empty afterwards, so that a second attempt has nothing to send; on Dask they are copied.
 */
export function transfer<T>(value: T): T {
  for (const bytes of find(value, isBytes)) {
    const buffer = ArrayBuffer.isView(bytes) ? bytes.buffer : bytes
    if (types.isArrayBuffer(buffer)) movable.add(buffer)
  }
  return value
}

/** Whether `buffer` was given to {@link transfer}. */
export function isMovable(buffer: ArrayBuffer): boolean {
  return movable.has(buffer)
}

function isBytes(value: object): value is ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return types.isArrayBuffer(value) || ArrayBuffer.isView(value)
}
