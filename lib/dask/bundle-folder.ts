import { mkdir, mkdtemp, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CodeBundle } from './payload.js'

export interface BundleFolderOptions {
  /** The folder in which there is one for each bundle. No other process may write there. */
  readonly cache: string
  /** Where packages are looked for, each folder with those around it. By itself: the working folder, then Mintaka's. */
  readonly searchFrom?: readonly string[]
}

/**
 * Writes a bundle into a folder of its own, unless it is there, and gives the path of the folder. Packages that are not in
 * the bundle are linked into it, so that `import` and `require` of its code find them as if it were installed beside them.
 */
export async function writeBundle(bundle: CodeBundle, options: BundleFolderOptions): Promise<string> {
  const { cache, searchFrom = [process.cwd(), dirname(fileURLToPath(import.meta.url))] } = options
  const folder = inside(cache, bundle.hash)
  if (await exists(folder)) return folder
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(join(cache, 'draft-'))
  try {
    for (const [path, content] of Object.entries(bundle.files))
      await write(inside(draft, path), path.endsWith('/'), content)
    for (const name of bundle.external) await link(name, inside(join(draft, 'node_modules'), name), searchFrom)
    await moved(draft, folder)
    return folder
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/**
 * The package that an error says is not installed, if it is one of `external`. For the error MISSING_ON_WORKER. It may come
 * from the import of the code, and from an `import()` or a `require` in the function of a task.
 */
export function missingPackage(error: unknown, external: readonly string[]): string | undefined {
  // by the text, because loaders that run beside a thread lose the code of the error
  const { message } = (error ?? {}) as { message?: unknown }
  const specifier = /^Cannot find (?:package|module) '([^']+)'/.exec(String(message))?.[1]
  return external.find(name => specifier === name || specifier?.startsWith(`${name}/`))
}

/** A bundle is what others send: it does not write where it likes. */
function inside(folder: string, path: string): string {
  const full = resolve(folder, path)
  if (full.startsWith(resolve(folder) + sep)) return full
  throw new TypeError(`The path ${JSON.stringify(path)} of a bundle leads out of its folder.`)
}

async function write(path: string, isFolder: boolean, content: string | Uint8Array): Promise<void> {
  await mkdir(isFolder ? path : dirname(path), { recursive: true })
  if (!isFolder) await writeFile(path, content)
}

/** What is not installed is left out: the import of it then says so. */
async function link(name: string, place: string, searchFrom: readonly string[]): Promise<void> {
  const installed = await find(name, searchFrom)
  if (installed === undefined) return
  await mkdir(dirname(place), { recursive: true })
  await symlink(await realpath(installed), place, 'junction')
}

async function find(name: string, searchFrom: readonly string[]): Promise<string | undefined> {
  for (const start of searchFrom) {
    for (let folder = resolve(start), last = ''; folder !== last; last = folder, folder = dirname(folder)) {
      const path = join(folder, 'node_modules', name)
      if (await exists(path)) return path
    }
  }
  return undefined
}

/** Two calls may write the same bundle at once: the first to come stays. */
async function moved(draft: string, folder: string): Promise<void> {
  await rename(draft, folder).catch(async error => {
    if (!(await exists(folder))) throw error
  })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
