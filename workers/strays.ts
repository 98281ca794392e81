import { thrownToWire } from '../lib/values/wire.js'
import { currentCall, post } from './context.js'

export interface Strays {
  /** Call `n` begins. */
  begin(n: number): void
  /** No call runs, and the next message is a reply. */
  end(): void
}

/**
 * Catches what fails in the background: a timer or a promise that a task left behind. Uncaught, it would end the thread
 * and with it whichever task happens to run there. The pool is told whose it was, where that is known.
 */
export function watchStrays(): Strays {
  let running = 0
  let last = 0
  const tell = (thrown: unknown): void => {
    const error = thrownToWire(thrown)
    // The reply itself could not be posted.
    if (running === 0 && isCloneError(thrown)) return post({ mintaka: 'unsent', n: last, error })
    const owner = currentCall()
    const n = owner && !owner.hasEnded ? owner.n : 0
    post({ mintaka: 'stray', n, taskName: owner?.taskName, error })
  }
  process.on('uncaughtException', tell)
  process.on('unhandledRejection', tell)
  return {
    begin(n) {
      running = last = n
    },
    end() {
      running = 0
    },
  }
}

function isCloneError(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'DataCloneError'
}
