/** What comes first is on top; what is not wanted any more can be taken out from anywhere. */
export class Heap<T extends object> {
  private readonly items: T[] = []
  private readonly places = new Map<T, number>()
  private readonly isBefore: (one: T, other: T) => boolean

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.isBefore = isBefore
  }

  get size(): number {
    return this.items.length
  }

  peek(): T | undefined {
    return this.items[0]
  }

  push(item: T): void {
    this.items.push(item)
    this.rise(item, this.items.length - 1)
  }

  /** Does nothing if it is not there. */
  remove(item: T): void {
    const place = this.places.get(item)
    if (place === undefined) return
    this.places.delete(item)
    const last = this.items.pop() as T
    if (last === item) return
    this.sink(last, place)
    this.rise(last, this.places.get(last) as number)
  }

  private rise(item: T, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.items[above] as T
      if (!this.isBefore(item, parent)) break
      this.put(parent, place)
      place = above
    }
    this.put(item, place)
  }

  private sink(item: T, from: number): void {
    let place = from
    for (let child = this.firstBelow(place); child; child = this.firstBelow(place)) {
      if (!this.isBefore(child, item)) break
      const below = this.places.get(child) as number
      this.put(child, place)
      place = below
    }
    this.put(item, place)
  }

  private firstBelow(place: number): T | undefined {
    const left = this.items[2 * place + 1]
    const right = this.items[2 * place + 2]
    return left && right && this.isBefore(right, left) ? right : left
  }

  private put(item: T, place: number): void {
    this.items[place] = item
    this.places.set(item, place)
  }
}
