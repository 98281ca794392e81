import { stripVTControlCharacters } from 'node:util'
import Table from 'cli-table3'
import type { Colors } from './print.js'

export interface Column {
  readonly head: string
  /** Whether it may be cut where the terminal is too narrow. */
  readonly mayShrink?: boolean
}

/** A table without lines, as wide as it must be and no wider than `width`: columns that may shrink are cut. */
export function table(columns: readonly Column[], rows: readonly string[][], width: number, { dim }: Colors): string {
  const heads = columns.map(({ head }) => dim(head))
  const all = [heads, ...rows]
  const natural = columns.map((_, index) => all.reduce((most, row) => Math.max(most, lengthOf(row[index]!)), 0))
  const colWidths = fitted(columns, natural, width)
  if (all.length > many) return plainTable(all, colWidths)
  const parts: string[] = []
  for (let at = 0; at < all.length; at += atOnce) {
    const part = new Table({ chars, colWidths, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } })
    part.push(...all.slice(at, at + atOnce))
    parts.push(part.toString())
  }
  return parts.join('\n').replace(/ +$/gm, '')
}

/** cli-table3 takes a time that grows with the square of the rows. */
const atOnce = 50

/** From so many rows on the table is put together here: cli-table3 takes a tenth of a millisecond per row and more. */
const many = 500

function plainTable(rows: readonly string[][], widths: readonly number[]): string {
  const lines = rows.map(row =>
    row
      .map((cell, index) => fittedCell(cell, widths[index]!))
      .join(gap)
      .trimEnd(),
  )
  return lines.join('\n')
}

function fittedCell(cell: string, width: number): string {
  const length = lengthOf(cell)
  if (length <= width) return cell + ' '.repeat(width - length)
  return `${stripVTControlCharacters(cell).slice(0, Math.max(0, width - 1))}…`
}

const gap = '  '
const noChars = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
const noMoreChars = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid']
const chars = { ...Object.fromEntries([...noChars, ...noMoreChars].map(name => [name, ''])), middle: gap }

const least = 8

/** Takes from the widest column that may shrink until all fit. */
function fitted(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural]
  let excess = widths.reduce((sum, each) => sum + each, 0) + gap.length * (widths.length - 1) - width
  while (excess > 0) {
    const widest = Math.max(...widths.filter((_, index) => columns[index]!.mayShrink))
    if (widest <= least) break
    widths[widths.findIndex((each, index) => each === widest && columns[index]!.mayShrink)] = widest - 1
    excess -= 1
  }
  return widths
}

/** How many columns a text takes: letters of Asian scripts and emoji take two. */
function lengthOf(text: string): number {
  if (ascii.test(text)) return text.length
  const plain = stripVTControlCharacters(text)
  return plain.length - (plain.match(/[\u0300-\u036f]/g)?.length ?? 0) + (plain.match(wide)?.length ?? 0)
}

const ascii = /^[\x20-\x7e]*$/
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uff01-\uff60]/gu
