import type { RunInput } from './run.js'

// The key of what a run was called with: equal keys, equal calls. Where all of it is small constants the key is their
// text, which the previews of a run hold too, so that keeping it costs nothing; else it is a hash of the content.

/** The longest key that is a text, in characters. */
export const maxKeyText = 80

/** A small constant as text that nothing else has; `undefined`: it is none. */
export function constantText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'string':
      return value.length < maxKeyText ? JSON.stringify(value) : undefined
    case 'bigint':
      return `${value}n`
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : undefined
    default:
      return undefined
  }
}

/** The key of a call with these arguments, if they are small constants. */
export function keyOfConstants(args: readonly unknown[]): string | undefined {
  if (args.length === 1) return short(constantText(args[0]))
  let key = ''
  for (const [index, arg] of args.entries()) {
    const text = constantText(arg)
    if (text === undefined) return undefined
    key += index === 0 ? text : `,${text}`
  }
  return short(key)
}

/** The same key, made of what stands in the record of the run; `undefined` if that does not say it. */
export function keyOfPreviews(inputs: readonly RunInput[]): string | undefined {
  let key = ''
  let count = 0
  for (const { name, runs, preview } of inputs) {
    if (name === 'waitFor') continue
    if (runs !== undefined || preview === undefined || !isConstant(preview)) return undefined
    key += count === 0 ? preview : `,${preview}`
    count += 1
  }
  return short(key)
}

/** Whether a preview is the whole text of a constant. One that was cut ends with an ellipsis, and is none. */
function isConstant(preview: string): boolean {
  return constant.test(preview)
}

const constant = /^(?:-?\d+(?:\.\d+)?(?:e[+-]\d+)?|-?\d+n|"(?:[^"\\]|\\.)*"|true|false|null|undefined|NaN|-?Infinity)$/

/** The key of a call of a task with captured values: they are inputs, too. */
export function withCaptured(key: string | undefined, captured: string | undefined): string | undefined {
  return key === undefined || captured === undefined
    ? key
    : captured === unknownCaptured
      ? undefined
      : `${key}@${captured}`
}

/** What stands for captured values that cannot be told apart: no call with them has a key. */
export const unknownCaptured = '?'

function short(key: string | undefined): string | undefined {
  return key !== undefined && key.length <= maxKeyText ? key : undefined
}
