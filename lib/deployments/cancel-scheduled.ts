import { states } from '../core/state.js'
import type { Engine } from '../engine/engine.js'
import { cancelledError } from '../engine/life.js'
import { kinds, scheduledFrom } from './record.js'
import { type Recorder, recordEnd } from './record-end.js'

/**
 * Cancels the scheduled run that would become the flow run `id`, if it has not begun: it is recorded as a flow run that
 * is CANCELLED, and nobody begins it any more. `false`: there is none, or it has begun, so that its flow run is to be cancelled.
 */
export async function cancelScheduled(recorder: Recorder, id: string, reason?: string): Promise<boolean> {
  const { documents } = recorder.store
  const run = scheduledFrom(await documents?.get(kinds.scheduled, id))
  if (!documents || !run) return false
  const error = cancelledError(`Flow run '${run.name}'`, reason)
  if (!(await recordEnd(recorder, run, at => states.cancelled(at, error)))) return false
  await documents.remove(kinds.scheduled, id)
  return true
}

/** Cancels a flow run, whether it has begun or not. NOT_FOUND if there is none. */
export async function cancelRun(engine: Engine, id: string, reason?: string): Promise<void> {
  await engine.ready
  const { store, id: owner, now } = engine
  if (!(await cancelScheduled({ store, owner, now }, id, reason))) await engine.cancel(id, reason)
}
