import type { Colors } from '../print.js'
import type { Board } from './board.js'
import { choose, type Hidden, type Row } from './choose.js'
import { lineOf, type Piece, type TreeLine } from './pieces.js'
import { countsOf, type Grid, indentOf, labelOf, piecesOf } from './rows.js'
import { cells } from './width.js'

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** The lines that show a board at a time: each narrower than the columns, and no more than the rows. Pure. */
export function layOut(board: Board, { columns, rows }: Size, now: number, palette: Colors): TreeLine[] {
  const choice = choose(board, rows)
  const grid = gridOf(choice.rows, columns)
  const lines = choice.rows.map(row => piecesOf(row, grid, now, palette))
  const rest = restOf(choice.hidden)
  if (rest !== '') lines.push([{ text: rest, paint: palette.dim }])
  return lines.slice(0, Math.max(0, rows)).map((pieces: readonly Piece[]) => lineOf(pieces, columns))
}

/** What all lines share, so that labels, bars and numbers stand below each other. */
function gridOf(rows: readonly Row[], columns: number): Grid {
  const widest = (of: (row: Row) => number) => rows.reduce((max, row) => Math.max(max, of(row)), 0)
  const label = Math.min(
    widest(row => indentOf(row).length + cells(labelOf(row))),
    Math.floor(columns * 0.4),
  )
  const bar = columns < 40 ? 0 : Math.max(4, Math.min(24, Math.floor((columns - label) / 4)))
  return { label, bar, counts: widest(row => countsOf(row).length) }
}

/** What there is besides what is shown, in one line; nothing if nothing is hidden. */
function restOf({ running, failed, done, tasks }: Hidden): string {
  const kinds = [
    [running, 'running'],
    [failed, 'failed'],
    [done, 'ended'],
  ] as const
  const flows = running + failed + done
  const parts = kinds.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)
  const more = [
    flows > 0 ? `${flows} more flow run${flows === 1 ? '' : 's'} (${parts.join(', ')})` : '',
    tasks > 0 ? `${tasks} more task${tasks === 1 ? '' : 's'}` : '',
  ].filter(Boolean)
  return more.length > 0 ? `… and ${more.join(', ')}` : ''
}
