import type { Call, Outcome } from '../core/executor.js'
import { check } from '../core/options.js'
import { fromWire, toWire } from '../values/wire.js'

/** What every in-process executor can be told. */
export interface InProcessOptions {
  /**
   * Refuses what could not travel to a worker: code that cannot be sliced, arguments and results that cannot be sent;
   * and hands copies over, so that a task cannot change what its caller holds. For tests of flows that run on workers.
   */
  readonly strict?: boolean
}

/** Runs a call under the rules of a border. */
export async function strictly(call: Call): Promise<Outcome> {
  try {
    if (call.task.source.type === 'slice') {
      const { ship } = await import('../shipping/index.js')
      await ship(call.task)
    }
    const args = call.args.map((arg, index) => crossing(arg, `argument ${index + 1}`, call.task.name))
    const outcome = await call.run(args)
    if (outcome.type !== 'returned') return outcome
    return { type: 'returned', value: crossing(outcome.value, 'the result', call.task.name) }
  } catch (error) {
    return { type: 'threw', error }
  }
}

function crossing(value: unknown, what: string, task: string): unknown {
  return fromWire(structuredClone(toWire(value, what, { task })))
}

export const inProcessChecks = { strict: check.boolean }
