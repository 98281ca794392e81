import { types } from 'node:util'

/**
 * How many characters of JSON a value takes at least: strings, keys and bytes, and one for everything else. Counting ends
 * beyond `enough`. Nothing is copied, no getter is called: this is asked before a value is encoded that may be huge.
 */
export function leastSize(value: unknown, enough: number): number {
  let size = 0
  const seen = new Set<object>()
  const open: unknown[] = [value]
  while (open.length > 0 && size <= enough) {
    const next = open.pop()
    size += typeof next === 'string' ? next.length + 2 : 1
    if (typeof next !== 'object' || next === null || seen.has(next) || types.isProxy(next)) continue
    seen.add(next)
    if (ArrayBuffer.isView(next) || types.isAnyArrayBuffer(next)) size += base64Length(next.byteLength)
    else if (Array.isArray(next)) size += openItems(next, open, enough - size)
    else if (types.isMap(next)) for (const [key, child] of next) open.push(key, child)
    else if (types.isSet(next)) for (const child of next) open.push(child)
    else size += openFields(next, open)
  }
  return size
}

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4
}

function openItems(items: readonly unknown[], open: unknown[], enough: number): number {
  // A list that is too long as it is need not be looked through.
  if (items.length <= enough) for (const item of items) open.push(item)
  return items.length
}

function openFields(record: object, open: unknown[]): number {
  let size = 0
  for (const key of Object.keys(record)) {
    size += key.length + 3
    open.push(Object.getOwnPropertyDescriptor(record, key)?.value)
  }
  return size
}
