import { share } from '../values/shared.js'
import { isLarge } from '../values/size.js'
import { isHandedOver } from '../values/transfer.js'

/** From this size on, a reference and a copy in each thread take less than a message for each call. */
const worthSharing = 65_536

/** What is known of a value that several calls are given. */
interface Entry {
  readonly number: number
  /** How many calls have been given it, and how many of them have not ended. */
  seen: number
  users: number
  /** Whether it is large, and can be shared at all; `undefined`: nobody has looked yet. */
  isFit: boolean | undefined
  /** While calls use it. */
  memory: SharedArrayBuffer | undefined
  /** When no call does: there again for the next one, unless the memory was needed. */
  resting: WeakRef<SharedArrayBuffer> | undefined
}

/**
 * Large values that many calls are given: written to shared memory once, when a second call wants them, so that each
 * message carries a number. Values are known by their identity, and are not to be changed while calls are given them.
 *
 * A value is held while calls use it. With the last of them it is let go here, and threads are told to let it go too.
 */
export class SharedValues {
  readonly #entries = new WeakMap<object, Entry>()
  /** Those in use, by number. */
  readonly #inUse = new Map<number, SharedArrayBuffer>()
  readonly #listeners = new Set<(number: number) => void>()
  #count = 0

  /** A call has been given these values. */
  useOf(values: readonly object[]): SharedUse {
    const entries = new Map<object, Entry>()
    for (const value of values) entries.set(value, this.#entryOf(value))
    for (const entry of entries.values()) {
      entry.seen += 1
      entry.users += 1
    }
    return new SharedUse(
      value => this.#numberOf(value, entries.get(value)),
      () => {
        for (const entry of entries.values()) this.#leave(entry)
      },
    )
  }

  /** What is behind a number, as long as calls use it. */
  memoryOf(number: number): SharedArrayBuffer | undefined {
    return this.#inUse.get(number)
  }

  /** How many values are in use. */
  get size(): number {
    return this.#inUse.size
  }

  /** Tells of every number that is of no more use. Gives the function that ends it. */
  onForgotten(listener: (number: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #entryOf(value: object): Entry {
    const known = this.#entries.get(value)
    if (known) return known
    const fresh = { seen: 0, users: 0, isFit: undefined, memory: undefined, resting: undefined }
    const entry: Entry = { number: ++this.#count, ...fresh }
    this.#entries.set(value, entry)
    return entry
  }

  // A single call has nobody to share with.
  #numberOf(value: object, entry: Entry | undefined): number | undefined {
    if (!entry || entry.seen < 2 || isHandedOver(value)) return undefined
    entry.isFit ??= isLarge(value, worthSharing)
    if (!entry.isFit) return undefined
    if (!entry.memory) this.#hold(value, entry)
    return entry.memory && entry.number
  }

  #hold(value: object, entry: Entry): void {
    try {
      entry.memory = entry.resting?.deref() ?? share(value)
      this.#inUse.set(entry.number, entry.memory)
    } catch {
      // Not sendable, or too large: whoever encodes it in full says so.
      entry.isFit = false
    }
  }

  #leave(entry: Entry): void {
    entry.users -= 1
    if (entry.users > 0 || !entry.memory) return
    entry.resting = new WeakRef(entry.memory)
    entry.memory = undefined
    this.#inUse.delete(entry.number)
    for (const listener of this.#listeners) listener(entry.number)
  }
}

/** The use that one call makes of shared values, from when it is given them to its end. */
export class SharedUse {
  /** For the encoder of its arguments. */
  readonly refer: (value: object) => number | undefined
  #end: (() => void) | undefined

  constructor(refer: (value: object) => number | undefined, end: () => void) {
    this.refer = refer
    this.#end = end
  }

  /** The call has ended. */
  end(): void {
    this.#end?.()
    this.#end = undefined
  }
}

/** Those of this process: a value that two executors are given is one value. */
export const sharedValues = new SharedValues()
