const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const

/** A signal that ends what a person has started. */
export type EndSignal = keyof typeof exitCodes

/** One key press may arrive twice: from the terminal, and passed on by npx. */
const sameAgainMs = 50

export interface Signals {
  /** That of the first signal; `undefined`: there was none. */
  readonly exitCode: number | undefined
  stop(): void
}

/** Calls back for each Ctrl-C and SIGTERM: how many that makes, and the exit code of this one. */
export function onSignals(obey: (signal: EndSignal, times: number, exitCode: number) => void): Signals {
  let exitCode: number | undefined
  let times = 0
  let lastAt = Number.NEGATIVE_INFINITY
  const take = (signal: EndSignal) => {
    if (performance.now() - lastAt < sameAgainMs) return
    lastAt = performance.now()
    exitCode ??= exitCodes[signal]
    times += 1
    obey(signal, times, exitCodes[signal])
  }
  const signals = Object.keys(exitCodes) as EndSignal[]
  for (const signal of signals) process.on(signal, take)
  return {
    get exitCode() {
      return exitCode
    },
    stop() {
      for (const signal of signals) process.off(signal, take)
    },
  }
}

/** The same signal once more, in words. */
export const again: Readonly<Record<EndSignal, string>> = { SIGINT: 'Ctrl-C again', SIGTERM: 'another SIGTERM' }
