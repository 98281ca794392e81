import { define } from '../../values/shapes.js'
import { PyGlobal, PyObject, PyTuple } from '../pickle/objects.js'
import { numpyScalar } from './numpy.js'

/** Python's own limit. */
const maxDepth = 1_000

/** Thrown at the first thing for which JavaScript has no value. */
export class Foreign {
  /** `module.name` of its Python class. */
  readonly type: string
  /** What it was found in. */
  within: string | undefined

  constructor(type: string) {
    this.type = type
  }

  toString(): string {
    return this.within === undefined || this.within === this.type ? this.type : `${this.within} with ${this.type}`
  }
}

/**
 * What a pickle says as JavaScript says it: a dict whose keys are strings is a plain object, any other a Map; a tuple is an
 * array; a number of numpy is a number. What is shared stays shared. Throws {@link Foreign}.
 */
export function toJavaScript(value: unknown): unknown {
  return new Converter().convert(value, 0)
}

/** What a dict is in JavaScript whose keys and values are JavaScript's already. */
export function dictOf(entries: ReadonlyMap<unknown, unknown>): unknown {
  for (const key of entries.keys()) if (typeof key !== 'string') return new Map(entries)
  const dict: Record<string, unknown> = {}
  for (const [key, child] of entries as ReadonlyMap<string, unknown>) define(dict, key, child)
  return dict
}

class Converter {
  private readonly done = new Map<object, unknown>()

  convert(value: unknown, depth: number): unknown {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
    const known = this.done.get(value)
    if (known !== undefined) return known
    if (depth > maxDepth) throw new Foreign('something nested too deeply')
    if (Array.isArray(value)) return this.array(value, depth + 1)
    if (value instanceof Map) return this.dict(value, depth + 1)
    if (value instanceof Set) return this.set(value, depth + 1)
    return this.other(value)
  }

  private array(items: readonly unknown[], depth: number): unknown[] {
    const copy = this.keep(items, [] as unknown[])
    for (const item of items) copy.push(this.convert(item, depth))
    return copy
  }

  private dict(dict: ReadonlyMap<unknown, unknown>, depth: number): unknown {
    for (const key of dict.keys()) if (typeof key !== 'string') return this.map(dict, depth)
    const copy = this.keep(dict, {} as Record<string, unknown>)
    for (const [key, child] of dict as ReadonlyMap<string, unknown>) {
      if (key === '__proto__') define(copy, key, this.convert(child, depth))
      else copy[key] = this.convert(child, depth)
    }
    return copy
  }

  private map(dict: ReadonlyMap<unknown, unknown>, depth: number): unknown {
    const copy = this.keep(dict, new Map<unknown, unknown>())
    for (const [key, child] of dict) copy.set(this.convert(key, depth), this.convert(child, depth))
    return copy
  }

  private set(set: ReadonlySet<unknown>, depth: number): unknown {
    const copy = this.keep(set, new Set<unknown>())
    for (const child of set) copy.add(this.convert(child, depth))
    return copy
  }

  private other(value: object): unknown {
    if (value instanceof PyGlobal) throw new Foreign('type')
    if (!(value instanceof PyObject)) throw new Foreign('object')
    const number = numpyScalar(value)
    if (number === undefined) throw new Foreign(value.type)
    return number
  }

  private keep<T>(value: object, copy: T): T {
    this.done.set(value, copy)
    return copy
  }
}

/** What Python would call what `loads` gave. */
export function pythonTypeOf(value: unknown): string {
  if (value instanceof PyObject) return value.type
  if (value instanceof PyTuple) return 'tuple'
  if (Array.isArray(value)) return 'list'
  if (value instanceof Map) return 'dict'
  if (value instanceof Set) return 'set'
  return value instanceof PyGlobal ? 'type' : 'object'
}
