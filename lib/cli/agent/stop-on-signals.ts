import type { Agent } from '../../deployments/agent.js'
import { again, onSignals, type Signals } from '../signals.js'

/**
 * A first signal lets the runs of an agent end, and no more begin. A second one cancels them, a third one kills their
 * processes.
 */
export function stopOnSignals(agent: Agent, say: (line: string) => void): Signals {
  return onSignals((signal, times) => {
    const { running } = agent
    if (times === 1) {
      agent.stop()
      if (running > 0) say(`Waiting for ${running === 1 ? '1 run' : `${running} runs`}; ${again[signal]} cancels them.`)
    } else if (times === 2) {
      say(`Cancelling; ${again[signal]} ends it at once.`)
      agent.force('cancel')
    } else agent.force('kill')
  })
}
