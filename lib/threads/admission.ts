/**
 * Who may run now, where there is less of something than calls want: resources (`{ GPU: 1 }`, in Dask's meaning) and
 * limits by tag (`{ db: 4 }`: a resource of which each call with that tag takes one).
 *
 * A call takes what it demands when it goes to a thread and gives it back when it has left it. The most urgent call whose
 * demand can be met goes; one that cannot go lets others pass, but not for ever: once `patience` calls that come after it
 * have taken of what it waits for, what is given back is kept for it. So a call that wants all of it waits for those at
 * most, and for those that run. More urgent calls go first in any case.
 */
import { FairQueue, isBefore, type Queued } from './fair-queue.js'

/** How much there is, by name. */
export interface Offer {
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** How many calls with that tag may run at once. */
  readonly limits?: Readonly<Record<string, number>> | undefined
}

/** What a call takes while it runs. */
export interface Demand {
  /** The same for calls that demand the same. */
  readonly key: string
  readonly amounts: readonly Amount[]
}

export interface Amount {
  readonly name: string
  readonly amount: number
}

/** A call with a demand. */
export interface Claimant extends Queued {
  readonly demand: Demand
  /** Whether it has ended without having gone: stopped while it waited. */
  readonly isOver: boolean
}

/** The name of a limit, which may be that of a resource as well. */
export function limitName(tag: string): string {
  return `tag ${tag}`
}

export function demand(amounts: readonly Amount[]): Demand {
  const sorted = amounts.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  return { key: sorted.map(({ name, amount }) => `${amount} ${name}`).join('\n'), amounts: sorted }
}

/** How many calls may pass one that waits, and take of what it waits for. */
export const patience = 16

interface Stock {
  readonly total: number
  taken: number
  /** How many calls have some of it. */
  holders: number
}

/** Calls that wait and demand the same. */
interface Line<T extends Claimant> {
  readonly demand: Demand
  readonly waiting: FairQueue<T>
  /** How many calls have passed the first of them. */
  passed: number
}

export class Admission<T extends Claimant> {
  private readonly stocks = new Map<string, Stock>()
  private readonly holding = new Set<T>()
  private readonly lines = new Map<string, Line<T>>()
  private wasParked = false

  constructor({ resources = {}, limits = {} }: Offer) {
    for (const [name, total] of Object.entries(resources)) this.stocks.set(name, stock(total))
    for (const [tag, total] of Object.entries(limits)) this.stocks.set(limitName(tag), stock(total))
  }

  /** Whether calls wait here. */
  get isWaitedFor(): boolean {
    return this.lines.size > 0
  }

  /** Lets a call go, which takes what it demands; or keeps it until its turn comes: `next` gives it then. */
  admit(call: T): boolean {
    const line = this.lines.get(call.demand.key)
    const first = line && this.firstOf(line)
    const mayGo = (!first || isBefore(call, first)) && this.fits(call, this.starving())
    if (mayGo) this.take(call)
    else this.park(call)
    return mayGo
  }

  /**
   * The most urgent of the calls that wait here and can go now, with what it demands: if it is as urgent as `other`,
   * which can go too. Among equals those who waited here and others go in turn.
   */
  next(other: Queued | undefined): T | undefined {
    const found = this.mostUrgent()
    if (!found) return undefined
    const isTheirTurn =
      other && (other.priority > found.priority || (other.priority === found.priority && this.wasParked))
    this.wasParked = !isTheirTurn
    if (isTheirTurn) return undefined
    const line = this.lines.get(found.demand.key) as Line<T>
    line.waiting.shift()
    line.passed = 0
    this.forgetIfEmpty(line)
    this.take(found)
    return found
  }

  /** A call has left its thread, or ended on the way there. Those that have taken nothing give nothing back. */
  giveBack(call: T): void {
    if (!this.holding.delete(call)) return
    for (const { name, amount } of call.demand.amounts) {
      const stock = this.stocks.get(name) as Stock
      stock.holders--
      // Fractions do not add up exactly: nothing is left of that once nobody has any.
      stock.taken = stock.holders === 0 ? 0 : stock.taken - amount
    }
  }

  /** Takes out all that wait here, or all of one owner. */
  drain(owner?: unknown): T[] {
    const lines = [...this.lines.values()]
    const drained = lines.flatMap(line => line.waiting.drain(owner))
    for (const line of lines) this.forgetIfEmpty(line)
    return drained
  }

  private mostUrgent(): T | undefined {
    const starving = this.starving()
    let found: T | undefined
    for (const line of this.lines.values()) {
      const first = this.firstOf(line)
      if (first && (!found || isBefore(first, found)) && this.fits(first, starving)) found = first
    }
    return found
  }

  /** The most urgent of those that have been passed too often. */
  private starving(): T | undefined {
    let found: T | undefined
    for (const line of this.lines.values()) {
      if (line.passed < patience) continue
      const first = this.firstOf(line)
      if (first && (!found || isBefore(first, found))) found = first
    }
    return found
  }

  private fits(call: T, starving: T | undefined): boolean {
    const kept = starving && isBefore(starving, call) ? starving.demand.amounts : []
    return call.demand.amounts.every(({ name, amount }) => {
      const { total, taken } = this.stocks.get(name) as Stock
      const forOther = kept.find(other => other.name === name)?.amount ?? 0
      return taken + amount + forOther <= total * roundingSlack
    })
  }

  private take(call: T): void {
    this.holding.add(call)
    for (const { name, amount } of call.demand.amounts) {
      const stock = this.stocks.get(name) as Stock
      stock.holders++
      stock.taken += amount
    }
    for (const line of this.lines.values()) {
      const first = this.firstOf(line)
      if (first && isBefore(first, call) && shareSomething(line.demand, call.demand)) line.passed++
    }
  }

  private park(call: T): void {
    const { demand } = call
    let line = this.lines.get(demand.key)
    if (!line) this.lines.set(demand.key, (line = { demand, waiting: new FairQueue(), passed: 0 }))
    line.waiting.push(call)
  }

  // Those that were stopped while they waited are dropped when they come first.
  private firstOf(line: Line<T>): T | undefined {
    let first = line.waiting.peek()
    while (first?.isOver) {
      line.waiting.shift()
      first = line.waiting.peek()
    }
    if (!first) this.forgetIfEmpty(line)
    return first
  }

  private forgetIfEmpty(line: Line<T>): void {
    if (!line.waiting.peek()) this.lines.delete(line.demand.key)
  }
}

// Ten times 0.1 is more than 1 to a computer.
const roundingSlack = 1 + 1e-9

function stock(total: number): Stock {
  return { total, taken: 0, holders: 0 }
}

function shareSomething(one: Demand, other: Demand): boolean {
  return one.amounts.some(({ name }) => other.amounts.some(amount => amount.name === name))
}
