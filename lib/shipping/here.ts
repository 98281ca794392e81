import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Patch } from './blank.js'
import { isModuleName, type Source } from './source.js'

/** The module that tells the code of `file` where it came from, whatever folder it runs in. */
export function hereText(file: string): string {
  const url = pathToFileURL(file).href
  const folder = dirname(file)
  return `
    import { createRequire } from 'node:module'
    import { pathToFileURL } from 'node:url'
    export const __filename = ${JSON.stringify(file)}, __dirname = ${JSON.stringify(folder)}
    export const exports = {}, module = { exports, id: __filename, filename: __filename, children: [], paths: [] }
    const url = ${JSON.stringify(url)}
    const resolve = name => {
      const path = createRequire(url).resolve(name)
      return path.startsWith('/') ? pathToFileURL(path).href : path
    }
    export const meta = { url, filename: __filename, dirname: __dirname, resolve, main: false }
  `
}

/** A name that the file does not use, of the length of `import.meta`: then no column moves. */
export function metaName(code: string): string {
  const names = ['import_meta', 'import$meta', 'importMeta_', 'importMeta$', '_importMeta']
  return names.find(name => !code.includes(name)) ?? '$importMeta'
}

/** Each `import.meta` of a file as a plain name. */
export function metaPatches({ code, metas }: Source): Patch[] {
  const name = metaName(code)
  return metas.map(({ start, end }) => ({ start, end, text: name.padEnd(end - start) }))
}

export const mentionsHere = /import\s*\.\s*meta|__dirname|__filename/

/** The text of another file of the user that is bundled along, knowing where it was. */
export function textKnowingItsPlace(source: Source): string {
  const { code, file, isModule, references, metas } = source
  const asked = references.filter(({ name, binding }) => !binding && isModuleName(name) && name.startsWith('__'))
  if (!isModule)
    return patched(
      code,
      asked.map(({ start, end, name }) => ({ start, end, text: place(file, name) })),
    )
  const names = [...new Set(asked.map(({ name }) => name))]
  if (metas.length > 0) names.push(`meta as ${metaName(code)}`)
  if (names.length === 0) return code
  return withLastLine(
    patched(code, metaPatches(source)),
    `import{${names}}from${JSON.stringify(`${file}?mintaka=here`)}`,
  )
}

function place(file: string, name: string): string {
  return JSON.stringify(name === '__dirname' ? dirname(file) : file)
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

/** What a `require` of a computed name sees: what the file itself would. */
export function requireFrom(file: string): string {
  return `import{createRequire as $require}from'node:module';const require=$require(${JSON.stringify(file)});`
}
