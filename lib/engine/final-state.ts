import { aggregateMessage, type Counted, notCompleted, rootFailure, rootOf } from '../core/aggregate.js'
import { isFuture, type RunFuture } from '../core/future.js'
import { valueOfResult } from '../core/held-result.js'
import { isState, isTerminal, type State, states, type TerminalState } from '../core/state.js'
import { copyWith, find } from '../core/traverse.js'
import { stateWithValue } from './held.js'

/** How the body of a flow ended. */
export type BodyEnd =
  | { readonly type: 'returned'; readonly value: unknown }
  | { readonly type: 'threw'; readonly error: unknown }

/**
 * The final state of a flow run, by Orion's rule: what it threw, a State that it returned, the aggregate over the
 * futures and states in what it returned, the aggregate over all its runs if it returned nothing, else COMPLETED with
 * what it returned. Every future in question has settled. `alsoCompleted` counts runs of its that are not among `children`.
 */
export function finalState(now: number, end: BodyEnd, children: readonly Counted[], alsoCompleted = 0): TerminalState {
  // An async body that returns a future is unwrapped by JavaScript: it must fail with the error a sync one fails with.
  if (end.type === 'threw') return states.failed(now, rootOf(end.error))
  const { value } = end
  if (isState(value) && isTerminal(value)) return stateWithValue(value)
  if (value === undefined) return aggregate(now, children, children, undefined, alsoCompleted)
  const parts = futuresAndStates(value)
  if (parts.length === 0) return states.completed(now, value)
  return aggregate(now, parts.map(counted), children, value)
}

/** The futures in what a flow returned: they settle before the run can end. */
export function futuresIn(value: unknown): RunFuture<unknown>[] {
  return find(value, isFuture)
}

function aggregate(
  now: number,
  runs: readonly Counted[],
  children: readonly Counted[],
  value: unknown,
  alsoCompleted = 0,
): TerminalState {
  if (notCompleted(runs).length === 0) return states.completed(now, copyWith(value, isPart, resultOf))
  const message = aggregateMessage(runs, alsoCompleted)
  return states.failed(now, rootFailure(inCallOrder(runs, children), message), message)
}

/** The runs in the order in which what failed them was called, however they were returned; strangers at the end. */
function inCallOrder(runs: readonly Counted[], children: readonly Counted[]): readonly Counted[] {
  const places = new Map<unknown, number>()
  for (const child of children) if (!places.has(rootOfRun(child))) places.set(rootOfRun(child), places.size)
  const placeOf = (run: Counted) => places.get(rootOfRun(run)) ?? places.size
  return [...runs].sort((a, b) => placeOf(a) - placeOf(b))
}

function rootOfRun({ state }: Counted): unknown {
  return 'error' in state ? rootOf(state.error) : undefined
}

type Part = RunFuture<unknown> | State

function futuresAndStates(value: unknown): Part[] {
  return find<Part>(value, isPart)
}

function isPart(value: object): value is Part {
  return isFuture(value) || isState(value)
}

function counted(part: Part): Counted {
  return isFuture(part) ? part : { id: '', name: part.name, state: part }
}

function resultOf(part: Part): unknown {
  const state = isFuture(part) ? part.state : part
  return state.type === 'COMPLETED' ? valueOfResult(state.result) : undefined
}
