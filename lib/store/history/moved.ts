/** A file that a reader was sent to has gone: whoever asked begins again with the present catalogue. */
export class Moved extends Error {}

/** Whether an error says that files have gone from where they were. */
export function hasMoved(error: unknown): boolean {
  return error instanceof Moved || (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}
