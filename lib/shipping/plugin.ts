import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { resolve } from 'node:path'
import type { OnResolveArgs, Plugin, PluginBuild } from 'esbuild'
import { isMintaka } from './definitions.js'
import type { Build, Shipped } from './destination.js'
import { commonTextKnowingItsPlace, hereText, mentionsHere, textKnowingItsPlace } from './here.js'
import type { Modules } from './modules.js'
import { isInPackage } from './packages.js'
import { readSource, type Source } from './source.js'
import { languageOf } from './syntax.js'

type Way = Pick<Build<Shipped>, 'urlOf' | 'packageAs'>

const door = "module.exports = globalThis[Symbol.for('mintaka.door')]"

/** Gives esbuild the modules of a slice, and every file that asks where it is the answer. */
export function slicePlugin(source: Source, { texts }: Modules, way: Way): Plugin {
  return {
    name: 'mintaka',
    setup(build) {
      build.onResolve({ filter: /.*/ }, args => resolved(args, build, way))
      build.onLoad({ filter: /.*/, namespace: 'mintaka-door' }, () => ({ contents: door, loader: 'js' }))
      build.onLoad({ filter: /.*/, namespace: 'file' }, async ({ path, suffix }) => {
        const id = /^\?mintaka=(.*)$/.exec(suffix)?.[1]
        if (id === 'here') return { contents: hereText(way.urlOf(path)), loader: 'js' }
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
  const contents = isInPackage(path) ? await packageText(path, code) : textKnowingItsPlace(await readSource(path, code))
  return { contents, loader: languageOf(path) }
}

/** Large files of packages are not read closer than needed. */
async function packageText(path: string, code: string): Promise<string> {
  const mayBeModule = !path.endsWith('.cjs') && (/\.[cm]?tsx?$/.test(path) || /^\s*(import|export)\b/m.test(code))
  if (!mayBeModule) return commonTextKnowingItsPlace(path, code)
  return readSource(path, code).then(textKnowingItsPlace, () => code)
}

/** Mintaka becomes its door, files of the user are bundled, and packages go their way. */
async function resolved(args: OnResolveArgs, build: PluginBuild, way: Way) {
  const { path, kind, importer, resolveDir, pluginData } = args
  // esbuild finds our modules by itself, except where the path of the file looks like a query
  const own = /^(.*[?#].*)(\?mintaka=\w+)$/.exec(path)
  if (own) return { path: resolve(resolveDir, own[1]!), suffix: own[2]!, namespace: 'file' }
  if (kind === 'entry-point' || pluginData === 'seen' || isBuiltin(path)) return undefined
  if (isMintaka(path, resolveDir)) return { path: 'mintaka', namespace: 'mintaka-door' }
  if (/^(data:|[\w-]+:\/\/)/.test(path)) return undefined
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(path) && !path.endsWith('.node')) return undefined
  const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: 'seen' })
  return way.packageAs(args, found)
}
