import type { TreeLine } from './pieces.js'
import { cells, cut, plain } from './width.js'

/** A line that somebody has begun and not ended yet. It is shown above the tree, as far as there is room. */
export class OpenLine {
  #text = ''

  /** Adds what was written. Gives the lines that are whole now, each with its end. */
  take(text: string): string {
    const all = this.#text + text
    const end = all.lastIndexOf('\n') + 1
    this.#text = all.slice(end)
    const whole = all.slice(0, end)
    return this.#text.length > longest ? `${whole}${this.end()}\n` : whole
  }

  /** What is left without an end. */
  end(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  /** One line, or none: its last characters, and where it was written over itself, the last version. */
  lines(columns: number): TreeLine[] {
    if (this.#text === '') return []
    const text = plain(this.#text.replace(/\r+$/, '').replace(overwritten, ''))
    const tail = cells(text) < columns ? text : [...text].slice(1 - Math.floor(columns / 2)).join('')
    const shown = cut(tail, columns - 1)
    return [{ text: shown, columns: cells(shown) }]
  }
}

/** Who never ends a line gets one here. */
const longest = 4096

/** What is before a return to the beginning of the line, by a control character or by a sequence, as spinners do. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
const overwritten = /^.*(?:\r|\u001b\[[01]?G|\u001b\[2K)/s
