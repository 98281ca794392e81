/** Waiting things: higher priority first, first come first served among equals. */
export class PriorityQueue<T> {
  private readonly lines = new Map<number, Line<T>>()
  /** Priorities in use, highest first. */
  private order: number[] = []

  push(item: T, priority: number): void {
    let line = this.lines.get(priority)
    if (!line) {
      this.lines.set(priority, (line = new Line()))
      this.order = [...this.lines.keys()].sort((a, b) => b - a)
    }
    line.push(item)
  }

  shift(): T | undefined {
    for (const priority of this.order) {
      const line = this.lines.get(priority)
      const item = line?.shift()
      if (item !== undefined) return item
      // Priorities may be any numbers; those out of use are not kept, but for the usual one.
      if (priority !== 0) this.forget(priority)
    }
    return undefined
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

  push(item: T): void {
    this.items.push(item)
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
}
