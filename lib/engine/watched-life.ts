import type { SettledState } from '../core/state.js'
import { Future } from './future.js'
import { Life } from './life.js'

/** The life of a run whose future is made with it, and that somebody should look at: what fails unseen is told. */
export abstract class WatchedLife extends Life {
  readonly future = new Future<unknown>(this)
  #watched = false
  #whenOver: (() => void) | undefined

  /** Whether somebody looks at how it ends. */
  protected get isWatched(): boolean {
    return this.#watched
  }

  override watch(): void {
    this.#watched = true
  }

  /** Calls back when the run has settled, without counting as somebody who watches how. */
  whenOver(callback: () => void): void {
    if (this.settled) return callback()
    const before = this.#whenOver
    this.#whenOver = () => {
      before?.()
      callback()
    }
  }

  protected override over(): void {
    this.#whenOver?.()
  }

  /** Settles; a state that is news, with nobody watching, is an unhandled rejection, as for any promise. */
  protected settleWatched(state: SettledState, isNews: boolean): void {
    const unseen = isNews && !this.#watched
    this.settle(state)
    if (unseen) this.future.rejectUnwatched()
  }
}
