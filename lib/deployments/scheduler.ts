import type { Documents } from '../core/documents.js'
import { asError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { idFromKey } from '../engine/id-from-key.js'
import { type Decision, type Decisions, nextDue } from './decide.js'
import { decisionsOf, isAhead, keyOf, mayUnqueue, type Plan, rests, undecidedFrom } from './plan.js'
import { type Cursor, type DeploymentRecord, kinds, type ScheduledRun, toDocument } from './record.js'
import { occurrencesOf, type Schedule } from './schedule.js'
import type { Occurrences } from './schedules/occurrences.js'

/** What a scheduler works with. */
export interface SchedulerParts {
  readonly documents: Documents
  readonly now: () => number
  readonly newName: () => string
  readonly logger: Logger
  /** Whether the schedule of that deployment is its business. */
  readonly serves: (deployment: string) => boolean
}

/** A schedule, made ready. */
interface Timetable {
  /** The schedule as text. */
  readonly text: string
  /** `undefined`: it makes no sense, or has thrown. */
  occurrences: Occurrences | undefined
  next?: { readonly from: number; readonly at: number | undefined }
}

/** Another agent, whose clock is ahead all the time, is not contradicted more often. */
const contradictsEveryMs = 60 * 60 * 1000

/** Makes runs of the occurrences of deployments that are due. */
export class Scheduler {
  readonly #parts: SchedulerParts
  readonly #timetables = new Map<string, Timetable>()
  /** By deployment: when it was last taken back to the present. */
  readonly #takenBack = new Map<string, number>()

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  /** When an occurrence has to be decided next; `undefined`: none that is known. */
  nextDue(plan: Plan): number | undefined {
    const times = this.#servedIn(plan).map(record => this.#nextOf(plan, record))
    return times.reduce(
      (least, at) => (least === undefined || (at !== undefined && at < least) ? at : least),
      undefined,
    )
  }

  /** Whether there is something to decide. */
  isDue(plan: Plan): boolean {
    return this.#dueIn(plan).length > 0
  }

  /** Decides what is due, and enters the runs that come of it. One at a time may do so in a store. */
  async enterDue(plan: Plan): Promise<void> {
    for (const record of this.#dueIn(plan)) {
      if (this.#isAhead(plan, record, this.#parts.now())) await this.#takeBack(plan, record)
      else await this.#decide(plan, record)
    }
  }

  #dueIn(plan: Plan): readonly DeploymentRecord[] {
    const now = this.#parts.now()
    return this.#servedIn(plan).filter(record => {
      const next = this.#nextOf(plan, record)
      return (next !== undefined && next <= now) || mayUnqueue(plan, record.id, now) || this.#isAhead(plan, record, now)
    })
  }

  #servedIn({ deployments }: Plan): readonly DeploymentRecord[] {
    return deployments.filter(({ id }) => this.#parts.serves(id))
  }

  #isAhead(plan: Plan, record: DeploymentRecord, now: number): boolean {
    const before = this.#takenBack.get(record.id)
    const mayContradict = before === undefined || Math.abs(now - before) >= contradictsEveryMs
    return mayContradict && isAhead(plan, record, now)
  }

  /** A clock that was ahead for a moment must not let a schedule rest until then. What has run by it does not run again. */
  async #takeBack(plan: Plan, record: DeploymentRecord): Promise<void> {
    const { logger, now } = this.#parts
    const at = now()
    this.#takenBack.set(record.id, at)
    const ahead = iso(undecidedFrom(plan, record))
    logger.warn(
      `The schedule of deployment '${record.id}' would go on after ${ahead} only, as if it were so late already: a clock was wrong. It goes on from now`,
    )
    await this.#putCursor(record, at)
  }

  #putCursor({ id, scheduledFrom }: DeploymentRecord, decidedUntil: number): Promise<void> {
    const cursor: Cursor = { decidedUntil, since: scheduledFrom }
    return this.#parts.documents.put(kinds.cursors, id, cursor)
  }

  async #decide(before: Plan, record: DeploymentRecord): Promise<void> {
    const { logger, now } = this.#parts
    const occurrences = this.#timetableOf(record).occurrences ?? { *from() {} }
    let plan = before
    let missed: Decisions['missed']
    // After a long time a look decides a part of what is due. As long as nothing comes of it, the next part follows.
    for (let goesOn = true; goesOn; ) {
      const { decisions, ...looked } = decisionsOf(plan, record, occurrences, now())
      for (const decision of decisions) await this.#carryOut(plan, record, decision)
      missed = together(missed, looked.missed)
      goesOn = decisions.length === 0 && looked.decidedUntil > undecidedFrom(plan, record)
      const cursor = { decidedUntil: looked.decidedUntil, since: record.scheduledFrom }
      plan = { ...plan, cursors: new Map(plan.cursors).set(record.id, cursor) }
    }
    if (missed) logger.warn(`${missedText(missed)} of deployment '${record.id}'; catchUp is '${record.catchUp}'`)
    const decidedUntil = undecidedFrom(plan, record)
    if (decidedUntil > undecidedFrom(before, record)) await this.#putCursor(record, decidedUntil)
  }

  async #carryOut(plan: Plan, record: DeploymentRecord, decision: Decision): Promise<void> {
    const { documents, logger, now, newName } = this.#parts
    const { at, type } = decision
    const idempotencyKey = keyOf(record.id, decision)
    const id = idFromKey([record.flowName, idempotencyKey])
    const known = plan.scheduled.find(run => run.id === id)
    if (known) {
      const { queued, ...run } = known
      if (queued && type === 'start') await documents.put(kinds.scheduled, id, toDocument(run))
    } else if (type === 'skip') {
      logger.info(`The run of ${iso(at)} is left out: another one of deployment '${record.id}' has not ended`)
    } else {
      const { id: deployment, flowName, parameters, tags } = record
      const times = { scheduledTime: at, created: now() }
      const made = { id, name: newName(), deployment, flowName, ...times, idempotencyKey, parameters, tags }
      const run: ScheduledRun = type === 'queue' ? { ...made, queued: true } : made
      await documents.create(kinds.scheduled, id, toDocument(run))
    }
  }

  #nextOf(plan: Plan, record: DeploymentRecord): number | undefined {
    const timetable = this.#timetableOf(record)
    if (!timetable.occurrences || rests(plan, record)) return undefined
    const from = undecidedFrom(plan, record)
    if (timetable.next?.from !== from)
      timetable.next = { from, at: nextDue({ occurrences: timetable.occurrences, decidedUntil: from }) }
    return timetable.next.at
  }

  #timetableOf({ id, schedule }: DeploymentRecord): Timetable {
    const text = JSON.stringify(schedule) ?? ''
    const known = this.#timetables.get(id)
    if (known?.text === text) return known
    const made: Timetable = { text, occurrences: undefined }
    const unusable = (error: unknown) => {
      made.occurrences = undefined
      this.#parts.logger.error(`The schedule of deployment '${id}' cannot be used: ${asError(error).message}`)
    }
    made.occurrences = schedule && usable(schedule, unusable)
    this.#timetables.set(id, made)
    return made
  }
}

/** The times of a schedule, which end where it throws: other schedules go on. */
function usable(schedule: Schedule, unusable: (error: unknown) => void): Occurrences | undefined {
  try {
    const occurrences = occurrencesOf(schedule)
    return {
      *from(at) {
        try {
          yield* occurrences.from(at)
        } catch (error) {
          unusable(error)
        }
      },
    }
  } catch (error) {
    unusable(error)
    return undefined
  }
}

function together(one: Decisions['missed'], other: Decisions['missed']): Decisions['missed'] {
  return one && other ? { count: one.count + other.count, first: one.first, last: other.last } : (one ?? other)
}

function missedText({ count, first, last }: NonNullable<Decisions['missed']>): string {
  return count === 1
    ? `The run of ${iso(first)} was missed`
    : `${count} runs from ${iso(first)} to ${iso(last)} were missed`
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
