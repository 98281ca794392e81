import { types } from 'node:util'
import { find } from '../core/traverse.js'
import { isDetached, isExactly, nameOfView, viewOf } from './shapes.js'
import { isMarked, takeOver, unmark, worthMoving } from './transfer.js'

/** What becomes of buffers when they are taken. */
export type Taking =
  /** All are copied. */
  | 'copies'
  /** Those that were given to `transfer` are passed on as they are, all others copied. */
  | 'passes on'
  /** Those that were given to `transfer` are taken over, all others copied. */
  | 'takes over'
  /** All are taken over. */
  | 'takes all'

/**
 * Takes data as it is now that is not searched for futures: bytes, dates, URLs. One snapshot serves for all of `root`, the
 * arguments of a call: what is the same stays the same. Everything else is given back as it is.
 */
export class Snapshot {
  /** Buffers that nobody else holds, and that are worth moving. */
  readonly owned: ArrayBuffer[] = []
  private readonly taking: Taking
  private readonly root: unknown
  private readonly taken = new Map<object, object>()
  /** Once a buffer has been taken over, its views have forgotten what they showed. */
  private shapes: Map<object, Shape> | undefined

  constructor(taking: Taking, root: unknown) {
    this.taking = taking
    this.root = root
  }

  readonly take = (value: object): object => {
    const known = this.taken.get(value)
    if (known) return known
    const copy = this.copy(value)
    this.taken.set(value, copy)
    return copy
  }

  private copy(value: object): object {
    if (types.isArrayBuffer(value)) return this.buffer(value)
    if (isView(value)) return this.view(value)
    if (types.isDate(value) && isExactly(value, 'Date')) return new Date(value.getTime())
    if (value instanceof URL && isExactly(value, 'URL')) return new URL(value.href)
    return value
  }

  private view(view: ArrayBufferView<ArrayBuffer>): object {
    const name = nameOfView(view)
    const { buffer } = view
    const { offset, length, isWhole } = this.shapes?.get(view) ?? shapeOf(view)
    if (name === undefined || (isDetached(buffer) && !this.taken.has(buffer))) return view
    // A view of a part is copied: who gives it has not given the rest.
    if (!isWhole) return viewOf(name, this.own(this.now(buffer).slice(offset, offset + length)))
    const own = this.take(buffer)
    return own === buffer ? view : viewOf(name, own as ArrayBuffer)
  }

  private buffer(buffer: ArrayBuffer): ArrayBuffer {
    if (isDetached(buffer)) return buffer
    if (this.taking !== 'takes all' && (this.taking === 'copies' || !isMarked(buffer))) return this.own(buffer.slice(0))
    if (this.taking !== 'passes on') return this.own(this.takeOver(buffer))
    unmark(buffer)
    return buffer
  }

  private takeOver(buffer: ArrayBuffer): ArrayBuffer {
    this.shapes ??= new Map(find(this.root, isView).map(view => [view, shapeOf(view)]))
    return takeOver(buffer)
  }

  /** Where the bytes of `buffer` are now. */
  private now(buffer: ArrayBuffer): ArrayBuffer {
    return (this.taken.get(buffer) as ArrayBuffer | undefined) ?? buffer
  }

  private own(buffer: ArrayBuffer): ArrayBuffer {
    if (buffer.byteLength >= worthMoving) this.owned.push(buffer)
    return buffer
  }
}

interface Shape {
  readonly offset: number
  readonly length: number
  readonly isWhole: boolean
}

function shapeOf({ byteOffset, byteLength, buffer }: ArrayBufferView): Shape {
  return { offset: byteOffset, length: byteLength, isWhole: byteLength === buffer.byteLength }
}

function isView(value: object): value is ArrayBufferView<ArrayBuffer> {
  return ArrayBuffer.isView(value) && types.isArrayBuffer(value.buffer)
}
