import type { Range } from './syntax.js'

/** A text that takes the place of another within a piece that is kept. */
export interface Patch extends Range {
  readonly text: string
}

/** As many lines as `text` has, with blanks only where something follows: that keeps its line and column. */
export function blank(text: string): string {
  const breaks = text.match(/\r\n|[\n\r\u2028\u2029]/g)
  if (!breaks) return ' '.repeat(text.length)
  const lastLine = Math.max(...['\n', '\r', '\u2028', '\u2029'].map(end => text.lastIndexOf(end))) + 1
  return breaks.join('') + ' '.repeat(text.length - lastLine)
}

function spacesAtEnd(text: string): number {
  let count = 0
  while (text.at(-1 - count) === ' ') count++
  return count
}

/**
 * Copies pieces of a text, in order, to the very lines and columns where they were, and blanks all else: so stack
 * traces and existing source maps stay true. What is added around a piece takes the room of what is blanked.
 */
export class BlankedText {
  readonly #code: string
  readonly #patches: readonly Patch[]
  #text = ''
  #position = 0
  /** Text that follows the last piece. */
  #after = ''

  constructor(code: string, patches: readonly Patch[]) {
    this.#code = code
    this.#patches = patches
  }

  keep(piece: Range, before = '', after = ''): void {
    this.#text += this.#gap(piece.start, before)
    for (const patch of this.#patches) {
      if (patch.start < this.#position || patch.end > piece.end) continue
      this.#text += this.#code.slice(this.#position, patch.start) + patch.text
      this.#position = patch.end
    }
    this.#text += this.#code.slice(this.#position, piece.end)
    this.#position = piece.end
    this.#after = after
  }

  /** The whole text, with `lines` after its end. */
  finish(lines: readonly string[]): string {
    return [this.#text + this.#gap(this.#code.length, ''), ...lines].join('\n')
  }

  #gap(end: number, before: string): string {
    const gap = blank(this.#code.slice(this.#position, end))
    this.#position = end
    const breakAt = gap.search(/[\r\n\u2028\u2029]/)
    const firstLine = breakAt < 0 ? gap : gap.slice(0, breakAt)
    const opened = this.#after + firstLine.slice(this.#after.length) + gap.slice(firstLine.length)
    this.#after = ''
    if (before === '') return opened
    if (before.length <= spacesAtEnd(opened)) return opened.slice(0, opened.length - before.length) + before
    if (breakAt < 0) return opened + before
    const firstBreak = opened.search(/[\r\n\u2028\u2029]/)
    return opened.slice(0, firstBreak) + before + opened.slice(firstBreak)
  }
}
