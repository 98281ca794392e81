import type { Agent } from '../../deployments/agent.js'

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const
type Signal = keyof typeof exitCodes

/** One key press may arrive twice: from the terminal, and passed on by npx. */
const sameAgainMs = 50

/**
 * A first signal lets the runs of an agent end, and no more begin. A second one cancels them, a third one kills their
 * processes. `exitCode`: that of the first, if there was one.
 */
export function stopOnSignals(
  agent: Agent,
  say: (line: string) => void,
): { readonly exitCode: number | undefined; stop(): void } {
  let exitCode: number | undefined
  let times = 0
  let lastAt = Number.NEGATIVE_INFINITY
  const obey = (signal: Signal) => {
    if (performance.now() - lastAt < sameAgainMs) return
    lastAt = performance.now()
    exitCode ??= exitCodes[signal]
    times += 1
    const { running } = agent
    if (times === 1) {
      agent.stop()
      if (running > 0) say(`Waiting for ${running === 1 ? '1 run' : `${running} runs`}; ${again[signal]} cancels them.`)
    } else if (times === 2) {
      say(`Cancelling; ${again[signal]} ends it at once.`)
      agent.force('cancel')
    } else agent.force('kill')
  }
  const signals = Object.keys(exitCodes) as Signal[]
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
