import { Argument, InvalidArgumentError, Option } from 'commander'
import { didYouMean } from '../core/nearest.js'

/** An option that takes one of a few words; for another one the nearest is suggested. */
export function choice(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words).argParser((given: string) => oneOf(given, words))
}

/** The same for an argument. */
export function choiceArgument(name: string, description: string, words: readonly string[]): Argument {
  return new Argument(name, description).choices(words).argParser((given: string) => oneOf(given, words))
}

function oneOf(given: string, words: readonly string[]): string {
  if (words.includes(given)) return given
  throw new InvalidArgumentError(`It is one of ${words.join(', ')}.${didYouMean(given, words)}`)
}

/** An option that may be given several times. Its value is the list of what was given. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, `${description} (repeatable)`)
    .argParser((word: string, before: readonly string[]) => [...before, word])
    .default([], 'all')
}

/** An option that takes a whole number, from `least` to `most`. */
export function wholeNumber(flags: string, description: string, least: number, most = Number.MAX_SAFE_INTEGER): Option {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
  return new Option(flags, description).argParser((text: string) => {
    const number = Number(text)
    if (text.trim() !== '' && Number.isInteger(number) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It should be a whole number ${range}.`)
  })
}

/** An option that takes a folder. */
export function folder(flags: string, description: string): Option {
  return new Option(flags, description).argParser((path: string) => {
    if (path !== '') return path
    throw new InvalidArgumentError('It is empty, as a variable is that is not set. It should be a folder.')
  })
}

/** An option that takes a number of seconds. */
export function seconds(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= 0) return value
    throw new InvalidArgumentError('It is a number of seconds.')
  })
}
