/** Positions as people count them. */
export class Lines {
  readonly #starts: number[] = [0]

  constructor(code: string) {
    for (const end of code.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) this.#starts.push(end.index + end[0].length)
  }

  lineOf(position: number): number {
    return lastAtMost(this.#starts, position, start => start) + 1
  }

  columnOf(position: number): number {
    return position - this.#starts[this.lineOf(position) - 1]! + 1
  }
}

/** Index of the last item that begins at or before `position`; -1 if none does. */
export function lastAtMost<T>(items: readonly T[], position: number, startOf: (item: T) => number): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (startOf(items[middle]!) <= position) low = middle + 1
    else high = middle
  }
  return low - 1
}
