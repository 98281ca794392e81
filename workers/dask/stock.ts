/** Fractions do not add up exactly: ten times 0.1 is more than 1 to a computer. */
const roundingSlack = 1 + 1e-9

interface Resource {
  readonly total: number
  taken: number
  holders: number
}

/** The resources of a worker, and how much of them is taken. */
export class Stock {
  private readonly resources: ReadonlyMap<string, Resource>

  constructor(totals: Readonly<Record<string, number>>) {
    this.resources = new Map(Object.entries(totals).map(([name, total]) => [name, { total, taken: 0, holders: 0 }]))
  }

  /** The names of those of which there is not enough left. */
  lacking(amounts: Readonly<Record<string, number>>): string[] {
    const names: string[] = []
    for (const [resource, amount, name] of this.named(amounts)) {
      if (resource.taken + amount > resource.total * roundingSlack) names.push(name)
    }
    return names
  }

  take(amounts: Readonly<Record<string, number>>): void {
    for (const [resource, amount] of this.named(amounts)) {
      resource.holders += 1
      resource.taken += amount
    }
  }

  giveBack(amounts: Readonly<Record<string, number>>): void {
    for (const [resource, amount] of this.named(amounts)) {
      resource.holders -= 1
      resource.taken = resource.holders === 0 ? 0 : Math.max(0, resource.taken - amount)
    }
  }

  /** How much of each is taken. */
  get taken(): Record<string, number> {
    return Object.fromEntries([...this.resources].map(([name, { taken }]) => [name, taken]))
  }

  // The scheduler has compared what a task takes with what there is. Should it be more nevertheless, all there is must
  // do: a task that can never begin would be waited for in silence.
  private *named(amounts: Readonly<Record<string, number>>): Generator<[Resource, number, string]> {
    for (const [name, amount] of Object.entries(amounts)) {
      const resource = this.resources.get(name)
      if (resource) yield [resource, Math.min(amount, resource.total), name]
    }
  }
}
