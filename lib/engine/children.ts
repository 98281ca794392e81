import type { Life } from './life.js'

/** So many have ended before any is let go. */
const manyEnded = 1024

/**
 * The runs that one attempt of a flow run has started. It does not end before them. What has completed is let go, by and by:
 * a flow run of a million tasks has to remember only those that go on and those that count in its own end.
 */
export class Children {
  #lives: Life[] = []
  #open = 0
  /** How many of `#lives` have settled since some were let go. */
  #ended = 0
  /** How many have completed and been let go. */
  #letGo = 0
  #whenEmpty: (() => void) | undefined

  /** In call order: those that have not settled, those that have settled without completing, and some of the others. */
  get lives(): readonly Life[] {
    return this.#lives
  }

  /** How many have completed and are not among `lives` any more. */
  get letGo(): number {
    return this.#letGo
  }

  /** How many there have been. */
  get count(): number {
    return this.#letGo + this.#lives.length
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
    this.#ended += 1
    // So that each is looked at a few times, however many there are.
    if (this.#ended >= manyEnded && this.#ended * 2 >= this.#lives.length) this.#letCompletedGo()
    if (this.#open === 0) this.#whenEmpty?.()
  }

  /** Another attempt begins: those of the last one have all settled. */
  startAfresh(): void {
    this.#lives = []
    this.#ended = 0
    this.#letGo = 0
  }

  #letCompletedGo(): void {
    const before = this.#lives.length
    this.#lives = this.#lives.filter(({ settled }) => settled?.type !== 'COMPLETED')
    this.#letGo += before - this.#lives.length
    this.#ended = 0
  }

  /**
   * Waits until all have settled. One that settles may lead to another call, in a `then` of its future: the end is
   * reached only when the microtasks of the last one have run.
   */
  async end(): Promise<void> {
    if (this.count === 0) return
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
