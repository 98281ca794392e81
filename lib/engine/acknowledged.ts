import type { Ack } from '../core/store.js'

/** What waits for the store to have kept something. */
export interface Waiting<With> {
  stored(context: With): void
  lost(error: unknown): void
}

/**
 * What waits for acknowledgements of the store. A store that writes in groups gives one promise to all of a group: they
 * share one reaction to it, which lets them go on in the order in which they came. A promise per run would be most of
 * what a run costs on a Node whose asynchronous context follows every promise.
 */
export class Acknowledgements<With> {
  #ack: Ack
  #group: Group<With> | undefined
  #ignored: Ack

  /** Tells `waiting` when the store has kept what `ack` stands for, or that it could not. */
  then(ack: Promise<void>, waiting: Waiting<With>, context: With): void {
    if (ack !== this.#ack || !this.#group) this.#open(ack)
    this.#group?.add(waiting, context)
  }

  /** Nobody waits for that one: a later one tells whether the store has failed. */
  ignore(ack: Ack): void {
    if (ack === undefined || ack === this.#ignored) return
    this.#ignored = ack
    ack.catch(() => {})
  }

  #open(ack: Promise<void>): void {
    const group = new Group<With>()
    this.#ack = ack
    this.#group = group
    const close = () => {
      if (this.#group === group) this.#group = undefined
    }
    ack.then(
      () => {
        close()
        group.stored()
      },
      error => {
        close()
        group.lost(error)
      },
    )
  }
}

/** Those who wait for the same promise, in order, and what each is told with it. */
class Group<With> {
  readonly #waiting: Waiting<With>[] = []
  readonly #contexts: With[] = []

  add(waiting: Waiting<With>, context: With): void {
    this.#waiting.push(waiting)
    this.#contexts.push(context)
  }

  stored(): void {
    for (const [index, waiting] of this.#waiting.entries()) {
      try {
        waiting.stored(this.#contexts[index] as With)
      } catch (error) {
        waiting.lost(error)
      }
    }
  }

  lost(error: unknown): void {
    for (const waiting of this.#waiting) waiting.lost(error)
  }
}
