import { MintakaError } from '../core/errors.js'
import { type CronSchedule, cronOccurrences } from './schedules/cron.js'
import { type IntervalSchedule, intervalOccurrences } from './schedules/interval.js'
import type { Occurrences } from './schedules/occurrences.js'
import { type RRuleSchedule, rruleOccurrences } from './schedules/rrule.js'

export type { CronSchedule, IntervalSchedule, RRuleSchedule }

/** When a deployment runs. Plain data: it is kept in the store, and may stand in YAML. */
export type Schedule = IntervalSchedule | CronSchedule | RRuleSchedule

/** A kind of schedule: the field that says that it is one, the others it may have, and its times. */
interface Kind {
  readonly fields: readonly string[]
  readonly occurrences: (schedule: never) => Occurrences
}

const kinds: Readonly<Record<string, Kind>> = {
  intervalMs: { fields: ['anchor', 'timezone'], occurrences: intervalOccurrences },
  cron: { fields: ['timezone', 'dayOr'], occurrences: cronOccurrences },
  rrule: { fields: ['timezone'], occurrences: rruleOccurrences },
}

/** The times of a schedule. Throws INVALID_OPTION, naming what is wrong with it. */
export function occurrencesOf(schedule: Schedule): Occurrences {
  const given = typeof schedule === 'object' && schedule !== null ? Object.keys(schedule) : []
  const named = Object.keys(kinds).filter(name => given.includes(name))
  const [name] = named
  const kind = name === undefined ? undefined : kinds[name]
  if (!kind || named.length > 1) throw invalid(`has one of ${Object.keys(kinds).join(', ')}`, schedule)
  const unknown = given.find(field => field !== name && !kind.fields.includes(field))
  if (unknown !== undefined)
    throw invalid(`with ${name} may also have ${kind.fields.join(', ')}, but no '${unknown}'`, schedule)
  return kind.occurrences(schedule as never)
}

function invalid(rule: string, schedule: unknown): MintakaError {
  return new MintakaError('INVALID_OPTION', `A schedule ${rule}: ${JSON.stringify(schedule)}.`)
}

function wrongArgument(rule: string): MintakaError {
  return new MintakaError('INVALID_ARGUMENT', `nextOccurrences(schedule, at, count) ${rule}.`)
}

/**
 * The next `count` times on or after `at`, in epoch milliseconds; fewer if the schedule ends. Throws INVALID_OPTION, naming
 * what is wrong with the schedule, and INVALID_ARGUMENT.
 */
export function nextOccurrences(schedule: Schedule, at: number, count: number): number[] {
  if (Number.isNaN(new Date(at).getTime())) throw wrongArgument(`asks from a time in epoch milliseconds, not ${at}`)
  if (!(Number.isInteger(count) && count >= 0)) throw wrongArgument(`asks for a whole number of times, not ${count}`)
  const times: number[] = []
  if (count > 0)
    for (const time of occurrencesOf(schedule).from(at)) {
      times.push(time)
      if (times.length === count) break
    }
  return times
}
