import { open } from 'node:fs/promises'

/** A line of a file: bytes `start` to `end` of `bytes`, without its newline; its first byte is byte `offset` of the file. */
export interface RawLine {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly offset: number
}

export interface ScanOptions {
  /** Where the file ends for this reader, whatever follows there. */
  readonly until?: number | undefined
  /** How much is read at once. */
  readonly pieceBytes?: number | undefined
  /** Awaited after each piece: for who must not hold up the loop. */
  readonly pause?: (() => Promise<void> | undefined) | undefined
}

const mebibyte = 1024 * 1024

/**
 * Reads the whole lines of a file from byte `from` on, piece by piece, so that memory stays small and the loop free.
 * What follows the last newline is not a line yet, or never was. Ends at the end of the file, or when `onLine` gives
 * `false`; gives the offset after the last line that was read.
 */
export async function scanLines(
  path: string,
  from: number,
  onLine: (line: RawLine) => boolean | undefined,
  { until = Number.POSITIVE_INFINITY, pieceBytes = mebibyte, pause }: ScanOptions = {},
): Promise<number> {
  const file = await open(path, 'r')
  try {
    let offset = from
    let piece = Buffer.allocUnsafe(Math.max(1, Math.min(pieceBytes, until - from)))
    let held = 0
    for (;;) {
      const wanted = Math.min(piece.length - held, until - offset - held)
      if (wanted <= 0) return offset
      const { bytesRead } = await file.read(piece, held, wanted, offset + held)
      if (bytesRead === 0) return offset
      held += bytesRead
      let start = 0
      for (let end: number; (end = piece.indexOf(10, start)) >= 0 && end < held; start = end + 1)
        if (onLine({ bytes: piece, start, end, offset: offset + start }) === false) return offset + end + 1
      offset += start
      held -= start
      // The beginning of a line moves to the front; one that fills the whole piece gets a larger one.
      const next = held === piece.length ? Buffer.allocUnsafe(piece.length * 2) : piece
      piece.copy(next, 0, start, start + held)
      piece = next
      if (pause) await pause()
    }
  } finally {
    await file.close()
  }
}
