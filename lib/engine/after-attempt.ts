import type { Outcome } from '../core/executor.js'
import { isState, isTerminal, type State, states } from '../core/state.js'

/** The state that an attempt which ended by itself leads to, if its rules let it. */
export function stateAfter(outcome: Exclude<Outcome, { type: 'stopped' }>, now: number): State {
  switch (outcome.type) {
    case 'returned':
      return isState(outcome.value) && isTerminal(outcome.value) ? outcome.value : states.completed(now, outcome.value)
    case 'threw':
      return states.failed(now, outcome.error)
    case 'crashed':
      return states.crashed(now, outcome.error)
  }
}
