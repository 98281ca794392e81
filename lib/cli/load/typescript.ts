import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import type { BuildFailure, BuildResult } from 'esbuild'

/** JavaScript made of a TypeScript file. */
export interface Compiled {
  readonly code: string
  /** Whether it has import or export statements. */
  readonly isModule: boolean
}

export function isTypeScript(path: string): boolean {
  return /\.([cm]?ts|tsx|jsx)$/.test(path) && !path.endsWith('.d.ts')
}

/**
 * The JavaScript of a TypeScript file, by the tsconfig.json that covers it, with its map inside: stacks show lines of
 * the original. Throws a SyntaxError that names the line.
 */
export function compile(file: string, format: 'as-written' | 'cjs'): Compiled {
  // Loaded here, and by `require`: module hooks are synchronous, and few files need it.
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild')
  try {
    const result = buildSync({
      entryPoints: [file],
      absWorkingDir: dirname(file),
      bundle: false,
      write: false,
      metafile: true,
      sourcemap: 'inline',
      platform: 'node',
      target: 'node20',
      logLevel: 'silent',
      ...(format === 'cjs' && { format }),
    }) as BuildResult<{ write: false; metafile: true }>
    const [input] = Object.values(result.metafile.inputs)
    return { code: result.outputFiles[0]?.text ?? '', isModule: input?.format === 'esm' }
  } catch (error) {
    throw syntaxError(file, error as BuildFailure, format)
  }
}

function syntaxError(file: string, failure: BuildFailure, format: string): unknown {
  const [first] = failure.errors ?? []
  if (!first?.location) return failure
  const { line, column, lineText } = first.location
  const isAwait = format === 'cjs' && /top-level await/i.test(first.text)
  const text = isAwait ? `An await at the top level needs a module: ${asModule}` : first.text
  const error = new SyntaxError(text)
  const place = `${file}:${line}:${column + 1}`
  error.stack = `SyntaxError: ${text}\n    at ${place}\n\n${lineText}\n${' '.repeat(column)}^`
  return error
}

const asModule = 'npm pkg set type=module makes the files of a package modules; one that ends with .mts is one anyway.'

/** How a TypeScript file is to be loaded: by its ending, by its package, else by how it is written. */
export function moduleKindOf(file: string): 'module' | 'commonjs' {
  const extension = extname(file)
  if (extension === '.mts') return 'module'
  if (extension === '.cts') return 'commonjs'
  return packageType(dirname(file)) ?? (compile(file, 'as-written').isModule ? 'module' : 'commonjs')
}

function packageType(folder: string): 'module' | 'commonjs' | undefined {
  const path = join(folder, 'package.json')
  if (existsSync(path)) {
    const { type } = JSON.parse(readFileSync(path, 'utf8')) as { type?: string }
    return type === 'module' || type === 'commonjs' ? type : undefined
  }
  const parent = dirname(folder)
  return parent === folder ? undefined : packageType(parent)
}
