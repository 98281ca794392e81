/**
 * Module hooks with which a user's file is loaded: TypeScript needs no loader, and `mintaka` is this copy of it, in
 * which the file's flows register. Both kinds of hooks that Node has take these functions.
 */
import { statSync } from 'node:fs'
import type { LoadFnOutput, LoadHookContext, ResolveFnOutput, ResolveHookContext } from 'node:module'
import { fileURLToPath } from 'node:url'
import { compile, isTypeScript, moduleKindOf } from './typescript.js'

/** Where the names of this package lead. */
export const doors = new Map([
  ['mintaka', new URL('../../index.js', import.meta.url).href],
  ['mintaka/testing', new URL('../../testing/index.js', import.meta.url).href],
])

type Next<Context, Output> = (what: string, context?: Context) => Output

export function resolve<Output = ResolveFnOutput>(
  specifier: string,
  context: ResolveHookContext,
  next: Next<ResolveHookContext, Output>,
): Output {
  if (context.conditions.includes('require')) return next(specifier, context) // install.ts sees to those
  return next(doors.get(specifier) ?? typeScriptFor(specifier, context.parentURL) ?? specifier, context)
}

export function load<Output = LoadFnOutput>(
  url: string,
  context: LoadHookContext,
  next: Next<LoadHookContext, Output>,
): Output | LoadFnOutput {
  const file = fileOf(url)
  if (file === undefined || !isTypeScript(file)) return next(url, context)
  // What is CommonJS is left to the loader of CommonJS, which compiles it in turn.
  if (moduleKindOf(file) === 'commonjs') return { format: 'commonjs', source: null as never, shortCircuit: true }
  return { format: 'module', source: compile(file, 'as-written').code, shortCircuit: true }
}

/** The file that `./a.js`, `./a` or `./folder` means in TypeScript. JavaScript that is there wins. */
export function typeScriptFor(specifier: string, parent: string | undefined): string | undefined {
  if (!/^(\.{0,2}\/|file:)/.test(specifier) || parent?.startsWith('file:') === false) return undefined
  const url = new URL(specifier, parent)
  url.search = ''
  url.hash = ''
  const file = fileURLToPath(url)
  if (isFile(file)) return undefined
  return candidates(url.href).find(candidate => isFile(fileURLToPath(candidate)))
}

function candidates(path: string): string[] {
  if (/\.[cm]?jsx?$/.test(path)) return [path.replace(/js(x?)$/, 'ts$1'), path.replace(/\.js$/, '.tsx')]
  const endings = ['.js', '.mjs', '.cjs', '.jsx', '.ts', '.tsx', '.mts', '.cts']
  return [...endings.map(ending => path + ending), ...endings.map(ending => `${path}/index${ending}`)]
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function fileOf(url: string): string | undefined {
  return url.startsWith('file:') ? fileURLToPath(url.replace(/[?#].*$/s, '')) : undefined
}
