/**
 * How many things happened lately. Nothing is kept per thing: they are counted by the second, and for what is slow by the
 * ten seconds. Times are epoch milliseconds and do not go back.
 */
export class Rate {
  readonly #recent = new Window(1000)
  readonly #longer = new Window(10_000)
  #begun: number | undefined

  /** The first of them is under way: from here on time counts. */
  begin(at: number): void {
    this.#begun ??= at
  }

  add(count: number, at: number): void {
    this.begin(at)
    this.#recent.add(count, at)
    this.#longer.add(count, at)
  }

  /**
   * Per second, over the last ten seconds; for what is so slow that those have too little, over the last 100 s. Undefined:
   * nothing can be told, because there was too little, or because what was fast has come to a halt.
   */
  perSecond(now: number): number | undefined {
    const recent = this.#over(this.#recent, now)
    if (recent.count >= enough) return recent.perSecond
    const longer = this.#over(this.#longer, now)
    const isSlow = longer.perSecond * this.#recent.ms < 2000 * enough
    return longer.count >= enough && isSlow ? longer.perSecond : undefined
  }

  #over(window: Window, now: number) {
    const count = window.count(now)
    const ms = Math.min(now - (this.#begun ?? now), window.ms)
    return { count: ms < leastMs ? 0 : count, perSecond: (count / Math.max(ms, leastMs)) * 1000 }
  }
}

/** So many things have to be there before a rate is told: of two nobody knows what the third will do. */
const enough = 5
const leastMs = 1000

const slots = 10

/** Counts in the slots of a ring, the last one being that of now. */
class Window {
  readonly ms: number
  readonly #slotMs: number
  readonly #counts = new Array<number>(slots + 1).fill(0)
  #last = 0

  constructor(slotMs: number) {
    this.#slotMs = slotMs
    this.ms = slotMs * slots
  }

  add(count: number, at: number): void {
    this.#advance(at)
    this.#counts[this.#last % this.#counts.length]! += count
  }

  /** In the slot of now, and in as much of the others as makes the window whole. */
  count(now: number): number {
    this.#advance(now)
    const oldest = this.#counts[(this.#last + 1) % this.#counts.length]!
    const share = 1 - (now % this.#slotMs) / this.#slotMs
    return this.#counts.reduce((sum, count) => sum + count, 0) - oldest * (1 - share)
  }

  #advance(at: number): void {
    const slot = Math.floor(at / this.#slotMs)
    const passed = slot - this.#last
    if (passed <= 0) return
    if (passed >= this.#counts.length) this.#counts.fill(0)
    else for (let past = this.#last + 1; past <= slot; past++) this.#counts[past % this.#counts.length] = 0
    this.#last = slot
  }
}
