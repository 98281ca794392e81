import { basename, dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BuildFailure, BuildOptions, Message, OutputFile } from 'esbuild'
import { MintakaError } from '../core/errors.js'
import type { Build, Prepared, Shipped } from './destination.js'
import { modulesOf } from './modules.js'
import { slicePlugin } from './plugin.js'
import type { Slice } from './slice.js'
import type { Source } from './source.js'

/**
 * Bundles slices of one file together, so that what they share exists once per worker. A slice that cannot be built
 * does not keep the others back: it gets its own error.
 */
export async function bundle<Code extends Shipped>(
  source: Source,
  slices: readonly Slice[],
  prepared: Prepared<Code>,
): Promise<Map<string, Code | MintakaError>> {
  const together = await build(source, slices, prepared.build()).catch((error: unknown) => failures(slices, error))
  const doubtful = slices.filter(({ name }) => together.get(name) instanceof MintakaError)
  if (slices.length < 2 || doubtful.length === 0) return together
  // what is wrong with one may look as if it were wrong with those that share code with it
  const alone = await Promise.all(doubtful.map(slice => bundle(source, [slice], prepared)))
  const sure = new Map(alone.flatMap(results => [...results]))
  const failed = [...sure].filter(([, result]) => result instanceof MintakaError)
  if (failed.length === 0) return new Map([...together, ...sure])
  const names = new Set(failed.map(([name]) => name))
  const rest = slices.filter(({ name }) => !names.has(name))
  return new Map([...failed, ...(rest.length > 0 ? await bundle(source, rest, prepared) : [])])
}

function failures(slices: readonly Slice[], error: unknown): Map<string, MintakaError> {
  return new Map(slices.map(slice => [slice.name, failure(slice, error)]))
}

function failure({ name, source, task }: Slice, error: unknown): MintakaError {
  const [first] = isBuildFailure(error) ? error.errors : []
  const reason = first ? sentence(first) : String(error)
  return new MintakaError('BUILD', `Task '${name}' can't be prepared for workers: ${reason}`, {
    cause: error,
    task: name,
    file: source.file,
    line: task.line,
  })
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

function sentence({ text, location, pluginName }: Message): string {
  const place = location
    ? `${basename(location.file).replace(/\?.*/, '')}:${location.line}:${location.column + 1} `
    : ''
  const said = text.startsWith(`[plugin: ${pluginName}] `) ? text.slice(`[plugin: ${pluginName}] `.length) : text
  const full = /[.!?]$/.test(said) ? said : `${said}.`
  const hint = /^Could not resolve "[^./]/.test(said) ? ' If it is a path alias, add it to tsconfig paths.' : ''
  return place + full + hint
}

async function build<Code extends Shipped>(source: Source, slices: readonly Slice[], way: Build<Code>) {
  const { build: run } = await import('esbuild')
  const modules = modulesOf(source, slices)
  const { entries } = modules
  const entryPoints = [...entries.values()].map(id => ({ in: `${source.file}?mintaka=${id}`, out: id }))
  const plugins = [slicePlugin(source, modules, way)]
  const { outputFiles, metafile } = await run({
    ...common,
    absWorkingDir: dirname(source.file),
    ...way.settings,
    entryPoints,
    plugins,
  })
  const codes = new Map<string, string>()
  const maps = new Map<string, string>()
  for (const file of outputFiles.filter(isCode)) {
    const id = basename(file.path, '.mjs')
    const head = headOf(file, way)
    codes.set(id, head + file.text)
    const map = outputFiles.find(({ path }) => path === `${file.path}.map`)
    if (map) maps.set(id, absoluteMap(map, head === '' ? 0 : 1))
  }
  return way.finish({ source, slices, entries, codes, maps, metafile })
}

const common = {
  bundle: true,
  write: false,
  metafile: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outExtension: { '.js': '.mjs' },
  sourcemap: 'external',
  sourcesContent: false,
  keepNames: true,
  // a line that runs at home runs on the worker, whatever a package.json says of side effects
  ignoreAnnotations: true,
  // packages are found as Node finds them: without the conditions and fields that are meant for bundlers
  conditions: [],
  mainFields: ['main'],
  logLevel: 'silent',
} as const satisfies BuildOptions

function isCode({ path }: OutputFile): boolean {
  return path.endsWith('.mjs')
}

/**
 * A module that calls `require` gets one. Only such a module: in any other the name may be the user's own, while in this
 * one esbuild has given way.
 */
function headOf({ text }: OutputFile, { requireFrom }: Build<Shipped>): string {
  if (!/\b__require\b/.test(text)) return ''
  return `import{createRequire as $require}from'node:module';const require=$require(${requireFrom});\n`
}

/** With the sources by their addresses, and moved down by the lines that were put above. esbuild writes parts of addresses, not paths. */
function absoluteMap({ path, text }: OutputFile, shift: number): string {
  const map = JSON.parse(text) as { sources: string[]; mappings: string }
  const addressOf = (name: string) => (/^[a-z]:[\\/]/i.test(name) ? `file:///${name}` : name)
  const sources = map.sources.map(name => new URL(addressOf(name), pathToFileURL(path)).href)
  return JSON.stringify({ ...map, sources, mappings: ';'.repeat(shift) + map.mappings })
}
