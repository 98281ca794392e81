import { Cron } from 'croner'
import { asError, MintakaError } from '../../core/errors.js'
import type { Occurrences } from './occurrences.js'
import { checkTimezone } from './zoned.js'

/** When a cron expression says so: five fields, or six with seconds first. */
export interface CronSchedule {
  /** The expression: `'0 7 * * 1-5'`. */
  readonly cron: string
  /** Default: UTC. */
  readonly timezone?: string | undefined
  /**
   * Whether a day has to fit one of day-of-month and day-of-week (the default, as cron does it), or both: with `false`,
   * `0 0 8-14 * FRI` is the second Friday.
   */
  readonly dayOr?: boolean | undefined
}

/**
 * The times of croner, which treats changing clocks as Vixie cron does: a fixed time that comes twice is met once, one
 * that is left out is met right after the gap; `0 * * * *` and the like go on every hour. Throws INVALID_OPTION.
 */
export function cronOccurrences({ cron, timezone, dayOr = true }: CronSchedule): Occurrences {
  const zone = checkTimezone(timezone)
  const times = cronOf(cron, zone, dayOr)
  return {
    *from(at) {
      // The times are whole seconds after what it is given.
      let next = times.nextRun(new Date(Math.ceil(at / 1000) * 1000 - 1))
      for (; next; next = times.nextRun(next)) yield next.getTime()
    },
  }
}

function cronOf(cron: string, timezone: string, dayOr: boolean): Cron {
  const times = parse(cron, timezone, dayOr)
  if (times.nextRun()) return times
  throw new MintakaError('INVALID_OPTION', `A schedule's cron never comes: ${JSON.stringify(cron)}.`)
}

function parse(cron: string, timezone: string, dayOr: boolean): Cron {
  try {
    if (typeof cron !== 'string') throw new Error('It is no text.')
    const count = cron.split(/\s+/).filter(field => field !== '').length
    if (!cron.startsWith('@') && count !== 5 && count !== 6) throw new Error(`It has ${count}.`)
    const mode = cron.startsWith('@') ? 'auto' : count === 5 ? '5-part' : '6-part'
    return new Cron(cron, { timezone, domAndDow: !dayOr, paused: true, mode })
  } catch (cause) {
    throw new MintakaError(
      'INVALID_OPTION',
      `A schedule's cron is five fields (minute, hour, day, month, weekday), or six with seconds first, such as '30 2 * * MON-FRI', not ${JSON.stringify(cron)}: ${sentenceOf(cause)}`,
      { cause },
    )
  }
}

/** What the library says, without its own words; the value that it names may be another one than was given. */
function sentenceOf(cause: unknown): string {
  const { message } = asError(cause)
  if (message.includes('space separated parts')) return 'There is no such word.'
  return message.replace(/^CronPattern: /, '').replace(/^(Invalid value for \w+): .*$/, '$1.')
}
