import type { ExecutorSession } from '../core/executor.js'

/**
 * The turn of a run, with an executor that carries out one after another. It is asked for in call order, and taken when
 * the run is ready for it. A body that cannot be stopped keeps it until it ends, whatever has become of its run.
 */
export class Turn {
  readonly #asked: Promise<() => void>
  #release: (() => void) | undefined
  #isTaken = false
  #isAwaited = false
  #bodies = 0

  private constructor(asked: Promise<() => void>) {
    this.#asked = asked
  }

  /** Asks for the next one; `undefined`: that executor gives none, and nobody waits. */
  static ask(session: ExecutorSession | undefined): Turn | undefined {
    const asked = session?.turn?.()
    return asked && new Turn(asked)
  }

  /** Whether the run is ready, and waits for it. */
  get isAwaited(): boolean {
    return this.#isAwaited
  }

  /** Whether a body is under way that was begun in it. */
  get hasBody(): boolean {
    return this.#bodies > 0
  }

  async take(): Promise<void> {
    this.#isAwaited = true
    this.#release = await this.#asked
    this.#isTaken = true
    this.#isAwaited = false
  }

  /** The run has ended: another one's turn, unless a body still goes on. */
  giveBack(): void {
    if (this.#bodies > 0) return
    this.#release?.()
    this.#release = undefined
  }

  /** Lets the others pass as soon as it comes, if it was never taken: it is not needed. */
  pass(): void {
    if (!this.#isTaken) void this.#asked.then(release => release())
  }

  bodyBegins(): void {
    if (this.#release) this.#bodies += 1
  }

  bodyEnds(): void {
    this.#bodies -= 1
  }
}
