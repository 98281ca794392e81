import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BuildFailure, BuildOptions, Message, OnResolveArgs, OutputFile, Plugin, PluginBuild } from 'esbuild'
import { MintakaError } from '../core/errors.js'
import { isMintaka } from './definitions.js'
import { codeFolder } from './folder.js'
import { hereText, mentionsHere, requireFrom, textKnowingItsPlace } from './here.js'
import { type Modules, modulesOf, specifierOf } from './modules.js'
import type { Slice } from './slice.js'
import { readSource, type Source } from './source.js'
import { languageOf } from './syntax.js'

/** A task as a module on disk: its default export makes the function of what `captures` holds. */
export interface Bundle {
  readonly hash: string
  readonly url: string
}

/**
 * Bundles slices of one file together, so that what they share exists once per worker. A slice that cannot be built
 * does not keep the others back: it gets its own error.
 */
export async function bundle(source: Source, slices: readonly Slice[]): Promise<Map<string, Bundle | MintakaError>> {
  try {
    return await build(source, slices)
  } catch (error) {
    const [only, ...others] = slices
    if (only && others.length === 0) return new Map([[only.name, refusal(only, error)]])
  }
  const alone = await Promise.all(slices.map(slice => bundle(source, [slice])))
  const failed = new Map(alone.flatMap(each => [...each].filter(([, result]) => result instanceof MintakaError)))
  if (failed.size === 0) return new Map(alone.flatMap(each => [...each]))
  const rest = await bundle(
    source,
    slices.filter(({ name }) => !failed.has(name)),
  )
  return new Map([...failed, ...rest])
}

function refusal({ name, source, task }: Slice, error: unknown): MintakaError {
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

async function build(source: Source, slices: readonly Slice[]): Promise<Map<string, Bundle>> {
  const { build: run } = await import('esbuild')
  const modules = modulesOf(source, slices)
  const entryPoints = [...modules.entries.values()].map(id => ({ in: specifierOf(source.file, id), out: id }))
  const { outputFiles } = await run({ ...settings(source), entryPoints, plugins: [slicePlugin(source, modules)] })
  const codes = new Map(outputFiles.filter(isCode).map(file => [basename(file.path, '.mjs'), file]))
  const maps = new Map(outputFiles.filter(file => !isCode(file)).map(file => [basename(file.path, '.mjs.map'), file]))
  const bundles = new Map<string, Bundle>()
  for (const [name, id] of modules.entries) {
    const code = withRequire(codes.get(id)!, source)
    // the name keeps apart the hashes of tasks that read the same, so that each has its own map
    const text = `${code.text}// ${JSON.stringify(name)} of ${source.label}\n`
    const hash = createHash('sha256').update(text).digest('hex')
    bundles.set(name, { hash, url: await write(hash, { ...code, text }, maps.get(id)) })
    codes.delete(id)
  }
  await Promise.all([...codes].map(([id, code]) => write(id, withRequire(code, source), maps.get(id))))
  return bundles
}

function settings({ file }: Source) {
  return {
    bundle: true,
    write: false,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    outdir: codeFolder(),
    outExtension: { '.js': '.mjs' },
    chunkNames: `${createHash('sha256').update(file).digest('hex').slice(0, 12)}-[hash]`,
    absWorkingDir: dirname(file),
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
}

function isCode({ path }: OutputFile): boolean {
  return path.endsWith('.mjs')
}

interface Code {
  readonly text: string
  /** Lines that were put above. */
  readonly shift: number
}

/**
 * A bundle that calls `require` gets one. Only such a bundle: in any other the name may be the user's own, while in
 * this one esbuild has given way.
 */
function withRequire({ text }: OutputFile, { file }: Source): Code {
  if (!/\b__require\b/.test(text)) return { text, shift: 0 }
  return { text: `${requireFrom(file)}\n${text}`, shift: 1 }
}

/** Writes code and, beside it, its map, with the sources by their absolute addresses. */
async function write(name: string, { text, shift }: Code, map: OutputFile | undefined): Promise<string> {
  const path = join(codeFolder(), `${name}.mjs`)
  if (map) await writeFile(`${path}.map`, absoluteMap(map, shift))
  await writeFile(path, `${text}//# sourceMappingURL=${basename(path)}.map\n`)
  return pathToFileURL(path).href
}

function absoluteMap({ path, text }: OutputFile, shift: number): string {
  const map = JSON.parse(text) as { sources: string[]; mappings: string }
  const sources = map.sources.map(name =>
    /^[\w-]{2,}:/.test(name) ? name : pathToFileURL(resolve(dirname(path), name)).href,
  )
  return JSON.stringify({ ...map, sources, mappings: ';'.repeat(shift) + map.mappings })
}

const door = "module.exports = globalThis[Symbol.for('mintaka.door')]"

function slicePlugin(source: Source, { texts }: Modules): Plugin {
  return {
    name: 'mintaka',
    setup(build) {
      build.onResolve({ filter: /.*/ }, args => resolved(args, build))
      build.onLoad({ filter: /.*/, namespace: 'mintaka-door' }, () => ({ contents: door, loader: 'js' }))
      build.onLoad({ filter: /.*/, namespace: 'file' }, async ({ path, suffix }) => {
        const id = /^\?mintaka=(.*)$/.exec(suffix)?.[1]
        if (id === 'here') return { contents: hereText(path), loader: 'js' }
        if (id !== undefined) return { contents: texts.get(id)!, loader: source.language }
        if (path === source.file) return { errors: [{ text: cycle(source) }] }
        return textOf(path)
      })
    },
  }
}

function cycle({ label }: Source): string {
  return `A module that the task uses imports ${label} again. Move what both need to a file of its own.`
}

async function textOf(path: string) {
  if (!/\.[cm]?[jt]sx?$/.test(path)) return undefined
  const code = await readFile(path, 'utf8')
  if (!mentionsHere.test(code)) return undefined
  return { contents: textKnowingItsPlace(await readSource(path, code)), loader: languageOf(path) }
}

/** Mintaka becomes its door, packages stay where they are, and files of the user are bundled. */
async function resolved(args: OnResolveArgs, build: PluginBuild) {
  const { path, kind, importer, resolveDir, pluginData } = args
  // esbuild finds our modules by itself, except where the path of the file looks like a query
  const own = /^(.*[?#].*)(\?mintaka=\w+)$/.exec(path)
  if (own) return { path: own[1]!, suffix: own[2]!, namespace: 'file' }
  if (kind === 'entry-point' || pluginData === 'seen' || isBuiltin(path)) return undefined
  if (isMintaka(path, resolveDir)) return { path: 'mintaka', namespace: 'mintaka-door' }
  if (path.endsWith('.node') && path.startsWith('.')) return { path: resolve(resolveDir, path), external: true }
  if (/^(\.{0,2}\/|\.{1,2}$|data:|[\w-]+:\/\/)/.test(path)) return undefined
  const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: 'seen' })
  if (found.errors.length > 0 || found.external || !/[\\/]node_modules[\\/]/.test(found.path)) return undefined
  const isRequired = kind === 'require-call' || kind === 'require-resolve'
  return { path: isRequired ? found.path : pathToFileURL(found.path).href, external: true }
}
