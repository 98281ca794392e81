import stringWidth from 'string-width'
import { clean } from '../print.js'

const isAscii = /^[\x20-\x7e]*$/

/**
 * A user's text on one line, in characters of which every terminal knows the width. Terminals differ in how wide a
 * character is that is made of several: a family is shown by its first member, a flag by its letters.
 */
export function plain(text: string): string {
  if (isAscii.test(text)) return text
  return clean(text)
    .replace(/[\u{1f1e6}-\u{1f1ff}]/gu, letter => String.fromCharCode(letter.codePointAt(0)! - 0x1f1e6 + 65))
    .replace(/\u200d\p{Extended_Pictographic}/gu, '')
    .replace(/\p{Cf}|\p{Emoji_Modifier}|\p{Variation_Selector}|\u20e3/gu, '')
}

/** How many columns a text takes that is plain, colours aside. */
export function cells(text: string): number {
  return isAscii.test(text) ? text.length : stringWidth(text)
}

/** A plain text in so many columns at most; what was cut is told by an ellipsis. */
export function cut(text: string, columns: number): string {
  if (cells(text) <= columns) return text
  if (columns < 1) return ''
  let kept = ''
  let used = 1
  for (const letter of text) {
    used += cells(letter)
    if (used > columns) break
    kept += letter
  }
  return `${kept}…`
}

/** A plain text in exactly so many columns. */
export function fitted(text: string, columns: number): string {
  const short = cut(text, columns)
  return short + ' '.repeat(Math.max(0, columns - cells(short)))
}
