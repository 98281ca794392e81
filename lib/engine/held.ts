import type { RunFuture } from '../core/future.js'
import { HeldResult } from '../core/held-result.js'
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
