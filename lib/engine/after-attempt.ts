import { MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { isState, isTerminal, type State, states } from '../core/state.js'
import type { TaskLife } from './run-task.js'

/** Why an attempt was asked to stop, if it was. */
export interface StopReasons {
  readonly cancelled?: MintakaError | undefined
  readonly timedOut?: MintakaError | undefined
}

const none: StopReasons = {}

/** The state that the end of an attempt leads to, if the rules let it. */
export function stateAfter(outcome: Outcome, life: TaskLife, now: number, asked: StopReasons = none): State {
  if (asked.cancelled) return states.cancelled(now, asked.cancelled)
  if (asked.timedOut) return states.timedOut(now, asked.timedOut)
  switch (outcome.type) {
    case 'returned':
      return isState(outcome.value) && isTerminal(outcome.value) ? outcome.value : states.completed(now, outcome.value)
    case 'threw':
      return states.failed(now, outcome.error)
    case 'crashed':
      return states.crashed(now, outcome.error)
    case 'stopped':
      return states.crashed(now, stoppedByItself(life))
  }
}

/** What a run ends with whose executor stopped it, and was not asked to. */
function stoppedByItself({ flow, record }: TaskLife): MintakaError {
  const what = `The executor '${flow.executorName}' stopped '${record.name}', which nobody had asked for`
  return new MintakaError('EXECUTOR_FAILED', `${what}.`)
}
