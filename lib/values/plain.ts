import { types } from 'node:util'
import { tag } from './shapes.js'

/**
 * Whether `JSON.stringify` says of a value exactly what it is: plain objects and arrays without holes, none of them met
 * twice, of strings, booleans, null and finite numbers. `false` also beyond `enough` characters, counted as `leastSize`
 * counts. One cheap look at each value: a copy costs several times what the text does.
 */
export function isPlainJson(value: unknown, enough: number): boolean {
  return new Look(enough).at(value, 0)
}

/** What is deeper is seldom plain data, and may be a cycle. */
const maxDepth = 500

/** A Set holds no more. */
const maxSeen = 2 ** 24 - 1

class Look {
  private left: number
  private readonly seen = new Set<object>()

  constructor(enough: number) {
    this.left = enough
  }

  at(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'string':
        this.left -= value.length + 2
        return true
      case 'number':
        this.left -= 1
        return Number.isFinite(value) && !Object.is(value, -0)
      case 'boolean':
        this.left -= 1
        return true
      case 'object':
        this.left -= 1
        return value === null || this.object(value, depth + 1)
      default:
        return false
    }
  }

  private object(value: object, depth: number): boolean {
    if (this.left < 0 || depth > maxDepth || types.isProxy(value)) return false
    const prototype: unknown = Object.getPrototypeOf(value)
    const isList = prototype === Array.prototype && Array.isArray(value)
    // JSON.stringify asks for toJSON wherever it stands, and unwraps `Object(1)`.
    if ((!isList && prototype !== Object.prototype) || 'toJSON' in value || types.isBoxedPrimitive(value)) return false
    const { size } = this.seen
    if (size === maxSeen || this.seen.add(value).size === size) return false
    return isList ? this.items(value, depth) : this.fields(value as Record<string, unknown>, depth)
  }

  private items(list: readonly unknown[], depth: number): boolean {
    for (let index = 0; index < list.length; index++) if (!this.at(list[index], depth)) return false // holes are undefined
    return this.left >= 0
  }

  private fields(record: Record<string, unknown>, depth: number): boolean {
    for (const key of Object.keys(record)) {
      this.left -= key.length + 3
      // A getter is asked once, and what it gives the second time may be something else.
      const field = Object.getOwnPropertyDescriptor(record, key)
      if (key === tag || field === undefined || field.get || !this.at(field.value, depth)) return false
    }
    return this.left >= 0
  }
}
