import { isState, type State } from '../core/state.js'
import { copier } from '../core/traverse.js'
import { Snapshot } from './snapshot.js'

/**
 * A value as it is now, whoever changes it afterwards: arrays, plain objects, Maps, Sets, bytes, dates and URLs are copied,
 * at any depth. All else is given as it is, and so is what cannot be read to its end.
 */
export function keptCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  try {
    return copier<State>(isState, itself, new Snapshot('copies', value).take)(value)
  } catch {
    return value
  }
}

function itself(state: State): State {
  return state
}
