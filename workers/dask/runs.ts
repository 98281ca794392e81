import { Stock } from './stock.js'
import type { Order } from './task.js'

/** Something that runs, whether or not it is still wanted. */
export interface Run<Spec> {
  readonly key: string
  readonly order: Order<Spec>
}

/** What runs, and what it takes: threads and resources. */
export class Runs<Spec> {
  readonly stock: Stock
  private readonly nthreads: number
  private readonly runs = new Map<number, Run<Spec>>()
  private count = 0
  private taken = 0

  constructor(nthreads: number, resources: Readonly<Record<string, number>>) {
    this.nthreads = nthreads
    this.stock = new Stock(resources)
  }

  get hasThread(): boolean {
    return this.taken < this.nthreads
  }

  /** How many threads are occupied. */
  get threadsTaken(): number {
    return this.taken
  }

  get all(): ReadonlyMap<number, Run<Spec>> {
    return this.runs
  }

  /** Gives the number of the run. */
  begin(key: string, order: Order<Spec>): number {
    const run = ++this.count
    this.runs.set(run, { key, order })
    this.taken += order.threads
    this.stock.take(order.resources)
    return run
  }

  /** Gives back what it took. */
  ended(run: number): Run<Spec> {
    const ended = this.runs.get(run)
    if (!ended) throw new Error(`There is no run ${run}.`)
    this.runs.delete(run)
    this.taken -= ended.order.threads
    this.stock.giveBack(ended.order.resources)
    return ended
  }

  isRunning(key: string): boolean {
    for (const run of this.runs.values()) if (run.key === key) return true
    return false
  }
}
