import { PyGlobal, PyObject, PyTuple } from '../pickle/objects.js'

/** Longer texts are cut: they are for people. */
const maxLength = 10_000
const maxDepth = 20

/** About what Python's `str()` says of what `loads` gave. */
export function pyStr(value: unknown): string {
  return typeof value === 'string' ? value : pyRepr(value)
}

/** About what Python's `repr()` says of what `loads` gave. */
export function pyRepr(value: unknown): string {
  return cut(repr(value, 0))
}

export function cut(text: string): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
}

function repr(value: unknown, depth: number): string {
  if (depth > maxDepth) return '...'
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'boolean':
      return value ? 'True' : 'False'
    case 'number':
      return Object.is(value, -0) ? '-0.0' : String(value)
    case 'object':
      return value === null ? 'None' : reprObject(value, depth + 1)
    default:
      return String(value)
  }
}

function reprObject(value: object, depth: number): string {
  const all = (items: Iterable<unknown>) => listOf(items, item => repr(item, depth))
  if (value instanceof Uint8Array) return `b${quote(Buffer.from(value.subarray(0, maxLength)).toString('latin1'))}`
  if (value instanceof PyTuple) return value.length === 1 ? `(${all(value)},)` : `(${all(value)})`
  if (Array.isArray(value)) return `[${all(value)}]`
  if (value instanceof Set) return value.size === 0 ? 'set()' : `{${all(value)}}`
  if (value instanceof Map) {
    return `{${listOf(value, ([key, child]) => `${repr(key, depth)}: ${repr(child, depth)}`)}}`
  }
  if (value instanceof PyGlobal) return `<class '${value.type}'>`
  if (value instanceof PyObject) return `<${value.type}>`
  return '<object>'
}

/** As many as it takes to be long enough. */
function listOf<T>(items: Iterable<T>, say: (item: T) => string): string {
  let text = ''
  for (const item of items) {
    text += `${text === '' ? '' : ', '}${say(item)}`
    if (text.length > maxLength) return `${text.slice(0, maxLength)}, ...`
  }
  return text
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = cut(text).replace(/[\\\n\r\t]/g, found => escapes.get(found) ?? found)
  return mark + escaped.replaceAll(mark, `\\${mark}`) + mark
}

const escapes = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
