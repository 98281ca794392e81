import { basename, dirname, join } from 'node:path'
import type { OnResolveArgs, OnResolveResult, ResolveResult } from 'esbuild'
import type { Build, Destination } from './destination.js'
import { type ListedFiles, readListed } from './listed-files.js'
import type { Lists } from './options.js'
import { isInPackage, isNative, packageName, packageOf } from './packages.js'
import { finishRemote, type RemoteShipment } from './remote-bundle.js'
import type { Source } from './source.js'

/** Workers that have Node and Mintaka and nothing of the user's: packages travel, and of files only what is listed. */
export const machines: Destination<RemoteShipment> = {
  takes: ({ kind }) => kind === 'task',
  listsOf: ({ external, files }) => ({
    external: sorted(external.map(name => packageName(name) ?? name)),
    files: sorted(files),
  }),
  async prepare(source, lists) {
    const listed = await readListed(source.file, lists.files)
    return { build: () => buildOf(source, lists, listed) }
  },
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}

function buildOf({ file }: Source, lists: Lists, listed: ListedFiles): Build<RemoteShipment> {
  const natives = new Map<string, string>()
  return {
    // nothing is written there, but sources are named from there: so not from a folder that this machine alone has
    settings: { outdir: join(dirname(file), '.mintaka'), chunkNames: 'shared-[hash]' },
    requireFrom: 'import.meta.url',
    urlOf: path => `new URL(${JSON.stringify(addressOf(listed.placeOf(path)))},import.meta.url).href`,
    packageAs: (args, found) => packageAs(args, found, lists.external, natives),
    finish: built => finishRemote(built, { lists, listed, natives }),
  }
}

function addressOf(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function packageAs(
  { path, importer }: OnResolveArgs,
  found: ResolveResult,
  external: readonly string[],
  natives: Map<string, string>,
): OnResolveResult | undefined {
  const name = packageName(path)
  if (name !== undefined && external.includes(name)) return { path, external: true }
  if (found.errors.length > 0) {
    // what a package imports and is not there is an error when it is asked for, as at home: many never ask
    return isInPackage(importer) && name !== undefined ? { path, external: true } : undefined
  }
  const native = nativeAt(found.path)
  if (found.external || native === undefined) return undefined
  natives.set(path, native)
  return { path, external: true }
}

/** What cannot be bundled: a package, or an add-on of the user by the name of its file. */
function nativeAt(path: string): string | undefined {
  const found = packageOf(path)
  if (found && isNative(found)) return found.name
  return path.endsWith('.node') ? (found?.name ?? basename(path)) : undefined
}
