import { shortText } from '../protocol/short-text.js'

/**
 * Python's strings may hold lone surrogates (names of files that are not UTF-8), and so may JavaScript's. Pickle writes
 * them as if they were characters; UTF-8 proper has no bytes for them.
 */

export function utf8Length(text: string): number {
  return Buffer.byteLength(text)
}

/** Writes `text` at `offset`. A lone surrogate takes as many bytes as the replacement for which `utf8Length` counts it. */
export function writeUtf8(target: Buffer, text: string, offset: number): number {
  const length = target.write(text, offset, 'utf8')
  if (!text.isWellFormed()) restoreSurrogates(target, text, offset)
  return length
}

function restoreSurrogates(target: Buffer, text: string, offset: number): void {
  let at = offset
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (code >= 0xd800 && code <= 0xdfff) {
      target[at] = 0xe0 | (code >> 12)
      target[at + 1] = 0x80 | ((code >> 6) & 0x3f)
      target[at + 2] = 0x80 | (code & 0x3f)
    }
    at += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
}

export function readUtf8(source: Buffer, start: number, end: number): string {
  const short = shortText(source, start, end)
  if (short !== undefined) return short
  const text = source.toString('utf8', start, end)
  return text.includes('\ufffd') ? readSurrogates(source, start, end) : text
}

// Between the surrogates is ordinary UTF-8.
function readSurrogates(source: Buffer, start: number, end: number): string {
  const parts: string[] = []
  let from = start
  for (let at = start; at + 2 < end; at++) {
    if (source[at] !== 0xed || source[at + 1]! < 0xa0) continue
    parts.push(source.toString('utf8', from, at))
    parts.push(String.fromCharCode(0xd000 | ((source[at + 1]! & 0x3f) << 6) | (source[at + 2]! & 0x3f)))
    from = at + 3
    at += 2
  }
  parts.push(source.toString('utf8', from, end))
  return parts.join('')
}
