import { type FileHandle, open } from 'node:fs/promises'

/** A line of a file: bytes `start` to `end` of `bytes`, without its newline; its first byte is byte `offset` of the file. */
export interface RawLine {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly offset: number
}

const pieceSize = 1024 * 1024

/**
 * Reads the whole lines of a file from byte `from` on, piece by piece, so that memory stays small and the loop free.
 * What follows the last newline is not a line yet, or never was. Ends at the end of the file, or when `onLine` gives
 * `false`; gives the offset after the last line that was read. A file that is not there has no lines.
 */
export async function scanLines(
  path: string,
  from: number,
  onLine: (line: RawLine) => boolean | undefined,
): Promise<number> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return from
    throw error
  }
  try {
    let offset = from
    let piece = Buffer.allocUnsafe(pieceSize)
    let held = 0
    for (;;) {
      const { bytesRead } = await file.read(piece, held, piece.length - held, offset + held)
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
    }
  } finally {
    await file.close()
  }
}
