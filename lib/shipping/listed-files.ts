import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'

/** So much is certainly not meant to travel with code. */
const mostBytes = 64 * 2 ** 20

/** The files that a task lists, read. */
export interface ListedFiles {
  /** By their paths in the bundle. */
  readonly contents: ReadonlyMap<string, Uint8Array>
  /** What keeps them from travelling, as the end of a sentence that begins with the task. */
  readonly problem: string | undefined
  /** Where a file would be in the bundle: files that travel are as far from each other as they are at home. */
  placeOf(path: string): string
  /** Whether code that looks there finds something. */
  covers(path: string): boolean
}

/** Reads what is listed, relative to the file of the task. A folder stands for all that is in it. */
export async function readListed(file: string, listed: readonly string[]): Promise<ListedFiles> {
  const home = dirname(file)
  try {
    const paths = await pathsOf(home, listed)
    const base = listed.map(name => folderAround(home, name)).reduce(commonFolder, home)
    const contents = await Promise.all(paths.map(async path => [place(base, path), await readFile(path)] as const))
    const covers = (path: string) => paths.some(each => each === path || each.startsWith(withEnd(path)))
    return { contents: new Map(contents), problem: undefined, placeOf: path => place(base, path), covers }
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    return { contents: new Map(), problem: error.message, placeOf: path => place(home, path), covers: () => false }
  }
}

class Unusable extends Error {}

async function pathsOf(home: string, listed: readonly string[]): Promise<string[]> {
  const found = await Promise.all(listed.map(name => pathsBelow(home, name)))
  const paths = [...new Set(found.flat())].sort()
  const sizes = await Promise.all(paths.map(async path => (await stat(path)).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  if (bytes <= mostBytes) return paths
  const size = `${Math.ceil(bytes / 2 ** 20)} MiB in files, and no more than ${mostBytes / 2 ** 20} travel with code`
  throw new Unusable(`lists ${size}. Put them where the workers can read them.`)
}

async function pathsBelow(home: string, name: string): Promise<string[]> {
  if (isAbsolute(name)) {
    throw new Unusable(`lists '${name}' in files, which is absolute. Write it relative to the file of the task.`)
  }
  const path = resolve(home, name)
  const stats = await stat(path).catch(() => undefined)
  if (!stats) throw new Unusable(`lists '${name}' in files, but there is no ${path}.`)
  if (!stats.isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath ?? entry.path, entry.name))
}

function folderAround(home: string, name: string): string {
  return dirname(resolve(home, name))
}

function commonFolder(a: string, b: string): string {
  let folder = a
  while (!withEnd(b).startsWith(withEnd(folder))) folder = dirname(folder)
  return folder
}

function withEnd(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep
}

/** What lies outside of `base` is next to nothing that travels, but it needs a place all the same. */
function place(base: string, path: string): string {
  const parts = relative(base, path).split(sep)
  return ['files', ...parts.map(part => (part === '..' ? '__' : part))].join('/')
}
