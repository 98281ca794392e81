import { createHash, hash } from 'node:crypto'
import { types } from 'node:util'
import { constantText, maxKeyText } from '../core/input-keys.js'
import { Encoder } from './encoder.js'
import { isArray, tag } from './shapes.js'

/**
 * A hash of the content of `value`: sha256 in base64url. Neither the order of keys nor sharing makes a difference, the
 * order of arrays, Maps and Sets does. (In a value with a cycle sharing does, too.) `undefined` for a value that cannot travel.
 */
export function hashValue(value: unknown): string | undefined {
  const text = contentOf(value)
  return text === undefined ? undefined : digestOf(text)
}

/**
 * The key of a call with these arguments: their content as text, if that is short, else its hash. `undefined` if one of
 * them cannot travel, and so cannot be told from another.
 */
export function keyOfArguments(
  args: readonly unknown[],
  contentOfArgument: (arg: unknown, index: number) => string | undefined = shortContentOf,
): string | undefined {
  let text = ''
  for (const [index, arg] of args.entries()) {
    const content = constantText(arg) ?? contentOfArgument(arg, index)
    if (content === undefined) return undefined
    text += index === 0 ? content : `,${content}`
  }
  return text.length <= maxKeyText ? text : `#${digestOf(text)}`
}

/** A text that only depends on the content of `value`, its hash if that would be long; `undefined`: it cannot travel. */
export function shortContentOf(value: unknown): string | undefined {
  const text = contentOf(value)
  return text === undefined || text.length <= maxKeyText ? text : `#${digestOf(text)}`
}

function contentOf(value: unknown): string | undefined {
  try {
    return plainText(value, 0) ?? textOf(new Encoder({ borrows: true }).encode(value))
  } catch {
    return undefined
  }
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url')
}

/** How deep plain data are written without looking for cycles. */
const maxPlainDepth = 30

/** How many numbers are worth a hash of their own. */
const manyNumbers = 100

/** What {@link Canon} would write of plain data, at once; `undefined`: there is something else in it. */
function plainText(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return constantText(value)
  if (depth > maxPlainDepth) return undefined
  if (Object.getPrototypeOf(value) === Object.prototype) return plainFields(value as Record<string, unknown>, depth)
  return isArray(value) && !types.isProxy(value) ? plainList(value, depth) : undefined
}

function plainFields(value: Record<string, unknown>, depth: number): string | undefined {
  if (types.isProxy(value) || Object.hasOwn(value, tag)) return undefined
  let text = '{'
  for (const key of Object.keys(value).sort()) {
    const field = plainText(value[key], depth + 1)
    if (field === undefined) return undefined
    text += `${JSON.stringify(key)}:${field},`
  }
  return `${text}}`
}

function plainList(items: readonly unknown[], depth: number): string | undefined {
  const numbers = numbersText(items)
  if (numbers !== undefined) return numbers
  let text = '['
  for (let index = 0; index < items.length; index++) {
    const item = index in items ? plainText(items[index], depth + 1) : ''
    if (item === undefined) return undefined
    text += `${item},`
  }
  return `${text}]`
}

/** Many numbers are hashed as they lie in memory: their digits would cost ten times as much. */
function numbersText(items: readonly unknown[]): string | undefined {
  if (items.length < manyNumbers) return undefined
  const numbers = new Float64Array(items.length)
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    if (typeof item !== 'number') return undefined
    numbers[index] = item
  }
  return `Numbers(${digest(numbers)})`
}

/** A wire value as text that only depends on its content. */
function textOf(wire: unknown): string {
  try {
    return new Canon().text(wire)
  } catch (thrown) {
    if (thrown !== cyclic) throw thrown
    return new CanonOfCycles().text(wire)
  }
}

const cyclic = Symbol('cyclic')

/** Writes a wire value as it would be written if nothing in it were shared. Throws {@link cyclic} where that has no end. */
class Canon {
  private readonly texts = new Map<object, string>()
  private readonly around = new Set<object>()

  text(wire: unknown): string {
    switch (typeof wire) {
      case 'string':
        return JSON.stringify(wire)
      case 'bigint':
        return `${wire}n`
      case 'object':
        return wire === null ? 'null' : this.object(wire)
      default:
        return Object.is(wire, -0) ? '-0' : String(wire)
    }
  }

  protected object(wire: object): string {
    const known = this.texts.get(wire)
    if (known !== undefined) return known
    if (this.around.has(wire)) throw cyclic
    this.around.add(wire)
    const text = this.write(wire)
    this.around.delete(wire)
    this.texts.set(wire, text)
    return text
  }

  protected write(wire: object): string {
    if (Array.isArray(wire)) return numbersText(wire) ?? `[${this.list(wire)}]`
    if (types.isMap(wire)) return `Map{${this.list([...wire].flat(1))}}`
    if (types.isSet(wire)) return `Set{${this.list([...wire])}}`
    if (types.isDate(wire)) return `Date(${wire.getTime()})`
    if (types.isRegExp(wire)) return `RegExp(${wire})`
    if (types.isArrayBuffer(wire)) return `ArrayBuffer(${digest(new Uint8Array(wire))})`
    if (ArrayBuffer.isView(wire)) return `${wire.constructor.name}(${digest(wire)})`
    // When a state was entered, and whether its result was taken over, is not what it says; nor where an error was made.
    if (isStateWire(wire)) {
      const { type, message, result, error } = wire.fields
      return `State${this.fields({ type, message, result, error })}`
    }
    if (isErrorWire(wire)) return `Error${this.fields({ ...wire.record, stack: undefined })}`
    return this.fields(wire as Record<string, unknown>)
  }

  private fields(wire: Record<string, unknown>): string {
    let text = '{'
    for (const key of Object.keys(wire).sort()) text += `${JSON.stringify(key)}:${this.text(wire[key])},`
    return text + '}'
  }

  private list(items: readonly unknown[]): string {
    let text = ''
    for (let index = 0; index < items.length; index++) text += (index in items ? this.text(items[index]) : '') + ','
    return text
  }
}

/**
 * Writes each object once, and its number where it is met again: what a back reference means depends on what is around
 * it, so that a text which holds one cannot be repeated elsewhere. Here sharing makes a difference.
 */
class CanonOfCycles extends Canon {
  private readonly numbers = new Map<object, number>()

  protected override object(wire: object): string {
    const number = this.numbers.get(wire)
    if (number !== undefined) return `^${number}`
    this.numbers.set(wire, this.numbers.size)
    return this.write(wire)
  }
}

function isErrorWire(wire: object): wire is { readonly record: Record<string, unknown> } {
  return (wire as Record<string, unknown>)[tag] === 'error'
}

function isStateWire(wire: object): wire is { readonly fields: Record<string, unknown> } {
  return (wire as Record<string, unknown>)[tag] === 'state'
}

function digest(view: ArrayBufferView): string {
  return createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('base64url')
}
