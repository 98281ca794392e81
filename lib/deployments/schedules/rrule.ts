import type { RRule, RRuleSet } from 'rrule'
import * as library from 'rrule'
import { Temporal } from 'temporal-polyfill'
import { asError, MintakaError } from '../../core/errors.js'
import type { Occurrences } from './occurrences.js'
import { within } from './within.js'
import { checkTimezone, defaultAnchor, instantOf, localTime } from './zoned.js'

/** When a recurrence rule of RFC 5545 (iCalendar) says so. */
export interface RRuleSchedule {
  /**
   * `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17`, or lines of DTSTART, RRULE, RDATE, EXRULE and EXDATE. Without DTSTART it begins
   * with 2020. It counts on the clock of the time zone: a time that comes twice is met once, one that never comes is left out.
   */
  readonly rrule: string
  /** Default: the TZID of the DTSTART, else UTC. The local hour stays when clocks change. */
  readonly timezone?: string | undefined
}

// Node sees a CommonJS module with all of it in `default`, bundlers an ES module without one.
const {
  Frequency,
  RRule: Rule,
  RRuleSet: RuleSet,
  rrulestr,
} = 'default' in library ? (library.default as typeof library) : library
const hour = 60 * 60 * 1000
const day = 24 * hour

/** The library counts in local times, which it holds as if they were UTC. Throws INVALID_OPTION. */
export function rruleOccurrences({ rrule, timezone }: RRuleSchedule): Occurrences {
  const zone = zoneOf(rrule, timezone)
  const rules = rulesThatCome(rrule, zone)
  return {
    *from(at) {
      const start = new Date(pseudoUtc(localTime(at, zone)))
      let last = Number.NEGATIVE_INFINITY
      for (const local of localTimes(startedBefore(rules, start), start)) {
        const time = timeOf(local, zone)
        if (time === undefined || time < at || time <= last) continue
        yield time
        last = time
      }
    },
  }
}

/** How long the library may look for the first time of a rule: one that comes in 40 years is found in a tenth of that. */
const longestSearchMs = 2000

/** A rule that never comes the library may look for without end, with the thread to itself: it is refused here, once. */
function rulesThatCome(text: string, zone: string): RRuleSet {
  const rules = within(longestSearchMs, () => {
    const rules = eachRule(parse(text, zone), rule => withRealCount(rule, zone))
    const firstOf = (rule: RRule) => rule.after(rule.options.dtstart, true)
    for (const rule of rules.exrules()) firstOf(rule)
    if (rules.rrules().every(rule => firstOf(rule) !== null)) return rules
    throw new MintakaError('INVALID_OPTION', `A schedule's rrule never comes: ${JSON.stringify(text)}.`)
  })
  if (rules) return rules
  throw new MintakaError(
    'INVALID_OPTION',
    `A schedule's rrule never comes, or takes more than ${longestSearchMs} ms to tell when: ${JSON.stringify(text)}. One of many times had better end with UNTIL than with COUNT.`,
  )
}

/** When the clocks show `local`. `undefined`: never, because they go forward (RFC 5545 leaves such a time out, 3.3.10). */
function timeOf(local: Temporal.PlainDateTime, zone: string): number | undefined {
  const time = instantOf(local, zone)
  return localTime(time, zone).equals(local) ? time : undefined
}

/** The local times of some rules, from `start` on. */
function* localTimes(rules: RRuleSet, start: Date): Generator<Temporal.PlainDateTime> {
  const longest = 100 * 366 * day // a 29th of February that is a Monday comes within 40 years
  const isFrequent = rules.rrules().some(rule => rule.options.freq >= Frequency.MINUTELY)
  let span = isFrequent ? hour : 40 * day
  for (let begin = start.getTime(); ; ) {
    const found = rules.between(new Date(begin), new Date(begin + span - 1), true)
    for (const date of found) yield plainOf(date)
    begin += span
    if (found.length === 0 && span > longest) return
    span = found.length === 0 ? span * 2 : Math.min(span, 400 * day)
  }
}

/**
 * The same rules, begun later if that makes no difference: the library counts from the beginning each time, which for a
 * rule of every minute takes seconds.
 */
function startedBefore(rules: RRuleSet, start: Date): RRuleSet {
  return eachRule(rules, rule => begunLater(rule, start))
}

/** What never comes does not count: the library does not know of clocks, and has to count so many more. */
function withRealCount(rule: RRule, zone: string): RRule {
  const { count: wanted } = rule.origOptions
  if (typeof wanted !== 'number') return rule
  for (let counted = rule, count = wanted; ; ) {
    const leftOut = counted.all().filter(date => timeOf(plainOf(date), zone) === undefined).length
    if (count === wanted + leftOut) return counted
    count = wanted + leftOut
    counted = new Rule({ ...rule.origOptions, count })
  }
}

function eachRule(rules: RRuleSet, changed: (rule: RRule) => RRule): RRuleSet {
  const others = new RuleSet()
  for (const rule of rules.rrules()) others.rrule(changed(rule))
  for (const rule of rules.exrules()) others.exrule(changed(rule))
  for (const date of rules.rdates()) others.rdate(date)
  for (const date of rules.exdates()) others.exdate(date)
  return others
}

const units: Partial<Record<number, number>> = {
  [Frequency.WEEKLY]: 7 * day,
  [Frequency.DAILY]: day,
  [Frequency.HOURLY]: hour,
  [Frequency.MINUTELY]: 60_000,
  [Frequency.SECONDLY]: 1000,
}

function begunLater(rule: RRule, start: Date): RRule {
  const { freq, interval, dtstart } = rule.options
  const unit = units[freq]
  const { count } = rule.origOptions
  if (unit === undefined || (count !== undefined && count !== null)) return rule
  const steps = Math.floor((start.getTime() - dtstart.getTime()) / (unit * interval)) - 1
  if (steps <= 0) return rule
  return new Rule({ ...rule.origOptions, dtstart: new Date(dtstart.getTime() + steps * unit * interval) })
}

function parse(text: string, zone: string): RRuleSet {
  try {
    const begun = /^DTSTART/im.test(text) ? text : `DTSTART:${begin}\n${text}`
    const local = begun
      .replaceAll(/^(?=FREQ=)/gim, 'RRULE:')
      .replaceAll(/;TZID=[^:;]+/gi, '')
      .replaceAll(/(\d{8}T\d{6})Z/g, (_, basic: string) => basicOf(localTime(instantOfBasic(basic), zone)))
    const set = rrulestr(local, { forceset: true })
    if (!(set instanceof RuleSet && set.rrules().length + set.rdates().length > 0))
      throw new Error('there is no RRULE in it')
    const intervals = [...set.rrules(), ...set.exrules()].map(rule => rule.options.interval)
    if (!intervals.every(interval => Number.isInteger(interval) && interval > 0))
      throw new Error('INTERVAL is a positive integer')
    return set
  } catch (cause) {
    throw new MintakaError(
      'INVALID_OPTION',
      `A schedule's rrule is a recurrence rule of RFC 5545, such as 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9', not ${JSON.stringify(text)}: ${asError(cause).message}.`,
      { cause },
    )
  }
}

function zoneOf(text: unknown, timezone: string | undefined): string {
  const named = typeof text === 'string' ? /;TZID=([^:;]+)/i.exec(text)?.[1] : undefined
  if (named === undefined || timezone === undefined || named === timezone) return checkTimezone(timezone ?? named)
  throw new MintakaError(
    'INVALID_OPTION',
    `A schedule's rrule begins in the time zone '${named}', its timezone is '${timezone}'. Leave one of them out.`,
  )
}

const pseudoUtc = (local: Temporal.PlainDateTime) => instantOf(local, 'UTC')
const plainOf = (date: Date) => localTime(date.getTime(), 'UTC')
const instantOfBasic = (basic: string) => instantOf(Temporal.PlainDateTime.from(basic), 'UTC')
const basicOf = (local: Temporal.PlainDateTime) => local.toString({ smallestUnit: 'second' }).replaceAll(/[-:]/g, '')
const begin = basicOf(Temporal.PlainDateTime.from(defaultAnchor))
