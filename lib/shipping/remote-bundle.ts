import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { basename, dirname, posix, relative } from 'node:path'
import type { Metafile } from 'esbuild'
import { type ErrorCode, MintakaError } from '../core/errors.js'
import type { Built, Shipped } from './destination.js'
import { Graph } from './graph.js'
import { isGuarded } from './guarded.js'
import { mentionsHere } from './here.js'
import { Lines } from './lines.js'
import type { ListedFiles } from './listed-files.js'
import type { Lists } from './options.js'
import { packageName, packageOf } from './packages.js'
import { type Question, questionsOf, questionsOfSlice } from './questions.js'
import type { Slice } from './slice.js'
import { readSource, type Source } from './source.js'

/** The code of a task, ready for workers on other machines. */
export interface RemoteShipment extends Shipped {
  /** The same object for all tasks that share it. */
  readonly bundle: RemoteBundle
  /** The file of the bundle that a worker imports for this task. The default export is `(captures) => function`. */
  readonly module: string
}

/** A folder of modules: see `docs/decisions/0015-one-bundle-per-file.md`. */
export interface RemoteBundle {
  /** Of the modules and of the user's files: the same for the same sources on whatever machine. */
  readonly hash: string
  /** What lies in the folder, by path: modules, their source maps, and below `files/` what tasks list. A path that ends in `/` is a folder. */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  /** Packages that the code imports and that are not in it. */
  readonly external: readonly string[]
}

/** What is known beside the output of esbuild. */
interface Plan {
  readonly lists: Lists
  readonly listed: ListedFiles
  /** Names of native packages, by the imports that were left in the code. */
  readonly natives: ReadonlyMap<string, string>
}

/** Makes a bundle of what esbuild has made, and judges for each task whether it can run far away. */
export async function finishRemote(built: Built, plan: Plan): Promise<Map<string, RemoteShipment | MintakaError>> {
  const bundle = bundleOf(built, plan)
  const graph = new Graph(built.metafile, dirname(built.source.file))
  const results = new Map<string, RemoteShipment | MintakaError>()
  for (const slice of built.slices) {
    const id = built.entries.get(slice.name)!
    const refusal =
      refusalOf(slice, 'ASSET', plan.listed.problem === undefined ? [] : [plan.listed.problem]) ??
      refusalOf(slice, 'NATIVE', await nativeSentences(id, graph, plan)) ??
      refusalOf(slice, 'ASSET', await assetSentences(slice, id, graph, plan))
    results.set(
      slice.name,
      refusal ?? { bundle, module: `${id}.mjs`, warnings: await warningsOf(slice, id, graph, plan) },
    )
  }
  return results
}

function bundleOf({ source, codes, maps, metafile }: Built, { lists, listed }: Plan): RemoteBundle {
  const modules = [...codes].map(([id, code]) => [`${id}.mjs`, `${code}//# sourceMappingURL=${id}.mjs.map\n`] as const)
  const folders = listed.contents.size === 0 ? [] : foldersOf(metafile, source, listed)
  const content = [...modules, ...listed.contents, ...folders].sort(([a], [b]) => (a < b ? -1 : 1))
  const mapFiles = [...maps].map(([id, map]) => [`${id}.mjs.map`, map] as const)
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external))
  const packages = imported.flatMap(({ path }) => (isBuiltin(path) ? [] : (packageName(path) ?? [])))
  return {
    hash: hashOf(content),
    files: Object.fromEntries([...content, ...mapFiles]),
    external: [...new Set([...lists.external, ...packages])].sort(),
  }
}

/** `..` leads out of a folder only if the folder is there: so where files travel, the folders of code that asks are too. */
function foldersOf(metafile: Metafile, { file }: Source, listed: ListedFiles): [path: string, content: string][] {
  const asking = new Graph(metafile, dirname(file)).asking()
  return [...new Set(asking.map(each => `${posix.dirname(listed.placeOf(each))}/`))].map(path => [path, ''])
}

function hashOf(files: readonly (readonly [path: string, content: string | Uint8Array])[]): string {
  const hash = createHash('sha256')
  for (const [path, content] of files) hash.update(`${path.length}:${path}:${content.length}:`).update(content)
  return hash.digest('hex')
}

/** `sentences` go on after the name of the task. */
function refusalOf({ name, source, task }: Slice, code: ErrorCode, sentences: readonly string[]) {
  if (sentences.length === 0) return undefined
  const text = sentences.map(sentence => `Task '${name}' ${sentence}`).join('\n')
  return new MintakaError(code, text, { task: name, file: source.file, line: task.line })
}

async function nativeSentences(id: string, graph: Graph, { natives }: Plan): Promise<string[]> {
  const sentences = new Map<string, string>()
  for (const { chain, edge } of graph.externalsFrom(id)) {
    const native = natives.get(edge.path)
    if (native === undefined || sentences.has(native) || (await isGuarded(chain.at(-1)!, edge.path))) continue
    sentences.set(native, nativeSentence(native, [...chain.map(labelOf), native]))
  }
  return [...sentences.values()]
}

function nativeSentence(name: string, labels: readonly string[]): string {
  const way = labels.filter((label, index) => label !== labels[index - 1]).join(' → ')
  if (!name.endsWith('.node')) {
    return (
      `needs the native package '${name}' (${way}), which can't be bundled. ` +
      `Install it on the workers and list it: external: ['${name}'].`
    )
  }
  return (
    `needs the native module '${name}' (${way}), which can't be bundled. ` +
    'Make it a package, install that on the workers, and list it in external.'
  )
}

function labelOf(file: string): string {
  return packageOf(file)?.name ?? basename(file)
}

async function assetSentences(slice: Slice, id: string, graph: Graph, { listed }: Plan): Promise<string[]> {
  const { source } = slice
  const others = graph.askingFrom(id).filter(file => file !== source.file && !packageOf(file))
  const questions = await Promise.all(others.map(async file => questionsOf(await sourceOf(file))))
  const all = [...questionsOfSlice(slice), ...questions.flat()]
  const open = all.filter(({ target }) => (target === undefined ? listed.contents.size === 0 : !listed.covers(target)))
  return open.map(question => assetSentence(question, source.file))
}

async function sourceOf(file: string) {
  return readSource(file, await readFile(file, 'utf8'))
}

function assetSentence({ label, line, text, target }: Question, file: string): string {
  const path = target === undefined ? './d.json' : relative(dirname(file), target).replace(/^(?!\.\.)/, './')
  const place = `${label}:${line}: ${text}`
  return (
    `reads a file next to its source (${place}), which a remote worker doesn't have. ` +
    `Import it, pass its content as an argument, or list it: files: ['${path}'].`
  )
}

/** Packages may ask where they are without ever reading anything there. */
async function warningsOf({ name }: Slice, id: string, graph: Graph, { listed }: Plan): Promise<string[]> {
  const places = new Map<string, string[]>()
  for (const file of graph.askingFrom(id)) {
    const found = packageOf(file)
    if (!found || listed.covers(found.folder)) continue
    const path = relative(found.folder, file)
    const where = (await linesAsking(file)).map(line => `${found.name} ${path}:${line}`)
    if (where.length > 0) places.set(found.name, [...(places.get(found.name) ?? []), ...where])
  }
  return [...places].map(
    ([each, where]) =>
      `Task '${name}' brings along the package '${each}', which asks where it is installed (${shortened(where)}). ` +
      `If it reads files there, install it on the workers and list it: external: ['${each}'].`,
  )
}

/** Files so large are searched, not read closer. */
const mostCharacters = 500_000

async function linesAsking(file: string): Promise<number[]> {
  const code = await readFile(file, 'utf8')
  const source = code.length < mostCharacters ? await readSource(file, code).catch(() => undefined) : undefined
  if (source) return questionsOf(source).map(({ line }) => line)
  const lines = new Lines(code)
  return [...code.matchAll(new RegExp(mentionsHere, 'g'))].map(({ index }) => lines.lineOf(index))
}

function shortened(places: readonly string[]): string {
  const unique = [...new Set(places)]
  return unique.slice(0, 3).join(', ') + (unique.length > 3 ? `, and ${unique.length - 3} more` : '')
}
