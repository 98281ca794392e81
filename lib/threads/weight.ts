/** Values that are sent as they are, and weigh nothing to speak of. */
export function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
}

/**
 * What it costs to send arguments, in tiny ones: so that a parcel of large ones is a small one, which is sent again, if
 * another thread takes it over, at no great cost. A look at the surface, not a walk.
 */
export function weightOf(args: readonly unknown[]): number {
  let weight = 1
  for (const arg of args) {
    if (typeof arg === 'string') weight += arg.length / 256
    else if (typeof arg === 'object' && arg !== null) weight += weightOfObject(arg)
  }
  return weight
}

function weightOfObject(value: object): number {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength / 1024
  if (Array.isArray(value)) return 1 + value.length / 8
  if (value instanceof Map || value instanceof Set) return 1 + value.size / 4
  return 4
}

/** Whether the JSON of a wire value may well be no longer than `budget` characters. Looks at no more than that much. */
export function isSlight(wire: unknown, budget: number): boolean {
  return spend(wire, budget) >= 0
}

function spend(value: unknown, budget: number): number {
  if (typeof value === 'string') return budget - value.length - 2
  if (typeof value !== 'object' || value === null) return budget - 1
  let left = budget - 2
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index++) left = spend(value[index], left - 1)
    return left
  }
  for (const key in value) {
    left = spend((value as Record<string, unknown>)[key], left - key.length - 4)
    if (left < 0) break
  }
  return left
}
