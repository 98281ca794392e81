import { cells, cut } from './width.js'

/** A line as it is written, and how many columns it takes. */
export interface TreeLine {
  readonly text: string
  readonly columns: number
}

/** A part of a line. */
export interface Piece {
  readonly text: string
  readonly paint?: ((text: string) => string) | undefined
  /** How many spaces are before the next piece: two if it does not say. */
  readonly gap?: number
  /** It may be left out where there is no room: the lowest ones go first. None: it stays. */
  readonly keep?: number
  /** It may be cut to the room that there is. */
  readonly isCut?: boolean
}

/** What is worth reading of text that is cut. */
const leastCut = 8

/** A line of these pieces in less than so many columns: a character in the last one would make some terminals wrap. */
export function lineOf(pieces: readonly Piece[], columns: number): TreeLine {
  const room = Math.max(0, columns - 1)
  let kept = pieces.filter(({ text }) => text !== '')
  while (widthOf(kept) > room) {
    const least = leastOf(kept)
    if (!least) break
    const left = room - (widthOf(kept) - cells(least.text))
    const replacement = least.isCut && left >= leastCut ? [{ ...least, text: cut(least.text, left) }] : []
    kept = kept.flatMap(piece => (piece === least ? replacement : [piece]))
  }
  return written(kept, room)
}

function leastOf(pieces: readonly Piece[]): Piece | undefined {
  const droppable = pieces.filter(({ keep }) => keep !== undefined)
  return droppable.reduce<Piece | undefined>(
    (least, piece) => (piece.keep! < (least?.keep ?? 100) ? piece : least),
    undefined,
  )
}

function widthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece, index) => sum + cells(piece.text) + gapAfter(piece, index, pieces), 0)
}

function gapAfter({ gap = 2 }: Piece, index: number, { length }: readonly Piece[]): number {
  return index === length - 1 ? 0 : gap
}

function written(pieces: readonly Piece[], room: number): TreeLine {
  let text = ''
  let used = 0
  for (const [index, piece] of pieces.entries()) {
    const part = cut(piece.text, room - used)
    used += cells(part)
    text += piece.paint ? piece.paint(part) : part
    const gap = Math.min(gapAfter(piece, index, pieces), room - used)
    text += ' '.repeat(gap)
    used += gap
  }
  return { text, columns: used }
}
