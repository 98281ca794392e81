import { Temporal } from 'temporal-polyfill'
import { MintakaError } from '../../core/errors.js'

/** Where and when schedules begin that do not say: midnight of that day in their time zone. After Orion. */
export const defaultAnchor = '2020-01-01T00:00'

/** The time zone of schedules that name none. After Orion. */
export const defaultTimezone = 'UTC'

/** Throws INVALID_OPTION unless it is the name of a time zone, such as `Europe/Vienna`. */
export function checkTimezone(timezone: unknown): string {
  if (timezone === undefined) return defaultTimezone
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone as string })
    if (typeof timezone === 'string') return timezone
  } catch {}
  throw new MintakaError(
    'INVALID_OPTION',
    `A schedule's timezone is the name of a time zone, such as 'Europe/Vienna' or 'UTC', not ${JSON.stringify(timezone)}.`,
  )
}

/** What the clocks of a time zone show at a time. */
export function localTime(at: number, timezone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).toPlainDateTime()
}

/**
 * When the clocks of a time zone show `local`. A time that comes twice, because clocks go back, means the first one;
 * one that never comes, because they go forward, means as much later as they go (RFC 5545, section 3.3.5).
 */
export function instantOf(local: Temporal.PlainDateTime, timezone: string): number {
  return local.toZonedDateTime(timezone, { disambiguation: 'compatible' }).epochMilliseconds
}

const hour = 60 * 60 * 1000
const day = 24 * hour

/**
 * When the clocks of a time zone show local times, which are given as if they were UTC; `undefined`: never, because they
 * go forward (RFC 5545 leaves such a time out, 3.3.10). Many times of one day cost what one does.
 */
export function whenShown(timezone: string): (local: number) => number | undefined {
  let known = { day: Number.NaN, offset: undefined as number | undefined }
  return local => {
    const itsDay = Math.floor(local / day)
    if (itsDay !== known.day) known = { day: itsDay, offset: steadyOffset(itsDay * day, timezone) }
    if (known.offset !== undefined) return local - known.offset
    const plain = localTime(local, 'UTC')
    const time = instantOf(plain, timezone)
    return localTime(time, timezone).equals(plain) ? time : undefined
  }
}

/** How far the clocks of a time zone are ahead of UTC on a local day. `undefined`: they change on it, or nearly. */
function steadyOffset(begin: number, timezone: string): number | undefined {
  const farthest = 16 * hour // that a clock has ever been ahead of UTC, or behind it
  const before = offsetAt(begin - farthest, timezone)
  return before === offsetAt(begin + day + farthest, timezone) ? before : undefined
}

function offsetAt(at: number, timezone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).offsetNanoseconds / 1_000_000
}
