import type { Serialized } from '../../lib/dask/protocol/message.js'
import { decodeValue } from '../../lib/dask/values/decode.js'

/** A value as a worker keeps it. */
export interface Stored {
  /** As it goes to others, and as it came from them. */
  readonly serialized: Serialized
  readonly nbytes: number
  /** What the scheduler is told of it: a pickle. */
  readonly type: Buffer
  readonly typeName: string
  /** How it was computed here; `undefined`: it came from elsewhere. */
  readonly computed?: { readonly start: number; readonly stop: number; readonly thread: number } | undefined
}

interface Entry {
  readonly stored: Stored
  /** What it is to JavaScript, as long as somebody uses it. */
  decoded: WeakRef<object> | undefined
  /** The same, for tasks that are to come. */
  held: object | undefined
}

/** The values that a worker keeps, in encoded form. What JavaScript makes of them is made when it is needed. */
export class ValueStore {
  /** In bytes, as encoded. */
  nbytes = 0
  private readonly entries = new Map<string, Entry>()

  get keys(): string[] {
    return [...this.entries.keys()]
  }

  get(key: string): Stored | undefined {
    return this.entries.get(key)?.stored
  }

  /** `value` is what JavaScript makes of it, if that is known. */
  keep(key: string, stored: Stored, value?: unknown): void {
    this.drop(key)
    this.entries.set(key, { stored, decoded: refTo(value), held: undefined })
    this.nbytes += stored.nbytes
  }

  drop(key: string): void {
    const entry = this.entries.get(key)
    if (!entry) return
    this.entries.delete(key)
    this.nbytes -= entry.stored.nbytes
  }

  /**
   * What JavaScript makes of a value: as long as somebody uses it, the same object each time, so that threads can share it.
   * `holds`: others will ask for it soon. Throws as `decodeValue` does, and if it is not here.
   */
  read(key: string, holds: boolean): unknown {
    const entry = this.entries.get(key)
    if (!entry) throw new Error(`The value of ${key} is not here.`)
    const known = entry.decoded?.deref()
    const value = known ?? decodeValue(entry.stored.serialized)
    if (known === undefined) entry.decoded = refTo(value)
    entry.held = holds && typeof value === 'object' && value !== null ? value : undefined
    return value
  }
}

function refTo(value: unknown): WeakRef<object> | undefined {
  return typeof value === 'object' && value !== null ? new WeakRef(value) : undefined
}
