/** Waiting things: higher priority first, first come first served among equals. */
export class PriorityQueue<T> {
  private readonly lines = new Map<number, Line<T>>()
  /** Priorities in use, highest first. */
  private order: number[] = []

  push(item: T, priority: number): void {
    this.line(priority).push(item)
  }

  /** Puts back what had been taken, in the places that it had: before all that came later. */
  putBack(items: readonly T[], priority: number, isBefore: (one: T, other: T) => boolean): void {
    this.line(priority).putBack(items, isBefore)
  }

  shift(): T | undefined {
    return this.first()?.shift()
  }

  private first(): Line<T> | undefined {
    for (const priority of this.order) {
      const line = this.lines.get(priority)
      if (line && line.length > 0) return line
      // Priorities may be any numbers; those out of use are not kept, but for the usual one.
      if (priority !== 0) this.forget(priority)
    }
    return undefined
  }

  private line(priority: number): Line<T> {
    let line = this.lines.get(priority)
    if (!line) {
      this.lines.set(priority, (line = new Line()))
      this.order = [...this.lines.keys()].sort((a, b) => b - a)
    }
    return line
  }

  private forget(priority: number): void {
    this.lines.delete(priority)
    this.order = this.order.filter(other => other !== priority)
  }
}

/** An array that is cheap to shift. */
class Line<T> {
  private items: (T | undefined)[] = []
  private head = 0

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

  putBack(items: readonly T[], isBefore: (one: T, other: T) => boolean): void {
    const merged: T[] = []
    for (const item of items) {
      for (let next = this.peek(); next !== undefined && isBefore(next, item); next = this.peek()) {
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
