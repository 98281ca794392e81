import { InvalidArgumentError, Option } from 'commander'
import { asError } from '../core/errors.js'

/** The parameters of a flow, as JSON. The value of the option is `{ value }`, so that `null` is no missing one. */
export function paramsOption(description: string): Option {
  return new Option('--params <json>', description).argParser((text: string): Params => {
    try {
      return { value: JSON.parse(text) as unknown }
    } catch (error) {
      throw new InvalidArgumentError(`--params is not JSON: ${asError(error).message}`)
    }
  })
}

export interface Params {
  readonly value: unknown
}
