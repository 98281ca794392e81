import { keyText } from '../../lib/dask/protocol/msgpack-read.js'

/**
 * Dask's keys are strings; those of Python programs may be tuples and ints too. Inside the worker every key has a name,
 * which is a string; what goes out is the key again. (In maps of messages keys are names already.)
 */
export class KeyNames {
  /** Keys whose names do not tell what they were. */
  private readonly odd = new Map<string, unknown>()

  nameOf(key: unknown): string {
    const name = keyText(key)
    if (typeof key !== 'string' && !isTuple(name)) this.remember(name, key)
    return name
  }

  namesOf(keys: unknown): string[] {
    return Array.isArray(keys) ? keys.map(key => this.nameOf(key)) : []
  }

  keyOf(name: string): unknown {
    if (isTuple(name)) return tupleOf(name)
    return this.odd.get(name) ?? name
  }

  keysOf(names: readonly string[]): unknown[] {
    return names.map(name => this.keyOf(name))
  }

  // Anybody may ask for any number of keys.
  private remember(name: string, key: unknown): void {
    const [oldest] = this.odd.keys()
    if (this.odd.size >= mostOdd && oldest !== undefined) this.odd.delete(oldest)
    this.odd.set(name, key)
  }
}

const mostOdd = 100_000

function isTuple(name: string): boolean {
  return name.startsWith('[') && name.endsWith(']')
}

function tupleOf(name: string): unknown {
  try {
    return JSON.parse(name)
  } catch {
    return name
  }
}
