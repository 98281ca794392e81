/** The newest of what has been seen, as many as are wanted. */
export class Newest<Entry extends { readonly created: number }> {
  readonly #limit: number
  /** When the others were created that compete for places, newest first. */
  readonly #known: readonly number[]
  #entries: Entry[] = []
  /** The oldest time that still has a place, once all places are taken. */
  #least = Number.NEGATIVE_INFINITY

  constructor(limit: number, known: readonly number[]) {
    this.#limit = limit
    this.#known = known
    this.#trim()
  }

  copy(): readonly Entry[] {
    return [...this.#entries]
  }

  reset(entries: readonly Entry[]): void {
    this.#entries = [...entries]
    this.#least = Number.NEGATIVE_INFINITY
    this.#trim()
  }

  add(entry: Entry): void {
    if (entry.created < this.#least) return
    this.#entries.push(entry)
    if (this.#limit < Number.POSITIVE_INFINITY && this.#entries.length >= this.#limit * 2 + 16) this.#trim()
    else if (this.#least === Number.NEGATIVE_INFINITY && this.#entries.length + this.#known.length >= this.#limit)
      this.#trim()
  }

  /** Whether nothing that was created at that time or before can have a place any more. */
  isBeyond(mc: number): boolean {
    return mc < this.#least
  }

  sorted(): Entry[] {
    this.#trim()
    return this.#entries
  }

  #trim(): void {
    // A stable order: of equal ones the line that came later is the newer one.
    this.#entries.sort((a, b) => b.created - a.created)
    if (this.#limit === Number.POSITIVE_INFINITY) return
    const times = [...this.#entries.map(({ created }) => created), ...this.#known].sort((a, b) => b - a)
    this.#least = times[this.#limit - 1] ?? Number.NEGATIVE_INFINITY
    this.#entries = this.#entries.filter(({ created }) => created >= this.#least)
  }
}
