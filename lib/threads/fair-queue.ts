/** What a {@link FairQueue} knows of what waits in it. */
export interface Queued {
  /** Higher comes first. */
  readonly priority: number
  /** On whose behalf it waits: owners of equal priority are served in turn. */
  readonly owner: unknown
  /** In which order things came. */
  readonly order: number
}

/** Whether one of two is more urgent, or came first among equals. */
export function isBefore(one: Queued, other: Queued): boolean {
  return one.priority === other.priority ? one.order < other.order : one.priority > other.priority
}

/**
 * Waiting things: higher priority first; among equals each owner in turn, so that ten calls do not wait for fifty
 * thousand of somebody else; first come first served within an owner. It keeps nothing of an owner that waits for
 * nothing.
 */
export class FairQueue<T extends Queued> {
  private readonly tiers = new Map<number, Tier<T>>()
  /** Priorities in use, highest first. */
  private order: number[] = []

  push(item: T): void {
    this.tier(item.priority).line(item.owner).push(item)
  }

  /** Puts back what had been taken, in the places that it had: before all of its owner that came later. */
  putBack(items: readonly T[]): void {
    for (const [priority, equals] of grouped(items, ({ priority }) => priority)) {
      const tier = this.tier(priority)
      for (const [owner, own] of grouped(equals, ({ owner }) => owner)) tier.line(owner, true).putBack(own)
    }
  }

  /** The next one, which stays. */
  peek(): T | undefined {
    return this.first()?.peek()
  }

  shift(): T | undefined {
    return this.first()?.shift()
  }

  /** Takes out all that waits, or all that waits on behalf of one owner. */
  drain(owner?: unknown): T[] {
    const drained = [...this.tiers.values()].flatMap(tier => tier.drain(owner))
    for (const [priority, tier] of this.tiers) if (tier.isEmpty) this.forget(priority)
    return drained
  }

  private first(): Tier<T> | undefined {
    for (const priority of this.order) {
      const tier = this.tiers.get(priority)
      if (tier && !tier.isEmpty) return tier
      // Priorities may be any numbers; those out of use are not kept, but for the usual one.
      if (priority !== 0) this.forget(priority)
    }
    return undefined
  }

  private tier(priority: number): Tier<T> {
    let tier = this.tiers.get(priority)
    if (!tier) {
      this.tiers.set(priority, (tier = new Tier()))
      this.order = [...this.tiers.keys()].sort((a, b) => b - a)
    }
    return tier
  }

  private forget(priority: number): void {
    this.tiers.delete(priority)
    this.order = this.order.filter(other => other !== priority)
  }
}

/** Things of one priority. */
class Tier<T extends Queued> {
  private readonly lines = new Map<unknown, Line<T>>()
  /** The lines in the order of their turns; none of them is empty between calls. */
  private turns: Line<T>[] = []

  get isEmpty(): boolean {
    return this.lines.size === 0
  }

  line(owner: unknown, isFirst = false): Line<T> {
    let line = this.lines.get(owner)
    if (!line) {
      this.lines.set(owner, (line = new Line(owner)))
      if (isFirst) this.turns.unshift(line)
      else this.turns.push(line)
    }
    return line
  }

  peek(): T | undefined {
    return this.turns[0]?.peek()
  }

  shift(): T | undefined {
    const line = this.turns[0]
    const item = line?.shift()
    if (!line || (line.length > 0 && this.turns.length === 1)) return item
    this.turns.shift()
    if (line.length > 0) this.turns.push(line)
    else this.lines.delete(line.owner)
    return item
  }

  drain(owner: unknown): T[] {
    const gone = owner === undefined ? this.turns : this.turns.filter(line => line.owner === owner)
    this.turns = this.turns.filter(line => !gone.includes(line))
    for (const line of gone) this.lines.delete(line.owner)
    return gone.flatMap(line => line.rest())
  }
}

/** An array that is cheap to shift. */
class Line<T extends Queued> {
  readonly owner: unknown
  private items: (T | undefined)[] = []
  private head = 0

  constructor(owner: unknown) {
    this.owner = owner
  }

  get length(): number {
    return this.items.length - this.head
  }

  push(item: T): void {
    this.items.push(item)
  }

  peek(): T | undefined {
    return this.items[this.head]
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined
    const item = this.items[this.head]
    this.items[this.head++] = undefined
    // Halved now and then: each item is moved once at most on average.
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  rest(): T[] {
    return this.items.slice(this.head) as T[]
  }

  putBack(items: readonly T[]): void {
    const merged: T[] = []
    for (const item of items.toSorted((one, other) => one.order - other.order)) {
      for (let next = this.peek(); next !== undefined && next.order < item.order; next = this.peek()) {
        merged.push(next)
        this.shift()
      }
      merged.push(item)
    }
    if (this.head < merged.length) {
      this.items = [...merged, ...this.items.slice(this.head)]
      this.head = 0
      return
    }
    this.head -= merged.length
    for (const [index, item] of merged.entries()) this.items[this.head + index] = item
  }
}

function grouped<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
