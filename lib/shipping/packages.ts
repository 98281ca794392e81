import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Package {
  readonly name: string
  readonly folder: string
}

export function isInPackage(path: string): boolean {
  return /[\\/]node_modules[\\/]/.test(path)
}

/** The package that a file belongs to, by its path. */
export function packageOf(path: string): Package | undefined {
  const [folder, name] = /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/s.exec(path) ?? []
  return folder !== undefined && name !== undefined ? { folder, name: name.replace('\\', '/') } : undefined
}

/** The package that an import names: `@a/b` of `@a/b/c.js`; `undefined` for a path. */
export function packageName(specifier: string): string | undefined {
  return /^(@[^./\\][^/\\]*\/[^/\\]+|[^./\\@#][^/\\:]*)(\/|$)/.exec(specifier)?.[1]
}

const natives = new Map<string, boolean>()

/** Whether a package loads compiled code of its own, which no bundle can hold. */
export function isNative({ folder }: Package): boolean {
  const known = natives.get(folder)
  if (known !== undefined) return known
  const found = saysSo(manifestOf(folder)) || holdsAddon(folder)
  natives.set(folder, found)
  return found
}

interface Manifest {
  readonly gypfile?: unknown
  readonly binary?: unknown
  readonly napi?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function manifestOf(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  } catch {
    return {}
  }
}

/** What only packages with an add-on depend on: what finds the add-on, fetches it or builds it. */
const companions =
  /^(bindings|nan|node-addon-api|node-gyp-build(-optional-packages)?|prebuild-install|(@mapbox\/)?node-pre-gyp)$/

/** `@img/sharp-linux-x64`, `lightningcss-darwin-arm64`, `@esbuild/win32-ia32`: one of them is installed. */
const platform = /[-/.](linux|linuxmusl|darwin|win32|freebsd|android)[-.](x64|arm64|arm|ia32|universal|riscv64)\b/

function saysSo({ gypfile, binary, napi, dependencies = {}, optionalDependencies = {} }: Manifest): boolean {
  const optional = Object.keys(optionalDependencies)
  return (
    gypfile === true ||
    typeof binary === 'object' ||
    typeof napi === 'object' ||
    [...Object.keys(dependencies), ...optional].some(name => companions.test(name)) ||
    optional.some(name => platform.test(name))
  )
}

function holdsAddon(folder: string): boolean {
  try {
    return readdirSync(folder).some(name => name === 'binding.gyp' || name === 'prebuilds' || name.endsWith('.node'))
  } catch {
    return false
  }
}
