import { MintakaError } from '../core/errors.js'
import { messageOf } from '../core/state.js'

// What a store in a folder says when it cannot be used.

/** Why a store does not write. */
export const notOpen = 'the store is not open for writing'

/** The store was asked before it was opened. */
export const notOpened = () =>
  new MintakaError('STORE_OPEN_FAILED', 'The store has not been opened: call open() first.')

/** The code of a task has opened a store. */
export function openedInTask(folder: string): MintakaError {
  const why = 'it was opened on a thread that carries out tasks'
  const fix = 'Open it on the main thread or on a thread of your own, and give tasks what they need of it as arguments.'
  return new MintakaError('STORE_OPEN_FAILED', `The store in ${folder} could not be opened: ${why}. ${fix}`)
}

/** The store could not be opened: why, and what to do. */
export function openFailed(folder: string, cause: unknown): MintakaError {
  const { code, path = folder } = cause as NodeJS.ErrnoException
  const elsewhere = 'or set MINTAKA_HOME (or the folder of the JsonStore) to another folder'
  const why =
    code === 'EEXIST' || code === 'ENOTDIR'
      ? `${path} is in the way: it is not a folder. Move it away, ${elsewhere}.`
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? `there is no permission to use ${path}. Give it to this user, ${elsewhere}.`
        : code === 'ENOSPC' || code === 'EDQUOT'
          ? `there is no room on the disk of ${folder}. Make room there, ${elsewhere}.`
          : `${messageOf(cause)}.`
  return new MintakaError('STORE_OPEN_FAILED', `The store in ${folder} could not be opened: ${why}`, { cause })
}

/** `what` could not be written, though the store is open. */
export function writeFailed(folder: string, what: string, cause: unknown): MintakaError {
  const message = `${what} could not be written in ${folder}: ${messageOf(cause)}.`
  return new MintakaError('STORE_WRITE_FAILED', message, { cause })
}
