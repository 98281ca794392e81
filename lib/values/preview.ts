import { types } from 'node:util'
import { isPlainObject } from '../core/traverse.js'

/** A short text about `value` for people: cheap, one level deep, never throws. */
export function preview(value: unknown, max = 80): string {
  try {
    const text = describe(value, max)
    return text.length > max ? `${text.slice(0, max - 1)}…` : text
  } catch {
    return '[unprintable]'
  }
}

function describe(value: unknown, max: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > max ? value.slice(0, max) : value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return `[function ${value.name || '(anonymous)'}]`
    case 'object':
      return value === null ? 'null' : describeObject(value, max)
    default:
      return Object.is(value, -0) ? '-0' : String(value)
  }
}

function describeObject(value: object, max: number): string {
  if (types.isProxy(value)) return 'Proxy'
  if (Array.isArray(value)) return `Array(${value.length})`
  if (types.isNativeError(value)) return `${value.name}: ${value.message}`
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (types.isMap(value) || types.isSet(value)) return `${className(value)}(${value.size})`
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
    return `${className(value)}(${value.byteLength} bytes)`
  if (value instanceof URL) return value.href
  return isPlainObject(value) ? describeKeys(value, max) : className(value)
}

function describeKeys(value: object, max: number): string {
  let text = ''
  for (const key in value) {
    if (text.length > max) break
    text += text ? `, ${key}` : key
  }
  return text ? `{${text.length > max - 2 ? `${text.slice(0, max - 3)}…` : text}}` : '{}'
}

function className(value: object): string {
  return (value.constructor as Function | undefined)?.name || 'Object'
}
