import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TaskSource } from '../core/executor.js'

/**
 * The version of a flow whose options name none: a hash of its source file, or `undefined` where there is no file to
 * read. Read once per file and process.
 */
export function versionOf(file: string | undefined): string | undefined {
  return file === undefined ? undefined : sourceOf(file)?.version
}

/**
 * What a task is called on every machine: a hash of its file relative to the project, its name and its declared tags. A
 * compiled file counts as the source that its map names, so that `dist/a.js` and `src/a.ts` agree.
 */
export function taskKeyOf(file: string | undefined, name: string, tags: readonly string[]): string {
  return taskKeyAt((file && sourceOf(file)?.path) ?? file ?? '', name, tags)
}

/** The same for a path that is relative to the project. */
export function taskKeyAt(path: string, name: string, tags: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([path, name, [...tags].sort()]))
    .digest('hex')
    .slice(0, 16)
}

/** What the path of a file in its project may be or have been: the file, and the project, may not be there any more. */
export function pathsOf(file: string): readonly string[] {
  const names = file.split(sep).filter(name => name !== '')
  const suffixes = names.map((_, index) => names.slice(index).join('/'))
  return [sourceOf(file)?.path ?? file, file, ...suffixes]
}

/** The file that defines a task, if it is in one. */
export function fileOf(source: TaskSource): string | undefined {
  if (source.type === 'slice') return source.file
  return source.type === 'module' && source.url.startsWith('file:') ? fileURLToPath(source.url) : undefined
}

interface Source {
  readonly version: string
  /** Relative to the project, with forward slashes. */
  readonly path: string
}

const sources = new Map<string, Source | undefined>()

function sourceOf(file: string): Source | undefined {
  if (!sources.has(file)) sources.set(file, read(file))
  return sources.get(file)
}

function read(file: string): Source | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  const original = originalOf(file, text)
  const path = relative(projectOf(original), original).split(sep).join('/')
  return { version: createHash('sha256').update(text).digest('hex').slice(0, 12), path }
}

/** The one source of a compiled file, by its map beside it; else the file itself. */
function originalOf(file: string, text: string): string {
  const url = /\/\/[#@] sourceMappingURL=(\S+)\s*$/.exec(text)?.[1]
  if (url === undefined) return file
  try {
    const inline = /^data:application\/json[^,]*;base64,(.*)$/.exec(url)?.[1]
    const json = inline ? Buffer.from(inline, 'base64').toString() : readFileSync(join(dirname(file), url), 'utf8')
    const { sources, sourceRoot = '' } = JSON.parse(json) as { sources: string[]; sourceRoot?: string }
    return sources.length === 1 ? resolve(dirname(file), sourceRoot, sources[0] ?? '') : file
  } catch {
    return file
  }
}

/** The nearest folder upwards that has a package.json; else the file's own folder. */
function projectOf(file: string): string {
  let folder = dirname(file)
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) return dirname(file)
    folder = parent
  }
  return folder
}
