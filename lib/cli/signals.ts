import type { RunFuture } from '../core/future.js'
import { isSettled } from '../core/state.js'

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

/** One key press may arrive twice: from the terminal, and passed on by npx. */
const sameAgainMs = 50

/**
 * A first signal cancels the flow run and lets it end in order; a second one ends the process. The runs that live then
 * are CRASHED at the next start of an engine on the store.
 */
export function cancelOnSignals(future: RunFuture<unknown>): { readonly exitCode: number | undefined; stop(): void } {
  let exitCode: number | undefined
  let firstAt = 0
  const obey = (signal: keyof typeof exitCodes) => {
    if (exitCode !== undefined && Date.now() - firstAt < sameAgainMs) return
    if (exitCode !== undefined || isSettled(future.state)) process.exit(exitCodes[signal])
    exitCode = exitCodes[signal]
    firstAt = Date.now()
    process.stderr.write(`Cancelling flow run '${future.name}'; ${again[signal]} ends it at once.\n`)
    void future.cancel(`by ${signal}`)
  }
  const signals = Object.keys(exitCodes) as (keyof typeof exitCodes)[]
  for (const signal of signals) process.on(signal, obey)
  return {
    get exitCode() {
      return exitCode
    },
    stop() {
      for (const signal of signals) process.off(signal, obey)
    },
  }
}

const again = { SIGINT: 'Ctrl-C again', SIGTERM: 'another SIGTERM' } as const
