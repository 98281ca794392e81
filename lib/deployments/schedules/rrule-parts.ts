import { Temporal } from 'temporal-polyfill'

/** The parts that are numbers, with their ranges in RFC 5545, 3.3.10. There is no 60th second on the clocks of computers. */
const ranges: Readonly<Record<string, readonly [least: number, most: number, counts?: 'from the end too']>> = {
  INTERVAL: [1, Number.MAX_SAFE_INTEGER],
  COUNT: [1, Number.MAX_SAFE_INTEGER],
  BYSECOND: [0, 59],
  BYMINUTE: [0, 59],
  BYHOUR: [0, 23],
  BYMONTHDAY: [1, 31, 'from the end too'],
  BYYEARDAY: [1, 366, 'from the end too'],
  BYWEEKNO: [1, 53, 'from the end too'],
  BYMONTH: [1, 12],
  BYSETPOS: [1, 366, 'from the end too'],
}

const single: readonly string[] = ['INTERVAL', 'COUNT']
const frequencies: readonly string[] = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY', 'SECONDLY']
const weekdays = 'MO, TU, WE, TH, FR, SA, SU'

/**
 * Throws an error whose message names the part of a rule that RFC 5545 does not know so. The library takes them as they
 * are: the 25th hour is the first for it, and for others it looks without end. `text` is in capitals.
 */
export function checkParts(text: string): void {
  const withoutNumbers = text.replaceAll(/(?:COUNT|INTERVAL)=\d+/g, '')
  for (const [date] of withoutNumbers.matchAll(/\b\d{8}(?:T\d{6})?(?=\b|Z)/g)) checkDate(date)
  for (const line of text.trim().split(/\s+/)) {
    const rule = /^(?:(?:RRULE|EXRULE):)?([^:]*)$/.exec(line)?.[1]
    if (rule !== undefined) checkRule(rule)
  }
}

function checkRule(rule: string): void {
  const parts = rule.split(';').map(part => part.split('='))
  const given = (name: string) => parts.find(([each]) => each === name)?.[1]
  for (const [name = '', value] of parts) {
    if (value === undefined) throw new Error(`'${name}' is no part of a rule, such as BYHOUR=9`)
    if (name === 'FREQ') oneOf(name, value, frequencies)
    else if (name === 'WKST') oneOf(name, value, weekdays.split(', '))
    else if (name === 'BYDAY' || name === 'BYWEEKDAY')
      checkWeekdays(value, mostOfWeekday(given('FREQ'), given('BYMONTH')))
    else checkNumbers(name, value)
  }
}

function oneOf(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) throw new Error(`${name} is one of ${known.join(', ')}, not ${shown(value)}`)
}

function checkNumbers(name: string, value: string): void {
  const range = ranges[name]
  if (!range) return
  const [least, most, counts] = range
  const isOne = (text: string) => {
    const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
    const size = counts ? Math.abs(number) : number
    return size >= least && size <= most
  }
  const wrong = (single.includes(name) ? [value] : value.split(',')).find(each => !isOne(each))
  if (wrong === undefined) return
  const rule =
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number from ${least} on`
      : `a whole number from ${least} to ${most}${counts ? `, or from -${most} to -${least}` : ''}`
  throw new Error(`${name} is ${rule}, not ${shown(wrong)}`)
}

/** How many there may be of a weekday. */
function mostOfWeekday(freq: string | undefined, bymonth: string | undefined): number {
  if (freq === 'MONTHLY' || (freq === 'YEARLY' && bymonth !== undefined)) return 5
  return freq === 'YEARLY' || freq === undefined ? 53 : 0
}

function checkWeekdays(value: string, most: number): void {
  for (const each of value.split(',')) {
    const [, ordinal, day] = /^([+-]?\d+)?([A-Z]{2})$/.exec(each) ?? []
    if (day === undefined || !weekdays.includes(day))
      throw new Error(`BYDAY has the days ${weekdays}, as in MO,-1FR, and not ${shown(each)}`)
    if (ordinal === undefined) continue
    if (most === 0) throw new Error(`BYDAY=${each} is for a FREQ of MONTHLY or YEARLY`)
    const size = Math.abs(Number(ordinal))
    if (size < 1 || size > most)
      throw new Error(`the number of a BYDAY is here from 1 to ${most}, or from -${most} to -1, not ${ordinal}`)
  }
}

function checkDate(date: string): void {
  try {
    Temporal.PlainDateTime.from(date)
  } catch (cause) {
    throw new Error(`there is no ${date}`, { cause })
  }
}

function shown(value: string): string {
  return value === '' ? 'nothing' : value
}
