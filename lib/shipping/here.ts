import { basename } from 'node:path'
import type { Patch } from './blank.js'
import type { Source } from './source.js'
import { type Node, typed } from './syntax.js'

/**
 * The module that tells the code of a file where it is. `url` is an expression for its address. Everything is found out
 * when it is asked for, so that the module is left out where nothing of it is used.
 */
export function hereText(url: string): string {
  return `
    import { createRequire } from 'node:module'
    import { dirname } from 'node:path'
    import { fileURLToPath, pathToFileURL } from 'node:url'
    const url = () => ${url}
    const resolve = name => {
      const path = createRequire(url()).resolve(name)
      return path.startsWith('/') ? pathToFileURL(path).href : path
    }
    let meta
    export const here = {
      get file() { return fileURLToPath(url()) },
      get dir() { return dirname(here.file) },
      get meta() { return meta ??= { url: url(), filename: here.file, dirname: here.dir, resolve, main: false } },
    }
    export const exports = {}
    export const module = { exports, get id() { return here.file }, get filename() { return here.file }, children: [], paths: [] }
  `
}

/** How a file imports the module that tells it where it is: by no path that is of this machine alone. */
export function hereOf(file: string): string {
  return `./${basename(file)}?mintaka=here`
}

/** A name that the file does not use, short enough that no column moves where it takes the place of another. */
export function hereName(code: string): string {
  const names = ['here$', '$here', 'her$e', 'h$ere', 'he$re', 'here_', '_here', 'h_ere', 'he_re', 'her_e']
  return names.find(name => !code.includes(name)) ?? '$h_e$'
}

/** Each question of a file where it is: `import.meta`, `__dirname` and `__filename`. */
export function questionsIn({ metas, references }: Source): Node[] {
  const names = references.filter(({ name, binding }) => !binding && (name === '__dirname' || name === '__filename'))
  return [...metas, ...names.map(({ node }) => node)].sort((a, b) => a.start - b.start)
}

/** The same, asked of the module that knows. */
export function herePatches(source: Source): Patch[] {
  const here = hereName(source.code)
  return questionsIn(source).map(node => {
    const { start, end, parent } = node
    const member = node.type === 'MetaProperty' ? 'meta' : isNamed(node, '__dirname') ? 'dir' : 'file'
    const isShorthand = parent?.type === 'Property' && parent.shorthand
    const key = isShorthand ? `${source.code.slice(start, end)}:` : ''
    return { start, end, text: `${key}${here}.${member}`.padEnd(end - start) }
  })
}

function isNamed(node: Node, name: string): boolean {
  return node.type === 'Identifier' && node.name === name
}

/** The property that is asked of an `import.meta`; `undefined` if all of it is taken. */
export function askedOf(meta: Node): string | undefined {
  const { parent } = typed(meta)
  if (parent?.type !== 'MemberExpression' || parent.computed) return undefined
  return parent.property.type === 'Identifier' ? parent.property.name : undefined
}

export const mentionsHere = /import\s*\.\s*meta|__dirname|__filename/

/** The text of another file that is bundled along, knowing where it is. */
export function textKnowingItsPlace(source: Source): string {
  const { code, file, isModule } = source
  if (!isModule) return commonTextKnowingItsPlace(file, code)
  if (questionsIn(source).length === 0) return code
  const line = `import{here as ${hereName(code)}}from${JSON.stringify(hereOf(file))}`
  return withLastLine(patched(code, herePatches(source)), line)
}

/** CommonJS gives these names to the function around a file. */
export function commonTextKnowingItsPlace(file: string, code: string): string {
  const names = `var{dir:__dirname,file:__filename}=require(${JSON.stringify(hereOf(file))}).here;`
  return names + code.replace(/^#!.*/, '')
}

function patched(code: string, patches: readonly Patch[]): string {
  let text = ''
  let position = 0
  for (const patch of patches) {
    text += code.slice(position, patch.start) + patch.text
    position = patch.end
  }
  return text + code.slice(position)
}

const mapComment = /\n?\/\/[#@]\s*sourceMappingURL=\S+\s*$/

/** The comment that names a source map has to stay the last line. */
export function withLastLine(code: string, line: string): string {
  const comment = mapCommentOf(code)
  return `${code.replace(mapComment, '')}\n${line}\n${comment}`
}

export function mapCommentOf(code: string): string {
  return mapComment.exec(code)?.[0].trim() ?? ''
}
