/**
 * How many things happened lately. Nothing is kept per thing: they are counted by the second. Times are epoch milliseconds,
 * and may come in any order: who follows the run of another process learns of each task run with all its past.
 */
export class Rate {
  /** A ring: the last one is that of `#second`. */
  readonly #counts = new Uint32Array(longerSeconds + 1)
  #second = 0
  #begun: number | undefined

  /** The first of them is under way: from here on time counts. */
  begin(at: number): void {
    if (this.#begun === undefined || at < this.#begun) this.#begun = at
  }

  add(count: number, at: number): void {
    const second = Math.floor(at / 1000)
    if (second > this.#second) this.#advance(second)
    if (second > this.#second - this.#counts.length) this.#counts[second % this.#counts.length]! += count
    this.begin(at)
  }

  /**
   * Per second, over the last ten seconds; for what is so slow that those have too little, over the last 100 s. Undefined:
   * nothing can be told, because there was too little, or because what was fast has come to a halt.
   */
  perSecond(now: number): number | undefined {
    this.#advance(Math.floor(now / 1000))
    const recent = this.#over(recentSeconds, now)
    if (recent.count >= enough) return recent.perSecond
    const longer = this.#over(longerSeconds, now)
    const isSlow = longer.perSecond * recentSeconds < 2 * enough
    return longer.count >= enough && isSlow ? longer.perSecond : undefined
  }

  /** In the second of now, in those before it, and in as much of the one before those as makes them whole. */
  #over(seconds: number, now: number) {
    const at = (back: number) => this.#counts[(this.#second - back + this.#counts.length) % this.#counts.length]!
    let count = at(seconds) * (1 - (now % 1000) / 1000)
    for (let back = 0; back < seconds; back++) count += at(back)
    const passed = Math.min((now - (this.#begun ?? now)) / 1000, seconds)
    return { count: passed < leastSeconds ? 0 : count, perSecond: count / Math.max(passed, leastSeconds) }
  }

  #advance(second: number): void {
    const passed = Math.min(second - this.#second, this.#counts.length)
    for (let back = 0; back < passed; back++) this.#counts[(second - back) % this.#counts.length] = 0
    this.#second = Math.max(this.#second, second)
  }
}

const recentSeconds = 10
const longerSeconds = 100
const leastSeconds = 1

/** So many things have to be there before a rate is told: of two nobody knows what the third will do. */
const enough = 5
