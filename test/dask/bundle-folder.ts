import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'tap'
import { missingPackage, writeBundle } from '../../lib/dask/bundle-folder.js'

const asModules = {
  'package.json': '{ "name": "late", "type": "module", "exports": { ".": "./index.js", "./deep": "./deep.js" } }',
  'index.js': "import { own } from 'own'\nexport const late = await Promise.resolve('late ' + own)",
  'deep.js': 'export default 7',
  node_modules: {
    own: { 'package.json': '{ "type": "module", "exports": "./i.js" }', 'i.js': 'export const own = 1' },
  },
}
const asCommon = { '@a': { common: { 'index.js': 'exports.common = __filename' } } }

const bundle = (files: Record<string, string | Uint8Array>, external: string[] = [], hash = 'ab12') => ({
  hash,
  files,
  external,
})

test('a bundle is written once, files and folders, and imported from there', async t => {
  const cache = join(t.testdir({}), 'cache')
  const made = bundle({
    'task0.mjs':
      "import { readFileSync } from 'node:fs'\nexport default () => () => readFileSync(new URL('files/a/b.bin', import.meta.url))",
    'task0.mjs.map': '{}',
    'files/c/d/': '',
    'files/a/b.bin': new Uint8Array([1, 2]),
  })
  const [one, two] = await Promise.all([writeBundle(made, { cache }), writeBundle(made, { cache })])
  t.equal(one, two)
  t.equal(one, join(cache, 'ab12'))
  t.strictSame(readdirSync(cache), ['ab12'])
  const { default: make } = await import(pathToFileURL(join(one, 'task0.mjs')).href)
  t.strictSame([...make()()], [1, 2])
  t.equal(await writeBundle(bundle({}), { cache }), one)
  t.strictSame(readdirSync(join(one, 'files/c/d')), [])
  t.ok(existsSync(join(one, 'task0.mjs.map')))
})

test('packages of the worker are found by import and by require, with what they import themselves', async t => {
  const folder = t.testdir({ cache: {}, app: { node_modules: { late: asModules, ...asCommon }, cwd: {} } })
  const code = `import { createRequire } from 'node:module'
import { late } from 'late'
import deep from 'late/deep'
const require = createRequire(import.meta.url)
export default () => [late, deep, require('@a/common').common]`
  const options = { cache: join(folder, 'cache'), searchFrom: [join(folder, 'app', 'cwd')] }
  const path = await writeBundle(bundle({ 'm.mjs': code }, ['late', '@a/common', 'not-there']), options)
  const { default: run } = await import(pathToFileURL(join(path, 'm.mjs')).href)
  t.strictSame(run(), ['late 1', 7, join(folder, 'app', 'node_modules', '@a', 'common', 'index.js')])
})

test('a package that the worker does not have is known by the error', async t => {
  const cache = join(t.testdir({}), 'cache')
  const code = `import { createRequire } from 'node:module'
export const imported = () => import('@a/none/deep')
export const required = () => createRequire(import.meta.url)('none')
export const other = () => import('another')`
  const external = ['none', '@a/none']
  const path = await writeBundle(bundle({ 'm.mjs': code }, external), { cache, searchFrom: [cache] })
  const { imported, required, other } = await import(pathToFileURL(join(path, 'm.mjs')).href)
  const errorOf = async (fn: () => unknown) => {
    try {
      return await fn()
    } catch (error) {
      return error
    }
  }
  t.equal(missingPackage(await errorOf(imported), external), '@a/none')
  t.equal(missingPackage(await errorOf(required), external), 'none')
  t.equal(missingPackage(await errorOf(other), external), undefined)
  t.equal(missingPackage(new Error("There is no package 'none'"), external), undefined)
  t.equal(missingPackage(undefined, external), undefined)
})

test('a bundle writes nowhere else', async t => {
  const folder = t.testdir({ cache: {} })
  const cache = join(folder, 'cache')
  await t.rejects(writeBundle(bundle({ '../../x': '' }), { cache }), /leads out of its folder/)
  await t.rejects(writeBundle(bundle({}, ['../../x']), { cache }), /leads out of its folder/)
  await t.rejects(writeBundle(bundle({}, [], '../x'), { cache }), /leads out of its folder/)
  await t.rejects(writeBundle(bundle({}, [], '.'), { cache }), /leads out of its folder/)
  t.strictSame([readdirSync(folder), readdirSync(cache)], [['cache'], []])
})
