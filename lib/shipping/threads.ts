import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { OnResolveArgs, OnResolveResult, ResolveResult } from 'esbuild'
import type { Built, Destination, Shipped } from './destination.js'
import { codeFolder } from './folder.js'
import { noLists } from './options.js'
import { isInPackage } from './packages.js'
import type { Source } from './source.js'

/** The code of a task, ready for threads of this process. */
export interface Shipment extends Shipped {
  /** Of the code alone: the same for the same code. */
  readonly hash: string
  /** What a thread imports. The default export is `(captures) => function`. */
  readonly url: string
}

/** Threads of this process see the same disk: packages stay where they are, and so does what a file reads beside itself. */
export const threads: Destination<Shipment> = {
  takes: () => true,
  listsOf: () => noLists,
  prepare: async ({ file }) => ({
    build: () => ({
      settings: { outdir: codeFolder(), chunkNames: `${shortHash(file)}-[hash]` },
      requireFrom: JSON.stringify(file),
      urlOf: path => JSON.stringify(pathToFileURL(path).href),
      packageAs,
      finish,
    }),
  }),
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function packageAs({ path, kind }: OnResolveArgs, found: ResolveResult): OnResolveResult | undefined {
  if (found.errors.length > 0 || found.external) return undefined
  if (!isInPackage(found.path) && !path.endsWith('.node')) return undefined
  const isRequired = kind === 'require-call' || kind === 'require-resolve'
  return { path: isRequired ? found.path : pathToFileURL(found.path).href, external: true }
}

async function finish({ source, entries, codes, maps }: Built): Promise<Map<string, Shipment>> {
  const made = new Map<string, Shipment>()
  const chunks = new Map(codes)
  for (const [name, id] of entries) {
    const { hash, text } = named(name, source, codes.get(id)!)
    made.set(name, { hash, url: await write(hash, text, maps.get(id)), warnings: [] })
    chunks.delete(id)
  }
  await Promise.all([...chunks].map(([id, code]) => write(id, code, maps.get(id))))
  return made
}

/** The name keeps apart the hashes of tasks that read the same, so that each has its own map. */
function named(name: string, { label }: Source, code: string) {
  const text = `${code}// ${JSON.stringify(name)} of ${label}\n`
  return { text, hash: createHash('sha256').update(text).digest('hex') }
}

async function write(name: string, code: string, map: string | undefined): Promise<string> {
  const path = join(codeFolder(), `${name}.mjs`)
  if (map !== undefined) await writeFile(`${path}.map`, map)
  await writeFile(path, `${code}//# sourceMappingURL=${basename(path)}.map\n`)
  return pathToFileURL(path).href
}
