import { createHash } from 'node:crypto'
import { types } from 'node:util'
import { tag } from './shapes.js'
import { toWire } from './wire.js'

/**
 * A hash of the content of `value`: sha256 in base64url. Neither the order of keys nor sharing makes a difference, the
 * order of arrays, Maps and Sets does. `undefined` for a value that cannot travel.
 */
export function hashValue(value: unknown): string | undefined {
  try {
    return createHash('sha256')
      .update(new Canon().text(toWire(value, 'value', { borrows: true })))
      .digest('base64url')
  } catch {
    return undefined
  }
}

/** Writes a wire value as text that only depends on its content. */
class Canon {
  private readonly texts = new Map<object, string>()
  private readonly around = new Map<object, number>()

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

  private object(wire: object): string {
    const known = this.texts.get(wire)
    if (known !== undefined) return known
    const above = this.around.get(wire)
    if (above !== undefined) return `^${this.around.size - above}`
    this.around.set(wire, this.around.size)
    const text = this.write(wire)
    this.around.delete(wire)
    this.texts.set(wire, text)
    return text
  }

  private write(wire: object): string {
    if (Array.isArray(wire)) return `[${this.list(wire)}]`
    if (types.isMap(wire)) return `Map{${this.list([...wire].flat(1))}}`
    if (types.isSet(wire)) return `Set{${this.list([...wire])}}`
    if (types.isDate(wire)) return `Date(${wire.getTime()})`
    if (types.isRegExp(wire)) return `RegExp(${wire})`
    if (types.isArrayBuffer(wire)) return `ArrayBuffer(${digest(new Uint8Array(wire))})`
    if (ArrayBuffer.isView(wire)) return `${wire.constructor.name}(${digest(wire)})`
    // Where an error was made is not what it says.
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

function isErrorWire(wire: object): wire is { readonly record: Record<string, unknown> } {
  return (wire as Record<string, unknown>)[tag] === 'error'
}

function digest(view: ArrayBufferView): string {
  return createHash('sha256')
    .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    .digest('base64url')
}
