import { MintakaError } from './errors.js'

/** Says whether a value will do; gives what it should be if not. */
export type Check = (value: unknown) => string | undefined

export const check = {
  count: (value: unknown) => (Number.isInteger(value) && (value as number) >= 0 ? undefined : 'a whole number from 0'),
  positive: (value: unknown) =>
    value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && (value as number) > 0)
      ? undefined
      : 'a whole number from 1',
  milliseconds: (value: unknown) =>
    typeof value === 'number' && value >= 0 && !Number.isNaN(value) ? undefined : 'a number of milliseconds from 0',
  delay: (value: unknown) => {
    if (typeof value === 'function') return undefined
    const isDelay = (item: unknown) => typeof item === 'number' && item >= 0
    return (Array.isArray(value) ? value.every(isDelay) : isDelay(value))
      ? undefined
      : 'a number of milliseconds, a list of them, or a function (attempt, error) => number'
  },
  function: (value: unknown) => (typeof value === 'function' ? undefined : 'a function'),
  string: (value: unknown) => (typeof value === 'string' && value !== '' ? undefined : 'a string'),
  strings: (value: unknown) =>
    Array.isArray(value) && value.every(item => typeof item === 'string') ? undefined : 'a list of strings',
  boolean: (value: unknown) => (typeof value === 'boolean' ? undefined : 'true or false'),
  object: (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'an object',
  signal: (value: unknown) => (value instanceof AbortSignal ? undefined : 'an AbortSignal'),
  futures: (value: unknown) =>
    Array.isArray(value) && value.every(item => typeof item === 'object' && item !== null && 'wait' in item)
      ? undefined
      : 'a list of futures',
  oneOf:
    (...words: readonly string[]): Check =>
    value =>
      words.includes(value as string) ? undefined : `one of ${words.join(', ')}`,
} as const

/**
 * Gives the options back, or throws INVALID_OPTION naming the option, what it is and what it should be. An option that
 * is `undefined` counts as not given.
 */
export function checkOptions<T extends object>(
  whose: string,
  options: T | undefined,
  checks: Record<string, Check>,
): T | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null) {
    throw new MintakaError('INVALID_OPTION', `The options of ${whose} are an object, not ${String(options)}.`)
  }
  for (const [option, value] of Object.entries(options)) {
    const wrong = Object.hasOwn(checks, option) ? checks[option] : undefined
    if (!wrong) {
      const known = Object.keys(checks).join(', ')
      throw new MintakaError('INVALID_OPTION', `${whose} has no option '${option}'. It has: ${known}.`, { option })
    }
    const expected = value === undefined ? undefined : wrong(value)
    if (expected === undefined) continue
    throw new MintakaError(
      'INVALID_OPTION',
      `The option '${option}' of ${whose} should be ${expected}, not ${show(value)}.`,
      { option },
    )
  }
  return options
}

function show(value: unknown): string {
  if (typeof value === 'function') return `the function ${value.name}`
  if (typeof value === 'number') return String(value) // JSON has no NaN
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
