/**
 * Short texts of ASCII, which most of what is read consists of: names of fields, addresses, keys. Making a string of a few
 * bytes takes longer than finding one that was made before.
 */

/** The longest that is kept. */
export const shortLength = 24

const kept: string[] = Array.from({ length: 4096 }, () => '')

/** The text of these bytes; undefined if they are more than {@link shortLength}, or not ASCII. */
export function shortText(bytes: Buffer, start: number, end: number): string | undefined {
  const length = end - start
  if (length > shortLength) return undefined
  let hash = length
  let high = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    high |= byte
    hash = (Math.imul(hash, 31) + byte) | 0
  }
  if (high >= 0x80) return undefined
  const slot = (hash ^ (hash >>> 12)) & 4095
  const known = kept[slot]!
  if (known.length === length && isText(known, bytes, start)) return known
  const text = bytes.toString('latin1', start, end)
  kept[slot] = text
  return text
}

function isText(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false
  return true
}
