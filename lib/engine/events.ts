import type { EngineEvent } from '../core/event.js'
import { onAbort } from '../core/on-abort.js'

/**
 * Who listens to an engine. A feature that watches (progress in a terminal, metrics, a user's hook) listens here; it
 * never becomes a branch in the lives of runs. What a listener throws is swallowed: it must not change a run.
 */
export class Events {
  readonly #listeners = new Set<(event: EngineEvent) => void>()

  /** Whether anybody listens: an event that nobody hears need not be made. */
  get heard(): boolean {
    return this.#listeners.size > 0
  }

  emit(event: EngineEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch {}
    }
  }

  /** Calls `listener` with every event from now on. Gives a function that ends it. */
  listen(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Every event from the call on, in order, until the signal fires, the loop is left, or `end` is called. */
  iterate(signal?: AbortSignal): AsyncIterableIterator<EngineEvent> {
    const queue: EngineEvent[] = []
    const waiting: (() => void)[] = []
    const wake = () => {
      for (const go of waiting.splice(0)) go()
    }
    let ended = false
    const end = () => {
      ended = true
      stop()
      this.#ends.delete(end)
      forget?.()
      wake()
    }
    const stop = this.listen(event => {
      queue.push(event)
      wake()
    })
    this.#ends.add(end)
    const forget = signal && onAbort(signal, end)
    if (this.#ended || signal?.aborted) end()
    return {
      async next() {
        while (queue.length === 0 && !ended) {
          await new Promise<void>(resolve => void waiting.push(resolve))
        }
        const value = queue.shift()
        return value ? { done: false, value } : { done: true, value: undefined }
      },
      async return() {
        end()
        queue.length = 0
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  readonly #ends = new Set<() => void>()
  #ended = false

  /** Ends every iteration, once what it holds has been read. */
  end(): void {
    this.#ended = true
    for (const end of [...this.#ends]) end()
  }
}
