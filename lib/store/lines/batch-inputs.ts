import type { RunInput } from '../../core/run.js'
import type { CallRecord } from '../../core/task-calls.js'
import { isPlainNumber } from './batch-rows.js'

// What calls were given, as the rows of a batch tell it.

/** An argument: its preview, of which a number has the digits; or what it is, in full. */
export type Input = string | number | RunInput
/** Those of a call; one that has no more to say than its preview stands alone. */
export type Inputs = string | number | readonly Input[]
/** Those of a call without arguments. */
export const noInputs: readonly Input[] = []

/** What a call was given, in the fewest words that say it all. */
export function inputsOf(run: CallRecord): Inputs {
  const { constants } = run
  if (constants?.length === 0) return noInputs
  const first = constants?.[0]
  if (constants?.length === 1 && isPlainNumber(first)) return first
  const { inputs } = run // once: a record may describe its inputs only when it is asked
  if (inputs.length === 0) return noInputs
  const described = inputs.map(shortened)
  return described.length === 1 && typeof described[0] === 'string' ? described[0] : described
}

/** A preview of the argument at that place is its text; anything else says itself what it is. */
function shortened(input: RunInput, index: number): Input {
  const { name, runs, preview } = input
  return runs === undefined && preview !== undefined && name === String(index) ? preview : input
}

/** How many characters inputs take, about. */
export function sizeOf(inputs: Inputs): number {
  if (typeof inputs !== 'object') return sizeOfOne(inputs)
  let size = 0
  for (const input of inputs) size += sizeOfOne(input)
  return size
}

function sizeOfOne(input: Input): number {
  if (typeof input === 'number') return 0
  if (typeof input === 'string') return input.length
  let size = 20 + (input.preview?.length ?? 0)
  for (const run of input.runs ?? []) size += run.length + 3
  return size
}
