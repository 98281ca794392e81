/**
 * Makes one CommonJS file of what a thread loads. It would be some forty modules, and a thread takes half as long to
 * start this way: docs/decisions/0014.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const workers = new URL('../dist/workers/', import.meta.url)

await build({
  entryPoints: [fileURLToPath(new URL('thread.js', workers))],
  outfile: fileURLToPath(new URL('thread.cjs', workers)),
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifySyntax: true,
  sourcemap: 'linked',
  logLevel: 'warning',
})
