import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const pieceBytes = 64 * 1024

/**
 * How many bytes of a journal's file follow its last line, which ends at byte `from`. Zeros at the very end do not count:
 * they are room that its writer had made for more lines. Throws what `node:fs` throws.
 */
export function bytesAfter(path: string, from: number): number {
  const fd = openSync(path, 'r')
  try {
    const piece = Buffer.alloc(pieceBytes)
    for (let end = fstatSync(fd).size; end > from; ) {
      const start = Math.max(from, end - pieceBytes)
      const length = readSync(fd, piece, 0, end - start, start)
      const last = piece.subarray(0, length).findLastIndex(byte => byte !== 0)
      if (last >= 0) return start + last + 1 - from
      end = start
    }
    return 0
  } finally {
    closeSync(fd)
  }
}
