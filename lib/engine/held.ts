import type { RunFuture } from '../core/future.js'
import { HeldResult } from '../core/held-result.js'
import { isState, reviveState, type State } from '../core/state.js'
import { find } from '../core/traverse.js'
import { lifeOf } from './future.js'

/**
 * Fetches the results of these runs that have stayed elsewhere, unless `passes` says that they are passed on as they are.
 * Nothing, if there are none. Rejects if one is lost.
 */
export function fetchHeld(
  futures: Iterable<RunFuture<unknown>>,
  passes: (held: HeldResult) => boolean = () => false,
): Promise<unknown> | undefined {
  let fetching: Promise<unknown>[] | undefined
  for (const future of futures) {
    const { state } = lifeOf(future) ?? future
    if (state.type !== 'COMPLETED' || !(state.result instanceof HeldResult)) continue
    if (state.result.fetched || passes(state.result)) continue
    fetching ??= []
    fetching.push(state.result.fetch())
  }
  return fetching && Promise.all(fetching)
}

/** Fetches what the states in a value have for results, where that has stayed elsewhere. */
export async function fetchHeldIn(value: unknown): Promise<void> {
  await Promise.all(find<State>(value, isState).map(state => heldBy(state)?.fetch()))
}

/** The state with its value, if that has been fetched. */
export function stateWithValue<S extends State>(state: S): S {
  const fetched = heldBy(state)?.fetched
  return fetched ? (reviveState({ ...state, result: fetched.value }) as S) : state
}

function heldBy(state: State): HeldResult | undefined {
  return state.type === 'COMPLETED' && state.result instanceof HeldResult ? state.result : undefined
}
