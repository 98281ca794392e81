import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { isDead, thisProcess } from './process-id.js'

/** Makes a folder in the store, and those above it, unless they are there. */
export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true })
}

/**
 * Makes the folder of a store, for its user alone: results and parameters may be secrets. One that is there already stays
 * as it is, and with it who may enter.
 */
export function makeStoreFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
}

// Small files that are there whole or not at all: written under another name, then moved.

/** Replaces a file. `sync`: it survives the loss of power. */
export function replaceFile(path: string, text: string, temporary: string, sync: boolean): void {
  writeWhole(temporary, text, sync)
  try {
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  if (sync) syncFolder(dirname(path))
}

type WithoutLinks = (path: string, text: string, temporary: string) => boolean

/**
 * Makes a file that must not exist yet, in one step for everyone who looks. `false`: somebody else was first. A file
 * system without hard links gets it `withoutLinks`; the default is exclusive, but the text comes a moment after the file.
 */
export function createFile(
  path: string,
  text: string,
  temporary: string,
  withoutLinks: WithoutLinks = createInTwoSteps,
): boolean {
  writeWhole(temporary, text, true)
  try {
    linkSync(temporary, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code === 'ENOENT') throw error
    return withoutLinks(path, text, temporary)
  } finally {
    rmSync(temporary, { force: true })
  }
  syncFolder(dirname(path))
  return true
}

function createInTwoSteps(path: string, text: string): boolean {
  try {
    writeWhole(path, text, false)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Makes a file that must not exist yet. What fails leaves nothing behind. */
export function writeWhole(path: string, text: string | Buffer, sync: boolean): void {
  const fd = openSync(path, 'wx')
  try {
    try {
      writeFileSync(fd, text)
      if (sync) fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  }
}

/** Makes new names in a folder survive the loss of power. Not every system can open a folder; the others need not. */
export function syncFolder(folder: string, fs: FolderFs = { openSync, fsyncSync, closeSync }): void {
  let fd: number
  try {
    fd = fs.openSync(folder, 'r')
  } catch {
    return
  }
  try {
    fs.fsyncSync(fd)
  } catch {
  } finally {
    fs.closeSync(fd)
  }
}

type FolderFs = Pick<typeof import('node:fs'), 'openSync' | 'fsyncSync' | 'closeSync'>

/** The text of a file; `undefined` if there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The names in a folder; none if there is no folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** An id as a name of a file: itself, nearly always. */
export function fileName(id: string): string {
  return /^[\w-]+$/.test(id) ? id : sha256(id)
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A name for a file that is about to be moved. It says whose it is, so that what a dead process left can be told. */
export function temporaryName(): string {
  const { pid, started = '' } = thisProcess()
  return `${whereabouts()}.${pid}.${started}.${randomBytes(6).toString('hex')}`
}

/** Removes what processes of this machine left in the folder of temporary files when they died. */
export function sweepTemporaries(folder: string): void {
  for (const name of namesIn(folder)) {
    const [where, pid, started] = name.split('.')
    if (where !== whereabouts()) continue
    if (isDead({ ...thisProcess(), pid: Number(pid), ...(started && { started }) }))
      rmSync(join(folder, name), { force: true })
  }
}

function whereabouts(): string {
  const { host, machine, namespace } = thisProcess()
  return sha256(`${host} ${machine} ${namespace}`).slice(0, 12)
}
