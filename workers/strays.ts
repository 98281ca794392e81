import { thrownToWire } from '../lib/values/wire.js'
import { currentCall, post } from './context.js'

/**
 * Catches what fails in the background: a timer or a promise that a task left behind. Uncaught, it would end the thread
 * and with it whichever task happens to run there. The pool is told whose it was, where that is known.
 */
export function watchStrays(): void {
  const tell = (thrown: unknown): void => {
    const owner = currentCall()
    const n = owner && !owner.hasEnded ? owner.n : 0
    // So that the pool hears of it before it takes the call's end.
    if (owner && n !== 0) owner.posted++
    post({ type: 'stray', n, taskName: owner?.taskName, flowRunId: owner?.flowRunId, error: thrownToWire(thrown) })
  }
  process.on('uncaughtException', tell)
  process.on('unhandledRejection', tell)
}
