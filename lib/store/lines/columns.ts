// Columns of a batch line: lists of numbers that say little, written as pairs. docs/STORE-FORMAT.md describes them.

/** Numbers that mostly count up: `[first, how many, first, how many, …]`. */
export class Counts {
  pairs: number[] = []
  #next = -1

  add(number: number): void {
    const { pairs } = this
    if (number === this.#next) pairs[pairs.length - 1]! += 1
    else pairs.push(number, 1)
    this.#next = number + 1
  }

  clear(): void {
    this.pairs = []
    this.#next = -1
  }
}

/** Fractions of a millisecond have this many steps: epoch milliseconds as doubles are multiples of it. */
const ticksPerMs = 4096

/**
 * Times that mostly stand still: `[first, how many, ticks later, how many, …]`. Differences are whole numbers, so that
 * nothing is lost and they are short; where a difference is none, the time itself stands there and `how many` is negative.
 */
export class Times {
  pairs: number[] = []
  #last = Number.NaN

  add(at: number): void {
    const { pairs } = this
    if (at === this.#last) {
      const many = pairs[pairs.length - 1]!
      pairs[pairs.length - 1] = many < 0 ? many - 1 : many + 1
      return
    }
    const ticks = (at - this.#last) * ticksPerMs
    if (pairs.length === 0) pairs.push(at, 1)
    else if (Number.isSafeInteger(ticks) && this.#last + ticks / ticksPerMs === at) pairs.push(ticks, 1)
    else pairs.push(at, -1)
    this.#last = at
  }

  clear(): void {
    this.pairs = []
    this.#last = Number.NaN
  }
}

/** Reads a column of {@link Counts}, one number after the other. */
export class CountsReader {
  readonly #pairs: readonly number[]
  #at = 0
  #next = 0
  #left = 0

  constructor(pairs: readonly number[]) {
    this.#pairs = pairs
  }

  next(): number {
    if (this.#left === 0) {
      this.#next = this.#pairs[this.#at]!
      this.#left = this.#pairs[this.#at + 1]!
      this.#at += 2
    }
    this.#left -= 1
    return this.#next++
  }
}

/** Reads a column of {@link Times}. */
export class TimesReader {
  readonly #pairs: readonly number[]
  #at = 0
  #time = 0
  #left = 0

  constructor(pairs: readonly number[]) {
    this.#pairs = pairs
  }

  next(): number {
    if (this.#left === 0) {
      const [value, many] = [this.#pairs[this.#at]!, this.#pairs[this.#at + 1]!]
      this.#time = this.#at === 0 || many < 0 ? value : this.#time + value / ticksPerMs
      this.#left = Math.abs(many)
      this.#at += 2
    }
    this.#left -= 1
    return this.#time
  }
}

/** How many numbers a column holds, of either kind; `NaN` if it is none. */
export function lengthOf(pairs: readonly number[] | undefined): number {
  let length = 0
  for (let index = 1; index < (pairs?.length ?? 0); index += 2) length += Math.abs(pairs![index]!)
  return length
}
