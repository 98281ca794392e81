import { Heap } from './heap.js'
import { comparePriority } from './priority.js'
import type { Stock } from './stock.js'
import type { Order } from './task.js'

interface Entry {
  readonly key: string
  readonly order: Order<unknown>
  /** Among equals, first come first served. */
  readonly count: number
}

/**
 * The tasks that could begin, the most urgent first. Those that take the same resources are a line: only the heads of
 * lines are looked at, and a task waits for no resource that it does not take.
 */
export class ReadyQueue {
  private readonly lines = new Map<string, Heap<Entry>>()
  private readonly entries = new Map<string, { readonly entry: Entry; readonly line: string }>()
  private count = 0

  get size(): number {
    return this.entries.size
  }

  push(key: string, order: Order<unknown>): void {
    const entry = { key, order, count: this.count++ }
    const line = lineOf(order)
    let heap = this.lines.get(line)
    if (!heap) this.lines.set(line, (heap = new Heap(isBefore)))
    heap.push(entry)
    this.entries.set(key, { entry, line })
  }

  remove(key: string): void {
    const found = this.entries.get(key)
    if (!found) return
    this.entries.delete(key)
    const heap = this.lines.get(found.line) as Heap<Entry>
    heap.remove(found.entry)
    if (heap.size === 0) this.lines.delete(found.line)
  }

  /**
   * The key of the most urgent task that can begin, which stays. What a more urgent one lacks is kept for it: less
   * urgent ones that take the same wait too, or it might wait for ever.
   */
  next(stock: Stock, hasThread: boolean): string | undefined {
    const scarce = new Set<string>()
    for (const { key, order } of this.heads()) {
      if (order.threads > 0 && !hasThread) continue
      const lacking = stock.lacking(order.resources)
      if (lacking.length === 0 && !Object.keys(order.resources).some(name => scarce.has(name))) return key
      for (const name of lacking) scarce.add(name)
    }
    return undefined
  }

  private heads(): Entry[] {
    const heads = [...this.lines.values()].map(heap => heap.peek() as Entry)
    return heads.length > 1 ? heads.sort((one, other) => (isBefore(one, other) ? -1 : 1)) : heads
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  const difference = comparePriority(one.order.priority, other.order.priority)
  return difference === 0 ? one.count < other.count : difference < 0
}

function lineOf({ threads, resources }: Order<unknown>): string {
  const names = Object.keys(resources)
  if (names.length > 1) names.sort()
  return `${threads} ${names.map(name => `${JSON.stringify(name)}:${resources[name]}`).join()}`
}
