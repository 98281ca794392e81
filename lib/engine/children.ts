import type { Life } from './life.js'

/** The runs that one attempt of a flow run has started, in call order. It does not end before them. */
export class Children {
  #lives: Life[] = []
  #open = 0
  #whenEmpty: (() => void) | undefined

  get lives(): readonly Life[] {
    return this.#lives
  }

  /** How many have not settled. */
  get open(): number {
    return this.#open
  }

  adopt(child: Life): void {
    this.#lives.push(child)
    this.#open += 1
  }

  /** One of them has settled. */
  over(): void {
    this.#open -= 1
    if (this.#open === 0) this.#whenEmpty?.()
  }

  /** Another attempt begins: those of the last one have all settled. */
  startAfresh(): void {
    this.#lives = []
  }

  /**
   * Waits until all have settled. One that settles may lead to another call, in a `then` of its future: the end is
   * reached only when the microtasks of the last one have run.
   */
  async end(): Promise<void> {
    if (this.#lives.length === 0) return
    for (;;) {
      if (this.#open > 0) {
        await new Promise<void>(resolve => {
          this.#whenEmpty = resolve
        })
      }
      await new Promise(resolve => setImmediate(resolve))
      if (this.#open === 0) return
    }
  }
}
