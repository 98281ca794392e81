import { isMintakaError } from '../core/errors.js'
import type { DeploymentRecord, ScheduledRun } from '../deployments/record.js'
import { nextOccurrences, type Schedule } from '../deployments/schedule.js'

/**
 * When a deployment runs next, in epoch milliseconds: by its schedule, unless it is paused, or because somebody asked for
 * a run. `undefined`: nothing is known of it.
 */
export function nextTime(
  { id, schedule, paused }: DeploymentRecord,
  scheduled: readonly ScheduledRun[],
  now: number,
): number | undefined {
  const asked = scheduled.filter(run => run.deployment === id && run.takenBy === undefined)
  const times = asked.map(run => run.scheduledTime)
  if (schedule && !paused) times.push(...nextOf(schedule, now))
  return times.length === 0 ? undefined : Math.min(...times)
}

/** A schedule that another version has let in may be one that cannot be used: its deployment is shown all the same. */
function nextOf(schedule: Schedule, now: number): number[] {
  try {
    return nextOccurrences(schedule, now, 1)
  } catch (error) {
    if (isMintakaError(error, 'INVALID_OPTION')) return []
    throw error
  }
}
