import { InvalidArgumentError } from 'commander'

/**
 * A date and time that an option is given, in epoch milliseconds: of this machine, unless it says its offset; a date alone
 * is its midnight. Throws InvalidArgumentError, also for a day that there is not: for JavaScript, 30 February is in March.
 */
export function timeOption(text: string): number {
  const [, date, time = '00:00', offset = ''] = form.exec(text) ?? []
  if (date === undefined)
    throw new InvalidArgumentError(
      'It should be a date and time, such as 2026-10-01T09:00 (of this machine) or 2026-10-01T09:00Z.',
    )
  const written = `${date}T${time}`
  const at = Date.parse(written + offset.toUpperCase().replace(/(\d\d)(\d\d)$/, '$1:$2'))
  if (Number.isNaN(at) || !isThere(written)) throw new InvalidArgumentError(`There is no ${text}.`)
  return at
}

const form = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?))?(Z|[+-]\d\d:?\d\d)?$/i

function isThere(written: string): boolean {
  const at = Date.parse(`${written}Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(written)
}
