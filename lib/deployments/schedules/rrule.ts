import type { RRule, RRuleSet } from 'rrule'
import * as library from 'rrule'
import { Temporal } from 'temporal-polyfill'
import { asError, MintakaError } from '../../core/errors.js'
import type { Occurrences } from './occurrences.js'
import { checkParts } from './rrule-parts.js'
import { within } from './within.js'
import { checkTimezone, defaultAnchor, instantOf, localTime, whenShown } from './zoned.js'

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
      const timeOf = whenShown(zone)
      let last = Number.NEGATIVE_INFINITY
      for (let begin = pseudoUtc(localTime(at, zone)); ; ) {
        const found = within(longestSearchMs, () => search(rules, begin, timeOf))
        if (!found) throw invalid(`takes more than ${longestSearchMs} ms to tell when it comes next`, rrule)
        if (found.dates.length === 0) return
        for (const date of found.dates) {
          const time = timeOf(date.getTime())
          if (time === undefined || time < at || time <= last) continue
          yield time
          last = time
        }
        begin = found.end
      }
    },
  }
}

/** How long the library may look for a time of a rule: one that comes in 40 years is found in a tenth of that. */
const longestSearchMs = 2000

/** A rule that never comes the library may look for without end, with the thread to itself: it is refused here, once. */
function rulesThatCome(text: string, zone: string): RRuleSet {
  const timeOf = whenShown(zone)
  const rules = within(longestSearchMs, () => {
    const given = eachRule(parse(text, zone), rule => withoutCount(rule, timeOf))
    const comes = (rule: RRule) => rule.after(rule.options.dtstart, true) !== null
    const rules = changed(given, rule => (comes(rule) ? [rule] : [])) // what is never left out need not be looked for
    const isComplete = given.rrules().length === rules.rrules().length
    const first = firstOf(rules, -8.64e15) // the least of a Date
    if (isComplete && first !== undefined && search(rules, first, timeOf).dates.length > 0) return rules
    throw invalid('never comes', text)
  })
  if (rules) return rules
  const advice = 'One of many times had better end with UNTIL than with COUNT.'
  throw invalid(`never comes, or takes more than ${longestSearchMs} ms to tell when`, text, advice)
}

function invalid(what: string, text: string, advice?: string): MintakaError {
  const sentence = `A schedule's rrule ${what}: ${JSON.stringify(text)}.`
  return new MintakaError('INVALID_OPTION', advice === undefined ? sentence : `${sentence} ${advice}`)
}

/** The dates from `begin` on, up to `end`, of the next part of time with one that the clocks show. None: there are no more. */
function search(rules: RRuleSet, begin: number, timeOf: (local: number) => number | undefined) {
  const most = Math.max(...rules.rrules().map(rule => rule.options.freq))
  const span = most >= Frequency.MINUTELY ? hour : most >= Frequency.WEEKLY ? 40 * day : 400 * day
  for (let next: number | undefined = begin; next !== undefined; ) {
    const start: number = next
    const end = start + span
    const begun = eachRule(rules, rule => begunLater(rule, start))
    const dates = begun.between(new Date(start), new Date(end - 1), true)
    if (dates.some(date => timeOf(date.getTime()) !== undefined)) return { dates, end }
    next = firstOf(begun, end)
  }
  return { dates: [], end: begin }
}

/** The first local time from `begin` on, though it may be one of those that are left out. */
function firstOf(rules: RRuleSet, begin: number): number | undefined {
  const ruled = rules.rrules().map(rule => rule.after(new Date(begin), true)?.getTime() ?? Number.POSITIVE_INFINITY)
  const single = rules.rdates().map(Number)
  const least = Math.min(...ruled, ...single.filter(date => date >= begin))
  return Number.isFinite(least) ? least : undefined
}

/**
 * The same rule with an end instead of its COUNT: the library would count from the beginning each time, and what never
 * comes, since clocks go forward, does not count.
 */
function withoutCount(rule: RRule, timeOf: (local: number) => number | undefined): RRule {
  const { count, ...others } = rule.origOptions
  if (typeof count !== 'number') return rule
  let counted = 0
  let last: Date | undefined
  new Rule(others, true).all(date => {
    if (timeOf(date.getTime()) !== undefined) counted += 1
    last = date
    return counted < count
  })
  return last ? new Rule({ ...others, until: last }, true) : rule
}

function eachRule(rules: RRuleSet, change: (rule: RRule) => RRule): RRuleSet {
  return changed(rules, rule => [change(rule)])
}

function changed(rules: RRuleSet, change: (rule: RRule) => readonly RRule[]): RRuleSet {
  const others = new RuleSet(true) // without a cache, which would keep every window
  for (const rule of rules.rrules().flatMap(change)) others.rrule(rule)
  for (const rule of rules.exrules().flatMap(change)) others.exrule(rule)
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

/** The same rule, begun later if that makes no difference: the library counts from the beginning each time. */
function begunLater(rule: RRule, start: number): RRule {
  const { freq, interval, dtstart } = rule.options
  const unit = units[freq]
  if (unit === undefined || typeof rule.origOptions.count === 'number') return rule
  const steps = Math.floor((start - dtstart.getTime()) / (unit * interval)) - 1
  if (steps <= 0) return rule
  return new Rule({ ...rule.origOptions, dtstart: new Date(dtstart.getTime() + steps * unit * interval) }, true)
}

function parse(text: string, zone: string): RRuleSet {
  try {
    if (typeof text !== 'string') throw new Error('it is no text')
    const capitals = text.replaceAll(/;TZID=[^:;]+/gi, '').toUpperCase()
    checkParts(capitals)
    const begun = /^DTSTART/m.test(capitals) ? capitals : `DTSTART:${begin}\n${capitals}`
    const local = begun
      .replaceAll(/^(?=FREQ=)/gm, 'RRULE:')
      .replaceAll(/(\d{8}T\d{6})Z/g, (_, basic: string) => basicOf(localTime(instantOfBasic(basic), zone)))
    const set = rrulestr(local, { forceset: true })
    if (!(set instanceof RuleSet && set.rrules().length + set.rdates().length > 0))
      throw new Error('there is no RRULE in it')
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
const instantOfBasic = (basic: string) => instantOf(Temporal.PlainDateTime.from(basic), 'UTC')
const basicOf = (local: Temporal.PlainDateTime) => local.toString({ smallestUnit: 'second' }).replaceAll(/[-:]/g, '')
const begin = basicOf(Temporal.PlainDateTime.from(defaultAnchor))
