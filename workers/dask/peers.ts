import { comparePriority } from './priority.js'
import type { Wanted } from './task.js'

export interface TransferLimits {
  /** How many peers are asked at once. */
  readonly transfers: number
  /** How much is asked for in one message, if it is more than one value. */
  readonly messageBytes: number
  /** How much may be on its way in all, if it is more than one message. */
  readonly incomingBytes: number
}

/** What is asked of one peer. */
export interface Transfer {
  readonly from: string
  readonly keys: readonly string[]
}

interface Incoming {
  readonly keys: ReadonlySet<string>
  readonly nbytes: number
}

/** Who is said to have the values that are wanted, and who has been asked. Each peer is asked one thing at a time. */
export class Peers {
  private readonly limits: TransferLimits
  /** The keys that are wanted, by peer. */
  private readonly has = new Map<string, Set<string>>()
  private readonly incoming = new Map<string, Incoming>()
  private readonly resting = new Set<string>()
  private bytes = 0

  constructor(limits: TransferLimits) {
    this.limits = limits
  }

  /** How many transfers are going on, and how much they are said to bring. */
  get load(): { readonly transfers: number; readonly nbytes: number } {
    return { transfers: this.incoming.size, nbytes: this.bytes }
  }

  add(key: string, addresses: Iterable<string>): void {
    for (const address of addresses) {
      let keys = this.has.get(address)
      if (!keys) this.has.set(address, (keys = new Set()))
      keys.add(key)
    }
  }

  remove(key: string, addresses: Iterable<string>): void {
    for (const address of addresses) {
      const keys = this.has.get(address)
      keys?.delete(key)
      if (keys?.size === 0) this.has.delete(address)
    }
  }

  /** The keys that are wanted and that the peer is said to have. */
  keysOf(address: string): string[] {
    return [...(this.has.get(address) ?? [])]
  }

  /** It is not asked until `wake` is called. */
  rest(address: string): void {
    this.resting.add(address)
  }

  wake(address: string): void {
    this.resting.delete(address)
  }

  isResting(address: string): boolean {
    return this.resting.has(address)
  }

  /** The transfer from that peer has ended. Gives the keys that it was asked for. */
  ended(from: string): ReadonlySet<string> {
    const incoming = this.incoming.get(from)
    if (!incoming) throw new Error(`no transfer from ${from} is going on`)
    this.incoming.delete(from)
    this.bytes -= incoming.nbytes
    return incoming.keys
  }

  /**
   * The next transfer to begin: from the peer that has the most urgent of the keys to fetch, with as much else as one
   * message takes. `wanted` gives what is known of a key.
   */
  next(wanted: (key: string) => Wanted): Transfer | undefined {
    if (this.incoming.size >= this.limits.transfers) return undefined
    if (this.bytes > 0 && this.bytes >= this.limits.incomingBytes) return undefined
    let best: { from: string; keys: string[]; first: Wanted } | undefined
    for (const [from, all] of this.has) {
      if (this.incoming.has(from) || this.resting.has(from)) continue
      const keys = [...all].filter(key => wanted(key).type === 'fetch')
      const first = mostUrgent(keys.map(wanted))
      if (first && (!best || isBefore(first, keys.length, best.first, best.keys.length))) best = { from, keys, first }
    }
    return best && this.begin(best.from, best.keys, wanted)
  }

  private begin(from: string, keys: string[], wanted: (key: string) => Wanted): Transfer {
    keys.sort((one, other) => comparePriority(wanted(one).priority, wanted(other).priority))
    const taken: string[] = []
    let nbytes = 0
    for (const key of keys) {
      const more = wanted(key).nbytes
      if (taken.length > 0 && nbytes + more > this.limits.messageBytes) break
      taken.push(key)
      nbytes += more
    }
    this.incoming.set(from, { keys: new Set(taken), nbytes })
    this.bytes += nbytes
    return { from, keys: taken }
  }
}

function mostUrgent(all: readonly Wanted[]): Wanted | undefined {
  let first: Wanted | undefined
  for (const each of all) if (!first || comparePriority(each.priority, first.priority) < 0) first = each
  return first
}

function isBefore(one: Wanted, count: number, other: Wanted, otherCount: number): boolean {
  const difference = comparePriority(one.priority, other.priority)
  return difference === 0 ? count > otherCount : difference < 0
}
