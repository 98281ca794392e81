import { MintakaError } from './errors.js'
import { isTerminal, type State, type StateType } from './state.js'

/** A run that counts in the final state of a flow run. */
export interface Counted {
  readonly id: string
  readonly name: string
  readonly state: State
}

/** Which of the runs did not complete. */
export function notCompleted<R extends Counted>(runs: readonly R[]): R[] {
  return runs.filter(run => run.state.type !== 'COMPLETED')
}

/**
 * The sentence of a failed aggregate, in Orion's order of preference: how many failed; how many are not final; how many
 * of each type. `alsoCompleted` counts more that have.
 */
export function aggregateMessage(runs: readonly { readonly state: State }[], alsoCompleted = 0): string {
  const total = runs.length + alsoCompleted
  const failed = runs.filter(({ state }) => state.type === 'FAILED').length
  if (failed > 0) return `${failed} of ${total} ${total === 1 ? 'run' : 'runs'} failed`
  const open = runs.filter(({ state }) => !isTerminal(state)).length
  if (open > 0) return `${open} of ${total} ${total === 1 ? 'run is' : 'runs are'} not final`
  const counts = new Map<StateType, number>(alsoCompleted > 0 ? [['COMPLETED', alsoCompleted]] : [])
  for (const { state } of runs) counts.set(state.type, (counts.get(state.type) ?? 0) + 1)
  return [...counts].map(([type, count]) => `${count} ${type}`).join(', ')
}

/**
 * What `await` on a failed aggregate throws: the root failure (what a task threw, not the NotReady of those that waited
 * for it), or an AggregateError of the roots in call order when several failed.
 */
export function rootFailure(runs: readonly Counted[], message: string): unknown {
  const roots = new Set<unknown>()
  for (const { state } of notCompleted(runs)) if ('error' in state) roots.add(rootOf(state.error))
  const errors = [...roots]
  if (errors.length === 1) return errors[0]
  if (errors.length > 1) return new AggregateError(errors, message)
  return new MintakaError('TASKS_FAILED', `${message}.`)
}

/** What a run that waited for a failed one throws points to the failure it waited for: the root is at the end. */
export function rootOf(error: unknown): unknown {
  let at = error
  while (at instanceof MintakaError && at.code === 'UPSTREAM_NOT_COMPLETED' && at.cause !== undefined) at = at.cause
  return at
}
