import { isPlainObject } from '../core/traverse.js'

/**
 * Whether `value` takes about `bytes` or more where it is sent. Looks no further than it has to, and never throws. What
 * is found twice is counted twice, so that a cycle is large.
 */
export function isLarge(value: object, bytes: number): boolean {
  try {
    const open: unknown[] = [value]
    for (let seen = 0; open.length > 0; ) {
      seen += sizeOf(open.pop(), open)
      if (seen + open.length * leastSize >= bytes) return true
    }
  } catch {
    // A getter that throws, a proxy: whoever sends the value will say so.
  }
  return false
}

const leastSize = 8

/** The size of `value` itself; what it holds is left to be counted in `open`. */
function sizeOf(value: unknown, open: unknown[]): number {
  if (typeof value === 'string') return leastSize + value.length
  if (typeof value !== 'object' || value === null) return leastSize
  if ('byteLength' in value) return leastSize + (value.byteLength as number)
  if (Array.isArray(value)) return pushAll(value, value.length, open)
  if (value instanceof Map) return pushAll([...value.keys(), ...value.values()], value.size, open)
  if (value instanceof Set) return pushAll(value, value.size, open)
  return isPlainObject(value) ? pushAll(Object.values(value), 0, open) : leastSize
}

// Of a long list the length says enough.
const enough = 10_000

function pushAll(children: Iterable<unknown>, count: number, open: unknown[]): number {
  if (count > enough) return count * leastSize
  for (const child of children) open.push(child)
  return leastSize
}
