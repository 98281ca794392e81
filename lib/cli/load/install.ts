import * as nodeModule from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as hooks from './hooks.js'
import { doors, typeScriptFor } from './hooks.js'
import { compile } from './typescript.js'

/** What the loader of CommonJS has that its types don't tell. */
interface CommonJs {
  readonly _extensions: Record<string, (module: CommonJsModule, file: string) => void>
  _resolveFilename(specifier: string, parent: { filename?: string | null } | undefined, ...rest: unknown[]): string
}
interface CommonJsModule {
  _compile(code: string, file: string): void
}

/** From Node 22.15 on: hooks in this thread. Before, `register` runs them in a thread of their own. */
interface WithSyncHooks {
  readonly registerHooks?: (functions: typeof hooks) => void
}

let installed = false

/** Lets `import` and `require` load TypeScript and find `mintaka`, from now on in this process. */
export function installHooks(): void {
  if (installed) return
  installed = true
  process.setSourceMapsEnabled(true)
  const { registerHooks } = nodeModule as WithSyncHooks
  if (registerHooks) registerHooks(hooks)
  else nodeModule.register(new URL('./hooks.js', import.meta.url))
  installInCommonJs(nodeModule.default as unknown as CommonJs)
}

function installInCommonJs(commonJs: CommonJs): void {
  for (const ending of ['.ts', '.cts', '.mts', '.tsx', '.jsx']) {
    commonJs._extensions[ending] = (module, file) => module._compile(compile(file, 'cjs').code, file)
  }
  const resolve = commonJs._resolveFilename
  commonJs._resolveFilename = function (specifier, parent, ...rest) {
    const door = doors.get(specifier)
    if (door) return fileURLToPath(door)
    try {
      return resolve.call(this, specifier, parent, ...rest)
    } catch (error) {
      const found = parent?.filename && typeScriptFor(specifier, pathToFileURL(parent.filename).href)
      if (!found) throw error
      return fileURLToPath(found)
    }
  }
}
