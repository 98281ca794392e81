import type { RunFuture } from '../core/future.js'
import { isSettled } from '../core/state.js'
import { again, onSignals, type Signals } from './signals.js'

/**
 * A first signal cancels the flow run and lets it end in order; a second one ends the process. The runs that live then
 * are CRASHED at the next start of an engine on the store.
 */
export function cancelOnSignals(future: RunFuture<unknown>): Signals {
  return onSignals((signal, times, exitCode) => {
    if (times > 1 || isSettled(future.state)) process.exit(exitCode)
    process.stderr.write(`Cancelling flow run '${future.name}'; ${again[signal]} ends it at once.\n`)
    void future.cancel(`by ${signal}`)
  })
}
