import type { Surroundings } from '../core/surroundings.js'
import { type Edges, whenAllSettled } from './inputs.js'

/** How a run waits: for a time, or for other runs. Whoever stops the run wakes it. */
export class Pause {
  #wake: (() => void) | undefined

  /** Ends the wait that is going on, if one is. What it waits for may not have come. */
  wake(): void {
    this.#wake?.()
  }

  /** Waits for a time, in epoch milliseconds. Woken, it waits on unless `isOver`. */
  async until(time: number, surroundings: Surroundings, isOver: () => boolean): Promise<void> {
    while (!isOver() && surroundings.now() < time) {
      await new Promise<void>(resolve => {
        const stop = surroundings.timer(time - surroundings.now(), resolve)
        this.#wake = () => {
          stop()
          resolve()
        }
      })
    }
  }

  /** Waits until all of them have settled. */
  settled({ upstream, allowed }: Edges): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      whenAllSettled([...upstream, ...allowed], resolve)
    })
  }
}
