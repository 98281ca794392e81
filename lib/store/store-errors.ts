import { statSync } from 'node:fs'
import { dirname } from 'node:path'
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
  const message = `The store in ${folder} could not be opened: ${whyNot(folder, cause)}`
  return new MintakaError('STORE_OPEN_FAILED', message, { cause })
}

/** The files of the store could not be read, or not be made anew: why, and what to do. */
export function filesRefused(folder: string, done: 'read' | 'rebuilt', cause: unknown): MintakaError {
  const code = done === 'read' ? 'STORE_OPEN_FAILED' : 'STORE_WRITE_FAILED'
  return new MintakaError(code, `The store in ${folder} could not be ${done}: ${whyNot(folder, cause)}`, { cause })
}

/** `what` could not be written, though the store is open. */
export function writeFailed(folder: string, what: string, cause: unknown): MintakaError {
  const message = `${what} could not be written in ${folder}: ${messageOf(cause)}.`
  return new MintakaError('STORE_WRITE_FAILED', message, { cause })
}

/** What the system says of a file of the store, in a sentence with advice. */
function whyNot(folder: string, cause: unknown): string {
  const { code, path = folder } = cause as NodeJS.ErrnoException
  const elsewhere = 'or set MINTAKA_HOME (or the folder of the JsonStore) to another folder'
  if (code === 'EEXIST' || code === 'ENOTDIR')
    return `${inTheWay(path)} is in the way: it is not a folder. Move it away, ${elsewhere}.`
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `there is no permission to use ${path}. Give it to this user, ${elsewhere}.`
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `there is no room on the disk of ${folder}. Make room there, ${elsewhere}.`
  return `${messageOf(cause)}.`
}

/** The system names what was to be opened; what is not a folder may be one of those that it should be in. */
function inTheWay(path: string): string {
  const above = dirname(path)
  return above === path || isFolder(above) ? path : inTheWay(above)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false // it is below what is no folder
  }
}
