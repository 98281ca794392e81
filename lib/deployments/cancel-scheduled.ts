import { states } from '../core/state.js'
import { cancelledError } from '../engine/life.js'
import { documentsOf } from './deployments.js'
import { kinds, type ScheduledRun } from './record.js'
import { type Recorder, recordEnd } from './record-end.js'

/**
 * Cancels a scheduled run that has not begun: it is recorded as a flow run that is CANCELLED, and nobody begins it any
 * more. `false`: it has begun, so that its flow run is to be cancelled.
 */
export async function cancelScheduled(recorder: Recorder, run: ScheduledRun, reason?: string): Promise<boolean> {
  const error = cancelledError(`Flow run '${run.name}'`, reason)
  if (!(await recordEnd(recorder, run, at => states.cancelled(at, error)))) return false
  await documentsOf(recorder.store).remove(kinds.scheduled, run.id)
  return true
}
