import type { Documents } from '../core/documents.js'
import { type Decision, type Decisions, decide } from './decide.js'
import { byTime } from './deployments.js'
import {
  type Cursor,
  cursorFrom,
  type DeploymentRecord,
  deploymentFrom,
  kinds,
  type ScheduledRun,
  scheduledFrom,
} from './record.js'
import type { Occurrences } from './schedules/occurrences.js'

/** All that a store knows of deployments, as it was at one moment. */
export interface Plan {
  readonly deployments: readonly DeploymentRecord[]
  /** By deployment: how far its occurrences have been decided. */
  readonly cursors: ReadonlyMap<string, Cursor>
  /** The earliest first. */
  readonly scheduled: readonly ScheduledRun[]
}

/** What cannot be read is left out. */
export async function readPlan(documents: Documents): Promise<Plan> {
  const all = async (kind: string) => documents.list(kind)
  const cursors = (await all(kinds.cursors)).map(({ key, value }) => [key, cursorFrom(value)] as const)
  const deployments = (await all(kinds.deployments)).map(({ value }) => deploymentFrom(value))
  const scheduled = (await all(kinds.scheduled)).map(({ value }) => scheduledFrom(value))
  return {
    deployments: deployments.filter(record => record !== undefined),
    cursors: new Map(cursors.filter((entry): entry is [string, Cursor] => entry[1] !== undefined)),
    scheduled: scheduled.filter(run => run !== undefined).sort(byTime),
  }
}

/** From when on the occurrences of a deployment have to be decided. */
export function undecidedFrom({ cursors }: Plan, { id, scheduledFrom }: DeploymentRecord): number {
  const { decidedUntil, since } = cursors.get(id) ?? { decidedUntil: scheduledFrom }
  if (since === undefined) return Math.max(decidedUntil, scheduledFrom) // as earlier versions wrote it
  return since === scheduledFrom ? decidedUntil : scheduledFrom
}

/** How far two clocks may be apart. What has been decided further ahead was decided by a clock that was wrong. */
const clocksApartMs = 60_000

/** Whether the schedule of a deployment would rest until a time that no clock shows yet. */
export function isAhead(plan: Plan, record: DeploymentRecord, now: number): boolean {
  return !rests(plan, record) && undecidedFrom(plan, record) > now + clocksApartMs
}

/** An occurrence that is older than this when an agent first looks at it has been missed. */
export const missedAfterMs = 30_000

/** The most runs of a deployment that wait; further occurrences are decided when there are fewer. */
const mostWaiting = 200

/** What is to be done about the occurrences of a deployment that are due. */
export function decisionsOf(plan: Plan, record: DeploymentRecord, occurrences: Occurrences, now: number): Decisions {
  const runs = plan.scheduled.filter(run => run.deployment === record.id && run.scheduledTime <= now)
  return decide({
    now,
    occurrences: rests(plan, record) ? none : occurrences,
    overlap: record.overlap,
    catchUp: record.catchUp,
    lateAfterMs: missedAfterMs,
    decidedUntil: undecidedFrom(plan, record),
    running: runs.filter(({ queued }) => !queued).length,
    queued: runs.filter(({ queued }) => queued).map(({ scheduledTime }) => scheduledTime),
  })
}

const none: Occurrences = { *from() {} }

/** Whether no occurrence of a deployment is decided now. */
export function rests({ scheduled }: Plan, { id, paused, schedule }: DeploymentRecord): boolean {
  const isFull = () => scheduled.filter(run => run.deployment === id && !run.takenBy).length >= mostWaiting
  return paused || schedule === undefined || isFull()
}

/** Whether somebody waits for others of its deployment to end, and none of them goes on. */
export function mayUnqueue({ scheduled }: Plan, id: string, now: number): boolean {
  const runs = scheduled.filter(run => run.deployment === id && run.scheduledTime <= now)
  return runs.length > 0 && runs.every(({ queued }) => queued)
}

/** The idempotency key of an occurrence: it is one flow run, whoever begins it. */
export function keyOf(deployment: string, { at }: Pick<Decision, 'at'>): string {
  return `scheduled ${deployment} ${new Date(at).toISOString()}`
}

/** Who asks for runs: how many it can begin, of which deployments, and which agents are no more. */
export interface Asker {
  readonly now: number
  readonly slots: number
  readonly serves: (deployment: string) => boolean
  readonly isGone: (agent: string) => boolean
}

/** The runs that somebody may begin now: those whose time has come and that nobody has, or had who is no more. */
export function runsToTake({ scheduled }: Plan, { now, slots, serves, isGone }: Asker): readonly ScheduledRun[] {
  const free = scheduled.filter(
    ({ deployment, queued, scheduledTime, takenBy }) =>
      !queued && scheduledTime <= now && serves(deployment) && (takenBy === undefined || isGone(takenBy.agent)),
  )
  return free.slice(0, Math.max(0, slots))
}
