import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where a task or flow was defined. */
export interface CallSite {
  /** Path of the file, or what the runtime says instead of one (`[eval]`, `REPL1`). */
  readonly file: string | undefined
  /** Modification time and size of the file when it was first asked for, as `mtimeMs:size`. */
  readonly stamp: string | undefined
  /** Where in the file as it was loaded, for telling definitions apart in this process: loaders move lines. */
  readonly position: number | undefined
}

const sites = new Map<string, Omit<CallSite, 'position'>>()

/**
 * Who called `above`. Cheap enough to be asked for every definition: only the first call of a file touches the disk.
 * A task is found in its file by its name.
 */
export function callSite(above: Function): CallSite {
  const caller = callerOf(above)
  if (caller === undefined) return nowhere
  const { name, position } = caller
  const { file, stamp } = sites.get(name) ?? siteOf(name)
  return { file, stamp, position }
}

function siteOf(name: string) {
  const file = asPath(name)
  const site = { file, stamp: stampOf(file) }
  sites.set(name, site)
  return site
}

/** The state of a file in one word, so that a later change is noticed; undefined when there is no such file. */
export function stampOf(file: string): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats?.isFile() ? `${stats.mtimeMs}:${stats.size}` : undefined
}

const nowhere: CallSite = { file: undefined, stamp: undefined, position: undefined }

/** More than one frame, because a native one (`Array.map`) names no file. */
const framesToSearch = 6

function callerOf(above: Function): { readonly name: string; readonly position: number } | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: NodeJS.CallSite[] } = {}
  try {
    Error.stackTraceLimit = framesToSearch
    Error.prepareStackTrace = (_, frames) => frames
    Error.captureStackTrace(holder, above)
    for (const frame of holder.stack ?? []) {
      const name = frame.getFileName() ?? frame.getScriptNameOrSourceURL()
      if (name) return { name, position: frame.getPosition() }
    }
    return undefined
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

/**
 * Loaders mark versions of a file with a query (`?tsx-namespace=…`, `?v=2`), also behind what is a path else; it is no part of
 * the path. A file that is there by the whole name is that file.
 */
function asPath(name: string): string {
  if (name.startsWith('file:')) {
    const url = new URL(name)
    url.search = ''
    url.hash = ''
    return fileURLToPath(url)
  }
  const query = name.indexOf('?')
  return query > 0 && !existsSync(name) ? name.slice(0, query) : name
}
