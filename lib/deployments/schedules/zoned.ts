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
