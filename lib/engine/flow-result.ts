/** The result of a flow run that has completed, as another one takes it over. */
import { type Completed, type State, states } from '../core/state.js'
import { isNotPersisted, type Store } from '../core/store.js'
import { keptCopy } from '../values/kept.js'

/** What a later run takes over of that one in the store; `undefined`: it did not complete, or its result was not kept. */
export async function resultOf(store: Store, flowRunId: string): Promise<Completed | undefined> {
  const stored = await store.getFlowRun(flowRunId)
  return stored && cachedState(stored.run.state, flowRunId)
}

/** What a later attempt of the flow around it takes over, whatever becomes of the result in this one. */
export function keptState(state: State, flowRunId: string): Completed | undefined {
  const completed = cachedState(state, flowRunId)
  return completed && states.cached(completed.timestamp, keptCopy(completed.result), flowRunId)
}

function cachedState(state: State, flowRunId: string): Completed | undefined {
  if (state.type !== 'COMPLETED' || isNotPersisted(state.result)) return undefined
  return states.cached(state.timestamp, state.result, flowRunId)
}
