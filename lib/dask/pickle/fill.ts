/** Fills what a pickle has made before it says what is in it. What cannot be filled so is DASK_PROTOCOL. */
import { MintakaError } from '../../core/errors.js'
import { isPlainObject } from '../../core/traverse.js'
import { define } from '../../values/shapes.js'
import { malformed } from '../protocol/malformed.js'
import { PyObject, PyTuple } from './objects.js'

/** Thrown where a pickle says something other than plain data. */
export class NotPlain extends MintakaError {
  constructor() {
    super('DASK_PROTOCOL', 'A pickle is not of plain data.')
  }
}

export function append(target: unknown, items: unknown[]): void {
  const list = target instanceof PyObject ? (target.list ??= []) : target
  if (!Array.isArray(list) || list instanceof PyTuple) throw malformed('a pickle appends to what is not a list')
  for (const item of items) list.push(item)
}

/** Of a dict that is to be an object. */
export function setFields(target: unknown, items: readonly unknown[]): void {
  if (!isPlainObject(target) || items.length % 2 > 0) throw malformed('a pickle sets items of what is not a dict')
  for (let index = 0; index < items.length; index += 2) {
    const key = items[index]
    if (typeof key !== 'string') throw new NotPlain()
    if (key === '__proto__') define(target, key, items[index + 1])
    else target[key] = items[index + 1]
  }
}

export function setItems(target: unknown, items: readonly unknown[]): void {
  const dict = target instanceof PyObject ? (target.items ??= new Map()) : target
  if (!(dict instanceof Map) || items.length % 2 > 0) throw malformed('a pickle sets items of what is not a dict')
  for (let index = 0; index < items.length; index += 2) dict.set(items[index], items[index + 1])
}

export function addItems(target: unknown, items: unknown[]): void {
  if (!(target instanceof Set)) throw malformed('a pickle adds to what is not a set')
  for (const item of items) target.add(item)
}

export function asArgs(args: unknown): readonly unknown[] {
  if (args instanceof PyTuple) return args
  throw malformed('a pickle makes a call without a tuple of arguments')
}

export function asString(value: unknown): string {
  if (typeof value === 'string') return value
  throw malformed('a pickle has a name that is not a string')
}
