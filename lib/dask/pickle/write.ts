import { MintakaError } from '../../core/errors.js'
import { isPlainObject } from '../../core/traverse.js'
import { PyBuffer, PyCall, PyGlobal, PyTuple } from './objects.js'
import { op } from './opcodes.js'
import { PickleOutput } from './output.js'

/** Deeper than any message of ours; what is nested deeper is a mistake, such as a cycle. */
const maxDepth = 1_000

/**
 * The pickle of what Mintaka itself says to Python: null and undefined (None), booleans, numbers, bigints, strings, bytes,
 * arrays (list), plain objects and Maps (dict), Sets, and the things of `objects.ts`. A tree: what is there twice is
 * written twice. Values of users have rules of their own.
 */
export function dumps(value: unknown): Buffer {
  const output = new PickleOutput()
  write(output, value, 0)
  return output.end()
}

function write(output: PickleOutput, value: unknown, depth: number): void {
  switch (typeof value) {
    case 'undefined':
      return output.none()
    case 'boolean':
      return output.boolean(value)
    case 'number':
      return output.number(value)
    case 'bigint':
      return output.bigint(value)
    case 'string':
      return output.string(value)
    case 'object':
      return value === null ? output.none() : writeObject(output, value, depth + 1)
    default:
      throw refused(typeof value)
  }
}

function writeObject(output: PickleOutput, value: object, depth: number): void {
  if (depth > maxDepth) throw refused('what is nested that deep')
  if (value instanceof Uint8Array) return output.bytesOf(value)
  if (value instanceof PyTuple) return writeTuple(output, value, depth)
  if (Array.isArray(value)) return writeList(output, value, depth)
  if (value instanceof PyGlobal) return output.global(value.module, value.name)
  if (value instanceof PyCall) return writeCall(output, value, depth)
  if (value instanceof PyBuffer) return output.code(op.NEXT_BUFFER)
  if (value instanceof Set) return writeSet(output, value, depth)
  if (value instanceof Map) return writeDict(output, value, depth)
  if (!isPlainObject(value)) throw refused(`an instance of ${value.constructor?.name}`)
  writeDict(output, Object.entries(value), depth)
}

function writeCall(output: PickleOutput, { callable, args, state }: PyCall, depth: number): void {
  write(output, callable, depth)
  writeTuple(output, args, depth)
  output.code(op.REDUCE)
  if (state === undefined) return
  write(output, state, depth)
  output.code(op.BUILD)
}

function writeTuple(output: PickleOutput, items: readonly unknown[], depth: number): void {
  if (items.length > 3) output.code(op.MARK)
  for (const item of items) write(output, item, depth)
  output.tuple(items.length)
}

function writeList(output: PickleOutput, items: readonly unknown[], depth: number): void {
  output.code(op.EMPTY_LIST)
  if (items.length === 0) return
  output.code(op.MARK)
  for (const item of items) write(output, item, depth)
  output.code(op.APPENDS)
}

function writeSet(output: PickleOutput, items: ReadonlySet<unknown>, depth: number): void {
  output.code(op.EMPTY_SET)
  if (items.size === 0) return
  output.code(op.MARK)
  for (const item of items) write(output, item, depth)
  output.code(op.ADDITEMS)
}

function writeDict(output: PickleOutput, entries: Iterable<readonly [unknown, unknown]>, depth: number): void {
  output.code(op.EMPTY_DICT)
  output.code(op.MARK)
  for (const [key, value] of entries) {
    write(output, key, depth)
    write(output, value, depth)
  }
  output.code(op.SETITEMS)
}

function refused(what: string): MintakaError {
  return new MintakaError('INVALID_ARGUMENT', `A pickle for Python cannot hold ${what}.`)
}
