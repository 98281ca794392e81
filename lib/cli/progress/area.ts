import type { Size } from './layout.js'
import type { TreeLine } from './pieces.js'

const csi = '\u001b['
/** What is between them is shown at once, by terminals that know it; others ignore it. */
const begin = `${csi}?2026h`
const end = `${csi}?2026l`
const eraseBelow = `${csi}J`
const eraseRight = `${csi}K`
const up = (rows: number) => (rows > 0 ? `${csi}${rows}A` : '')
const down = (rows: number) => (rows > 0 ? `${csi}${rows}B` : '')

/**
 * The last lines of a terminal, drawn again and again; the cursor rests below them. It says what is to be written to the
 * terminal, and writes nothing itself. The cursor is never hidden: nobody has to bring it back, whatever happens.
 */
export class Area {
  #lines: readonly TreeLine[] = []
  #size: Size | undefined
  /** How wide the lines are that a terminal that became lower has pushed out of sight, and may bring back. */
  #outOfSight: number[] = []

  /** What makes the terminal show these lines instead of those that it shows; nothing if they are the same. */
  draw(lines: readonly TreeLine[], size: Size): string {
    const isSame = this.#size?.columns === size.columns && this.#size.rows === size.rows
    const text = isSame ? this.#change(lines) : this.#toTop(size) + written(lines) + eraseBelow
    this.#lines = lines
    this.#size = size
    return text === '' ? '' : begin + text + end
  }

  /** What writes whole lines above the area, whatever is in them. */
  above(text: string, size: Size): string {
    const isSame = this.#size?.columns === size.columns && this.#size.rows === size.rows
    const height = isSame ? heightOf(text, size.columns) : undefined
    const isInserted = height !== undefined && this.#lines.length > 0 && height + this.#lines.length < size.rows
    const change = isInserted
      ? '\n'.repeat(height) + up(height + this.#lines.length) + `\r${csi}${height}L` + text + down(this.#lines.length)
      : this.#toTop(size) + text + this.#again(isSame)
    this.#outOfSight = []
    this.#size = size
    return begin + change + eraseBelow + end
  }

  /** The terminal shows something else below the area now: it is left there, and drawn anew. */
  forget(): void {
    this.#lines = []
    this.#outOfSight = []
  }

  /** The lines as they were, unless they were made for another size: then they are to be drawn. */
  #again(isSame: boolean): string {
    if (!isSame) this.#lines = []
    return written(this.#lines)
  }

  /** To the beginning of the area, which is empty then. */
  #toTop(size: Size): string {
    const { climbed, hidden } = climb(
      this.#lines.map(({ columns }) => columns),
      size.rows - 1,
      size,
    )
    this.#outOfSight.push(...hidden)
    return `\r${up(climbed + (hidden.length === 0 ? this.#broughtBack(size, size.rows - 1 - climbed) : 0))}${eraseBelow}`
  }

  /** How many rows above the area are its own again. */
  #broughtBack(size: Size, room: number): number {
    const grown = this.#size ? size.rows - this.#size.rows : 0
    const { climbed, hidden } = climb(this.#outOfSight, Math.max(0, Math.min(room, grown)), size)
    this.#outOfSight = hidden
    return climbed
  }

  /** Only the lines that are others than before are written. */
  #change(lines: readonly TreeLine[]): string {
    const before = this.#lines
    const first = lines.findIndex((line, index) => line.text !== before[index]?.text)
    const from = first === -1 ? Math.min(lines.length, before.length) : first
    if (from === lines.length && from === before.length) return ''
    let text = `\r${up(before.length - from)}`
    let skipped = 0
    for (let index = from; index < lines.length; index++) {
      const { text: now } = lines[index]!
      if (now === before[index]?.text) skipped += 1
      else {
        text += `${down(skipped)}${now}${eraseRight}\n`
        skipped = 0
      }
    }
    return text + down(skipped) + eraseBelow
  }
}

function written(lines: readonly TreeLine[]): string {
  return lines.map(({ text }) => `${text}\n`).join('')
}

/** How many rows of lines can be seen where there are so many, from the last one upwards; and what is hidden. */
function climb(widths: readonly number[], room: number, { columns }: Size) {
  const hidden: number[] = []
  let climbed = 0
  for (const width of widths.toReversed()) {
    const rows = rowsOf(width, columns)
    const seen = Math.min(rows, room - climbed)
    climbed += seen
    if (seen < rows) hidden.unshift(width - seen * columns)
  }
  return { climbed, hidden }
}

function rowsOf(width: number, columns: number): number {
  return Math.max(1, Math.ceil(width / columns))
}

/** How many rows lines take, if every terminal agrees on that. */
function heightOf(text: string, columns: number): number | undefined {
  let rows = 0
  for (const line of text.split('\n').slice(0, -1)) {
    const visible = line.replace(colors, '').replace(/\r$/, '')
    if (/[^\x20-\x7e]/.test(visible)) {
      if (/\p{Cc}/u.test(visible) || visible.length * 2 > columns) return undefined // one row, however wide they are
      rows += 1
    } else rows += rowsOf(visible.length, columns)
  }
  return rows
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what sets colours
const colors = /\u001b\[[\d;]*m/g
