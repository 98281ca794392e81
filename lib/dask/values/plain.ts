import { types } from 'node:util'
import { isPlainObject } from '../../core/traverse.js'
import { isArray, isDetached } from '../../values/shapes.js'
import { op } from '../pickle/opcodes.js'
import { PickleOutput } from '../pickle/output.js'

/** Python's own tools give up at a depth of a thousand; what is deeper travels in our own form. */
const maxDepth = 500

/** Thrown at the first thing that a pickle would change. */
const notPlain = Symbol('not plain')

/**
 * The pickle of a value that Python can read and that comes back exactly: null, booleans, numbers, well-formed strings,
 * dense arrays, plain objects and Buffers, nothing of it shared. Undefined for every other value.
 */
export function picklePlain(value: unknown): Buffer | undefined {
  const writer = new PlainWriter()
  try {
    writer.write(value, 0)
    return writer.output.end()
  } catch {
    // A getter that throws is found again, and named, by whoever encodes the value otherwise.
    return undefined
  }
}

class PlainWriter {
  readonly output = new PickleOutput()
  private readonly seen = new Set<object>()

  write(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'boolean':
        return this.output.boolean(value)
      case 'number':
        return this.output.number(value)
      case 'string':
        return this.string(value)
      case 'object':
        return value === null ? this.output.none() : this.object(value, depth + 1)
      default:
        throw notPlain
    }
  }

  private string(value: string): void {
    if (!value.isWellFormed()) throw notPlain
    this.output.string(value)
  }

  private object(value: object, depth: number): void {
    if (depth > maxDepth || types.isProxy(value)) throw notPlain
    this.once(value)
    if (isArray(value)) this.array(value, depth)
    else if (Buffer.isBuffer(value)) this.buffer(value)
    else if (isPlainObject(value)) this.fields(value, depth)
    else throw notPlain
  }

  private array(items: readonly unknown[], depth: number): void {
    const { output } = this
    output.code(op.EMPTY_LIST)
    output.code(op.MARK)
    // A hole reads as undefined, which is not plain.
    for (let index = 0; index < items.length; index++) this.write(items[index], depth)
    output.code(op.APPENDS)
  }

  private fields(value: Record<string, unknown>, depth: number): void {
    const { output } = this
    output.code(op.EMPTY_DICT)
    output.code(op.MARK)
    for (const key of Object.keys(value)) {
      if (key === '__proto__') throw notPlain
      this.string(key)
      this.write(value[key], depth)
    }
    output.code(op.SETITEMS)
  }

  private buffer(value: Buffer): void {
    const { buffer, byteLength } = value
    if (!types.isArrayBuffer(buffer) || isDetached(buffer)) throw notPlain
    // Of two views that each show all of their memory it is known that they share it.
    if (byteLength === buffer.byteLength) this.once(buffer)
    this.output.bytesOf(value)
  }

  private once(value: object): void {
    if (this.seen.has(value)) throw notPlain
    this.seen.add(value)
  }
}
