import type { Call } from '../core/executor.js'
import { HeldResult } from '../core/held-result.js'
import { lifeOf } from './future.js'
import type { Edges } from './inputs.js'
import type { FlowLife } from './run-flow.js'

/** The calls under way that a run waits for, by the future that stands for each. */
export type UpstreamCalls = ReadonlyMap<unknown, Call>

/**
 * The calls that a run waits for, if its executor may be given it together with them: each run that it needs has
 * completed, or is being carried out by the same session and ends as that says, because nothing here can change it (no
 * other attempt, no cache, no rule). `undefined`: the run has to wait until they have ended.
 */
export function upstreamCalls({ upstream, allowed, transferred }: Edges, flow: FlowLife): UpstreamCalls | undefined {
  if (!flow.session.joins || allowed.length > 0 || transferred.size > 0) return undefined
  const calls = new Map<unknown, Call>()
  for (const future of upstream) {
    const life = lifeOf(future)
    const call = life?.lastCall
    if (call && call.flowRunId === flow.record.id) calls.set(future, call)
    else if (life?.settled?.type !== 'COMPLETED' || !isAtHand(life.settled.result, flow)) return undefined
  }
  return calls
}

function isAtHand(result: unknown, { session }: FlowLife): boolean {
  return !(result instanceof HeldResult) || result.fetched !== undefined || result.session === session
}
