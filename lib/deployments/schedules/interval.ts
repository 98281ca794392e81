import { Temporal } from 'temporal-polyfill'
import { MintakaError } from '../../core/errors.js'
import type { Occurrences } from './occurrences.js'
import { checkTimezone, defaultAnchor, instantOf, localTime } from './zoned.js'

/** Every so many milliseconds. */
export interface IntervalSchedule {
  /** From one occurrence to the next; at least 1000. From a day on, the local hour stays when clocks change. */
  readonly intervalMs: number
  /**
   * One of the occurrences; the others are counted from it, in both directions. ISO 8601: a local time of the time zone,
   * or one with an offset. Default: the beginning of 2020 in the time zone.
   */
  readonly anchor?: string | undefined
  /** Default: UTC. */
  readonly timezone?: string | undefined
}

const day = 24 * 60 * 60 * 1000
export const shortestInterval = 1000

/** Throws INVALID_OPTION. */
export function intervalOccurrences({ intervalMs, anchor = defaultAnchor, timezone }: IntervalSchedule): Occurrences {
  if (!Number.isSafeInteger(intervalMs) || intervalMs < shortestInterval)
    throw new MintakaError(
      'INVALID_OPTION',
      `A schedule's intervalMs is a whole number of milliseconds from ${shortestInterval} on, not ${intervalMs}.`,
    )
  const zone = checkTimezone(timezone)
  const first = anchorIn(anchor, zone)
  return intervalMs < day ? everyMs(first, intervalMs) : everyLocalMs(localTime(first, zone), intervalMs, zone)
}

function everyMs(anchor: number, intervalMs: number): Occurrences {
  return {
    *from(at) {
      for (let next = anchor + Math.ceil((at - anchor) / intervalMs) * intervalMs; ; next += intervalMs) yield next
    },
  }
}

/** Counts on the clock of the time zone: a daily flow runs at its hour, however long the day was. */
function everyLocalMs(anchor: Temporal.PlainDateTime, intervalMs: number, zone: string): Occurrences {
  const at = (count: number) => instantOf(anchor.add({ milliseconds: count * intervalMs }), zone)
  return {
    *from(start) {
      const sinceAnchor = anchor.until(localTime(start, zone), { largestUnit: 'milliseconds' }).milliseconds
      // Clocks that change in between may make the estimate one too late.
      let count = Math.floor(sinceAnchor / intervalMs) - 1
      while (at(count) < start) count += 1
      for (; ; count += 1) yield at(count)
    },
  }
}

function anchorIn(anchor: string, zone: string): number {
  try {
    return /(?:Z|[+-]\d\d(?::?\d\d)?)$/i.test(anchor.slice(10))
      ? Temporal.Instant.from(anchor).epochMilliseconds
      : instantOf(Temporal.PlainDateTime.from(anchor), zone)
  } catch (cause) {
    throw new MintakaError(
      'INVALID_OPTION',
      `A schedule's anchor is a date and time, such as '${defaultAnchor}' or '${defaultAnchor}:00Z', not ${JSON.stringify(anchor)}.`,
      { cause },
    )
  }
}
