import type { Call, ExecutorSession, Outcome } from '../core/executor.js'
import { check } from '../core/options.js'
import { fromWire, toWire } from '../values/wire.js'

/** What every in-process executor can be told. */
export interface InProcessOptions {
  /**
   * Refuses what could not travel to a worker: code that cannot be sliced, arguments and results that cannot be sent;
   * and hands copies over, so that a task cannot change what its caller holds. For tests of flows that run on workers.
   */
  readonly strict?: boolean | undefined
}

/** The session, with every call under the rules of a border. */
export function strict(session: ExecutorSession): ExecutorSession {
  return {
    where: session.where,
    ...(session.turn && { turn: () => session.turn?.() as Promise<() => void> }),
    submit: call => new Promise(resolve => void session.submit(strictCall(call, resolve))),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}

function strictCall(call: Call, end: (outcome: Outcome) => void): Call {
  const { id, name, attempt, flowRunId, tags, task, args, annotations, timeoutMs } = call
  return {
    ...{ id, name, attempt, flowRunId, tags, task, args, annotations, timeoutMs },
    get signal() {
      return call.signal
    },
    async run() {
      const outcome = await runStrictly(call)
      end(outcome)
      return outcome
    },
    whenStopped: listener => call.whenStopped(listener),
    started: at => call.started(at),
    ended: end,
    log: (level, message, fields, at) => call.log(level, message, fields, at),
    printed: (level, text, at) => call.printed(level, text, at),
    progress: (fraction, note) => call.progress(fraction, note),
  }
}

async function runStrictly(call: Call): Promise<Outcome> {
  const { task, args } = call
  try {
    if (task.source.type === 'slice') {
      const { ship } = await import('../shipping/index.js')
      await ship(task)
    }
    const outcome = await call.run(args.map((arg, index) => crossing(arg, `argument ${index + 1}`, task.name)))
    if (outcome.type !== 'returned') return outcome
    return { type: 'returned', value: crossing(outcome.value, 'the result', task.name) }
  } catch (error) {
    return { type: 'threw', error }
  }
}

function crossing(value: unknown, what: string, task: string): unknown {
  return fromWire(structuredClone(toWire(value, what, { task })))
}

export const inProcessChecks = { strict: check.boolean }
