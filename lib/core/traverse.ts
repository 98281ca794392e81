/**
 * The one rule of where futures and states are looked for, in arguments and in what a flow returns: arrays, plain
 * objects, values of Map and Set, at any depth. Not Map keys, not class instances, not inside promises.
 */

/** Recognises what is looked for. */
export type Pick<T extends object> = (value: object) => value is T

/** An object made by `{…}`, by `Object.create(null)`, or by `{…}` in another realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
}

/** Collects, in order, whatever `pick` recognises in `value`. What is shared is searched once. */
export function find<T extends object>(value: unknown, pick: Pick<T>): T[] {
  const found: T[] = []
  const seen = new Set<object>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (pick(value)) {
      found.push(value)
      return
    }
    if (seen.has(value)) return
    seen.add(value)
    if (isPlainArray(value)) for (let index = 0; index < value.length; index++) visit(value[index])
    else for (const child of childrenOf(value)) visit(child)
  }
  visit(value)
  return found
}

/**
 * A copy of `value`: its arrays, plain objects, Maps and Sets are copied, what `pick` recognises is replaced by what
 * `put` gives, all else is kept as it is. Sharing and cycles among the containers are kept.
 */
export function copyWith<T extends object>(value: unknown, pick: Pick<T>, put: (found: T) => unknown): unknown {
  return typeof value === 'object' && value !== null ? copier(pick, put)(value) : value
}

/**
 * What {@link copyWith} does, for several values that may share what they hold. `leaf` gives what stands in the copy for
 * an object that is neither a container nor picked; without it the object itself does.
 */
export function copier<T extends object>(
  pick: Pick<T>,
  put: (found: T) => unknown,
  leaf: (value: object) => unknown = itself,
): (value: unknown) => unknown {
  const copies = new Map<object, object>()
  const keep = <C extends object>(value: object, copy: C): C => {
    copies.set(value, copy)
    return copy
  }
  const again = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (pick(value)) return put(value)
    const known = copies.get(value)
    if (known) return known
    if (isPlainArray(value)) {
      const copy = keep(value, new Array<unknown>(value.length))
      for (let index = 0; index < value.length; index++) if (index in value) copy[index] = again(value[index])
      return copy
    }
    if (value instanceof Map) {
      const copy = keep(value, new Map<unknown, unknown>())
      for (const [key, child] of value) copy.set(key, again(child))
      return copy
    }
    if (value instanceof Set) {
      const copy = keep(value, new Set<unknown>())
      for (const child of value) copy.add(again(child))
      return copy
    }
    if (!isPlainObject(value)) return leaf(value)
    const copy = keep(value, {} as Record<string, unknown>)
    for (const key of Object.keys(value)) define(copy, key, again(value[key]))
    return copy
  }
  return again
}

function itself(value: object): object {
  return value
}

function childrenOf(value: object): Iterable<unknown> {
  if (value instanceof Set) return value
  if (value instanceof Map) return value.values()
  if (isPlainObject(value)) return Object.values(value)
  return []
}

// An instance of a class that extends Array is an instance, not an array.
function isPlainArray(value: object): value is unknown[] {
  if (!Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Array.prototype || Array.isArray(prototype)
}

// `copy.__proto__ = x` would set the prototype.
function define(copy: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') copy[key] = value
  else Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true })
}
