/**
 * Makes one file of what a thread loads, and one of what the process of a Dask worker loads. Each would be some forty to
 * ninety modules, and takes half as long to start this way: docs/decisions/0014.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const pathOf = name => fileURLToPath(new URL(name, new URL('../dist/workers/', import.meta.url)))

const options = {
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  sourcemap: 'linked',
  logLevel: 'warning',
}

await build({ ...options, entryPoints: [pathOf('thread.js')], outfile: pathOf('thread.cjs'), format: 'cjs' })

// In the place of its own first module, so that whatever it finds by its own URL stays where it is.
const worker = pathOf('dask/main.js')
await build({ ...options, entryPoints: [worker], outfile: worker, format: 'esm', allowOverwrite: true })
