import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Test, test } from 'tap'
import { isMintakaError } from '../../lib/core/errors.js'
import { shipRemote } from '../../lib/shipping/index.js'
import { farMachine } from './fixtures/far.js'
import { source, taskIn } from './fixtures/ship.js'

const head = "import { flow, task, taskContext } from 'mintaka'\n"

/** Packages as they lie in a `node_modules`, one of each kind. */
const packages = {
  'esm-only': {
    'package.json': '{ "type": "module", "exports": { ".": "./index.js", "./add": "./add.js" } }',
    'index.js': "export * from './add.js'\nexport const lazy = () => import('./lazy.js')\nexport default 'esm'",
    'add.js': 'export const add = (a, b) => a + b',
    'lazy.js': 'export const late = 7',
  },
  'common-only': {
    'package.json': '{ "version": "3.2.1", "main": "./lib" }',
    lib: {
      'index.js': `const { EOL } = require('os')
const path = require('path')
const { version } = require('../package.json')
exports.version = version
exports.lines = text => text.split(EOL)
exports.inner = () => require('./inner')()
exports.computed = name => require(name).sep
exports.here = path.basename(__filename) + (typeof __dirname)`,
      'inner.js': "'use strict'\nmodule.exports = () => require('@scope/deep').deep",
    },
  },
  '@scope': { deep: { 'package.json': '{}', 'index.js': 'exports.deep = { yes: true }' } },
  'never-asked': {
    'package.json': '{}',
    'index.js':
      "exports.one = 1 // __dirname\nexports.other = () => require('not-installed-anywhere')\nexports.tools = () => import('./tools.mjs')",
    'tools.mjs': "import 'nor-this'",
  },
}

/** A folder with files and, beside them, packages. */
function projectOf(t: Test, files: Record<string, string>): string {
  const folder = t.testdir({ src: {}, node_modules: packages, 'package.json': '{ "type": "module" }' })
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

async function refusalOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  return isMintakaError(error) ? { code: error.code, message: error.message, line: error.line } : error
}

test('a task runs where there is nothing but Node: TypeScript, enums, captures, JSON, what it imports', async t => {
  const folder = projectOf(t, {
    'src/a.ts': `${head}
import limits from './limits.json' with { type: 'json' }
import { Size, sizeOf } from './size.ts'
const start = await Promise.resolve(100)
enum Level { low = 1, high }
const helper = task('helper', (n: number): number => n + start)
export function factory(k: number) {
  return task('x', async (n: number) => {
    const { twice } = await import('./twice.ts')
    return [n * k, Level[2], sizeOf(n), Size.name, limits.rows, twice(n), helper.fn(1), typeof taskContext]
  }, { captures: { k } })
}
flow('main', () => { throw new Error('not here') })
`,
    'src/size.ts': "export class Size {}\nexport const sizeOf = (n: number) => (n > 2 ? 'big' : 'small')",
    'src/twice.ts': 'export const twice = (n: number): number => 2 * n',
    'src/limits.json': '{ "rows": 1000 }',
  })
  const shipment = await shipRemote(taskIn(join(folder, 'src/a.ts'), 'x', { k: 5 }))
  t.strictSame(shipment.warnings, [])
  const far = await farMachine(t, folder)
  t.strictSame(await far.value({ shipment, captures: { k: 5 }, args: [3] }), [
    15,
    'high',
    'big',
    'Size',
    1000,
    6,
    101,
    'function',
  ])
})

test('packages travel: ES modules, CommonJS that requires, JSON of their own, what they import late', async t => {
  const folder = projectOf(t, {
    'src/a.ts': `${head}
import name, { add, lazy } from 'esm-only'
import { add as again } from 'esm-only/add'
import common from 'common-only'
import { one } from 'never-asked'
task('x', async () => [name, add(1, 2), again === add, (await lazy()).late, common.version, common.lines('a\\nb'),
  common.inner(), common.computed('path'), common.here, one])
`,
  })
  const shipment = await shipRemote(taskIn(join(folder, 'src/a.ts'), 'x'))
  const far = await farMachine(t, folder)
  t.strictSame(await far.value({ shipment }), [
    'esm',
    3,
    true,
    7,
    '3.2.1',
    ['a', 'b'],
    { yes: true },
    '/',
    'index.jsstring',
    1,
  ])
  t.strictSame(shipment.bundle.external, ['nor-this', 'not-installed-anywhere'])
  t.match(shipment.warnings, [/'common-only', which asks where it is installed \(common-only lib\/index.js:8\)/])
  t.equal(shipment.warnings.length, 1)
})

test('zod, semver and yaml travel', async t => {
  const path = source(
    t.testdir({}),
    'a.ts',
    `${head}import { z } from 'zod'
import semver from 'semver'
import { parse } from 'yaml'
const Row = z.object({ id: z.number() })
task('x', (row: unknown) => [Row.parse(row), Row.safeParse({}).success, semver.satisfies('1.2.3', '^1.2'), parse('a: [1]')])`,
  )
  const shipment = await shipRemote(taskIn(path, 'x'))
  const far = await farMachine(t, dirname(path))
  t.strictSame(await far.value({ shipment, args: [{ id: 1 }] }), [{ id: 1 }, false, true, { a: [1] }])
  t.strictSame(shipment.bundle.external, [])
})

test('tasks of a file share one bundle, and on a worker what they share at home', async t => {
  const folder = projectOf(t, {
    'src/db.ts': 'export class Row {}\nexport const db = { id: Math.random(), rows: [] as unknown[] }',
    'src/a.ts': `${head}import { db, Row } from './db.ts'
const cache = new Map<string, Row>([['a', new Row()]])
const loud = boom()
function boom(): number { throw new Error('ran') }
task('put', () => { db.rows.push(cache.get('a')) })
task('get', () => [db.rows.length, db.rows[0] === cache.get('a'), db.rows[0] instanceof Row])
task('loud', () => loud)
function inner(k: number) { task('refused', () => k) }`,
  })
  const path = join(folder, 'src/a.ts')
  const put = await shipRemote(taskIn(path, 'put'))
  const get = await shipRemote(taskIn(path, 'get'))
  t.equal(put.bundle, get.bundle)
  t.equal(await shipRemote(taskIn(path, 'put')), put)
  await t.rejects(shipRemote(taskIn(path, 'refused')), { code: 'CAPTURES_LOCAL' })
  const far = await farMachine(t, folder)
  const loud = await shipRemote(taskIn(path, 'loud'))
  t.equal(loud.bundle, put.bundle)
  t.match(await far.run({ shipment: put }, { shipment: get }, { shipment: loud }), [
    { value: undefined },
    { value: [1, true, true] },
    { error: { message: 'ran' } },
  ])
})

test('a task that cannot be bundled does not keep the others back, nor do those that share a file with it', async t => {
  const folder = projectOf(t, {
    'src/shared.ts': `export const one = () => 1
export const text = () => import.meta.url`,
    'src/a.ts': `${head}import { one, text } from './shared.ts'
import { parseSync } from 'oxc-parser'
import { gone } from './gone.js'
task('fine', () => one())
task('fine too', () => one() + 1)
task('asset', () => text())
task('native', () => parseSync('a.js', ''))
task('missing', () => gone())`,
  })
  const path = join(folder, 'src/a.ts')
  const fine = await shipRemote(taskIn(path, 'fine'))
  const too = await shipRemote(taskIn(path, 'fine too'))
  t.equal(fine.bundle, too.bundle)
  t.match(await refusalOf(shipRemote(taskIn(path, 'asset'))), {
    code: 'ASSET',
    message: /shared.ts:2: import.meta.url/,
  })
  t.match(await refusalOf(shipRemote(taskIn(path, 'native'))), { code: 'NATIVE' })
  t.match(await refusalOf(shipRemote(taskIn(path, 'missing'))), { code: 'BUILD', message: /gone.js/ })
  t.equal(await (await farMachine(t, folder)).value({ shipment: too }), 2)
})

test('a stack names the lines of the user at home', async t => {
  const folder = projectOf(t, {
    'src/helper.ts': "\n\nexport function helper(v: number): never {\n  throw new RangeError('bad value ' + v)\n}",
    'src/a.ts': `${head}
import { helper } from './helper.ts'
import common from 'common-only'
interface Row { readonly v: number }

task('x', (row: Row) => {
  void common.computed('path')
  return helper(row.v)
})`,
  })
  const shipment = await shipRemote(taskIn(join(folder, 'src/a.ts'), 'x'))
  const far = await farMachine(t, folder)
  const [answer] = await far.run({ shipment, args: [{ v: 3 }] })
  const { stack } = (answer as { error: Error }).error
  t.match(stack, /^RangeError: bad value 3\n/)
  t.match(stack, `${join(folder, 'src/helper.ts')}:4:9`)
  t.match(stack, `${join(folder, 'src/a.ts')}:9:10`)
})

test('the same sources give the same hash in any folder, and no code names the folder', async t => {
  const files = {
    'src/sub/shared.ts':
      'import common from "common-only"\nexport const a = () => [common.version, common.computed("path")]',
    'src/a.ts': `${head}import { a } from './sub/shared.ts'
task('x', () => [a(), __dirname], { files: ['./d.json'] })
task('y', () => [a(), import.meta.url], { files: ['./d.json'] })`,
    'src/d.json': '{}',
  }
  const folders = [projectOf(t, files), join(t.testdirName, 'elsewhere', 'and', 'deeper')]
  const [one, two] = await Promise.all(
    folders.map(async (folder, index) => {
      if (index === 1) {
        const { cpSync } = await import('node:fs')
        for (const name of ['src', 'node_modules', 'package.json'])
          cpSync(join(folders[0]!, name), join(folder, name), { recursive: true })
      }
      return shipRemote(taskIn(join(folder, 'src/a.ts'), 'x', undefined, { files: ['./d.json'] }))
    }),
  )
  t.match(one!.bundle.hash, /^[0-9a-f]{64}$/)
  t.equal(one!.bundle.hash, two!.bundle.hash)
  t.strictSame(Object.keys(one!.bundle.files), Object.keys(two!.bundle.files))
  for (const [path, content] of Object.entries(two!.bundle.files)) {
    if (/^task.*map$/.test(path)) t.match(String(content), pathToFileURL(folders[1]!).href)
    else if (!path.endsWith('.map')) t.notMatch(String(content), t.testdirName)
  }
  writeFileSync(join(folders[1]!, 'src/d.json'), '{ "other": 1 }')
  const again = taskIn(join(folders[1]!, 'src/a.ts'), 'y', undefined, { files: ['d.json'] })
  t.not((await shipRemote(again)).bundle.hash, two!.bundle.hash, 'files count')
})

test('files that are listed travel, and code finds them where it is', async t => {
  const options = "{ files: ['./d.json', '../data/x.txt', './templates'] }"
  const folder = projectOf(t, {
    'src/d.json': '{ "d": 1 }',
    'data/x.txt': 'x',
    'src/templates/a.txt': 'A',
    'src/templates/b/b.txt': 'B',
    'src/lib/read.ts': `import { readFileSync } from 'node:fs'
import { join } from 'node:path'
export const read = () => readFileSync(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../d.json'), 'utf8')`,
    'src/lib/old.cjs': `const { readFileSync } = require('node:fs')
exports.old = readFileSync(__dirname + '/../templates/a.txt', 'utf8')`,
    'src/a.ts': `${head}import { readFileSync, readdirSync } from 'node:fs'
import { read } from './lib/read.ts'
import { old } from './lib/old.cjs'
const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
task('x', () => {
  const place = { __dirname }
  return [text('./d.json'), text('../data/x.txt'), readdirSync(new URL('./templates/', import.meta.url)).sort(),
    readFileSync(\`\${__dirname}/templates/b/b.txt\`, 'utf8'), read(), old, place.__dirname === __dirname]
}, ${options})`,
  })
  const files = ['./d.json', '../data/x.txt', './templates']
  const shipment = await shipRemote(taskIn(join(folder, 'src/a.ts'), 'x', undefined, { files }))
  const far = await farMachine(t, folder)
  t.strictSame(await far.value({ shipment }), ['{ "d": 1 }', 'x', ['a.txt', 'b'], 'B', '{ "d": 1 }', 'A', true])
  t.strictSame(
    Object.keys(shipment.bundle.files).filter(path => /^files.*[^/]$/.test(path)),
    ['files/data/x.txt', 'files/src/d.json', 'files/src/templates/a.txt', 'files/src/templates/b/b.txt'],
  )
})

test('a file next to the source that is not listed is refused, with its place', async t => {
  const folder = projectOf(t, {
    'src/d.json': '{}',
    'src/e.json': '{}',
    'src/deep/b.ts': 'export const b = () => [\n  __dirname]',
    'src/a.ts': `${head}import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { b } from './deep/b.ts'
const d = new URL('./d.json', import.meta.url)
task('url', () => readFileSync(d))
task('join', () => join(__dirname, '..', 'x', 'y.txt'))
task('plain', () => import.meta.dirname)
task('other', () => b())
task('listed', () => readFileSync(d), { files: ['./e.json'] })
task('main', () => import.meta.url === 'file://' + process.argv[1] ? import.meta.main : import.meta.env)
if (import.meta.url === '') task('unused', () => 1)`,
  })
  const path = join(folder, 'src/a.ts')
  const ends = (where: string, file: string) =>
    `reads a file next to its source (${where}), which a remote worker doesn't have. ` +
    `Import it, pass its content as an argument, or list it: files: ['${file}'].`
  const expected: [string, string, string][] = [
    ['url', 'a.ts:5: import.meta.url', './d.json'],
    ['join', 'a.ts:7: __dirname', '../x/y.txt'],
    ['plain', 'a.ts:8: import.meta.dirname', './d.json'],
    ['other', 'b.ts:2: __dirname', './d.json'],
  ]
  for (const [name, where, file] of expected) {
    const refusal = await refusalOf(shipRemote(taskIn(path, name)))
    t.match(refusal, { code: 'ASSET', message: `Task '${name}' ${ends(where, file)}` })
  }
  const listed = taskIn(path, 'listed', undefined, { files: ['./e.json'] })
  t.match(await refusalOf(shipRemote(listed)), { code: 'ASSET', message: /files: \['.\/d.json'\]/, line: 10 })
  for (const name of ['main', 'unused']) t.ok(await shipRemote(taskIn(path, name)), name)
})

test('files that cannot travel are refused', async t => {
  const folder = projectOf(t, { 'src/a.ts': `${head}task('x', () => 1)` })
  const refused = (file: string) =>
    refusalOf(shipRemote(taskIn(join(folder, 'src/a.ts'), 'x', undefined, { files: [file] })))
  t.match(await refused('./none.json'), { code: 'ASSET', message: /lists '.\/none.json' in files, but there is no / })
  t.match(await refused('/etc/hosts'), { code: 'ASSET', message: /which is absolute/ })
  writeFileSync(join(folder, 'src/big'), Buffer.alloc(65 * 2 ** 20))
  t.match(await refused('./big'), { code: 'ASSET', message: /lists 65 MiB in files, and no more than 64 travel/ })
})

test('a native package is refused with the way to it', async t => {
  const folder = projectOf(t, {
    'src/img.ts': "import { transform } from 'wraps'\nexport const img = () => transform('', {})",
    'src/a.ts': `${head}import { img } from './img.ts'
import { parseSync } from 'oxc-parser'
import addon from './own.node'
task('far', () => img())
task('near', () => parseSync('a.js', ''))
task('dynamic', async () => import('lightningcss'))
task('own', () => addon)`,
    'src/own.node': '',
    'node_modules/wraps/index.js': "exports.transform = (...a) => require('esbuild').transformSync(...a)",
    'node_modules/wraps/package.json': '{}',
  })
  const refused = (name: string) => refusalOf(shipRemote(taskIn(join(folder, 'src/a.ts'), name)))
  const ends = (name: string) => `which can't be bundled. Install it on the workers and list it: external: ['${name}'].`
  t.match(await refused('far'), {
    code: 'NATIVE',
    message: `Task 'far' needs the native package 'esbuild' (a.ts → img.ts → wraps → esbuild), ${ends('esbuild')}`,
    line: 5,
  })
  t.match(await refused('near'), {
    message: `Task 'near' needs the native package 'oxc-parser' (a.ts → oxc-parser), ${ends('oxc-parser')}`,
  })
  t.match(await refused('dynamic'), { message: /\(a.ts → lightningcss\)/ })
  t.match(await refused('own'), { code: 'NATIVE', message: /the native module 'own.node' \(a.ts → own.node\)/ })
})

test('a native package that others can do without is left out', async t => {
  const folder = projectOf(t, {
    'src/a.ts': `${head}import fast from 'fast'\ntask('x', () => fast)`,
    'node_modules/fast/package.json': '{}',
    'node_modules/fast/index.js': "try { module.exports = require('native') } catch { module.exports = 'slow' }",
    'node_modules/native/package.json': '{ "gypfile": true }',
    'node_modules/native/index.js': "module.exports = 'fast'",
  })
  const shipment = await shipRemote(taskIn(join(folder, 'src/a.ts'), 'x'))
  t.strictSame(shipment.bundle.external, ['native'])
  t.equal(await (await farMachine(t, folder)).value({ shipment }), 'slow')
  t.equal(await (await farMachine(t, folder, join(folder, 'node_modules'))).value({ shipment }), 'fast')
})

test('packages that are listed are found where the worker has them', async t => {
  const there = {
    'worker/late/package.json': '{ "type": "module", "exports": { ".": "./i.js", "./deep": "./deep.js" } }',
    'worker/late/i.js': "import own from 'own'\nexport const late = await Promise.resolve('of the worker, ' + own)",
    'worker/late/deep.js': "import { late } from './i.js'\nexport default late",
    'worker/own/index.js': "module.exports = 'with its own'",
    'worker/old/index.js': "exports.old = 'old of the worker'",
  }
  const options = "{ external: ['late', 'old', '@none/none'] }"
  const folder = projectOf(t, {
    ...there,
    'src/a.ts': `${head}import { late } from 'late'
import deep from 'late/deep'
import { old } from 'old'
import requires from 'requires'
task('x', async () => [late, deep, old, requires()], ${options})
task('y', async () => import('@none/none/sub'), ${options})
task('z', () => late)`,
    'node_modules/requires/package.json': '{}',
    'node_modules/requires/index.js': "module.exports = () => require('old').old.length",
  })
  const lists = { external: ['@none/none', 'old', 'late'] }
  const file = join(folder, 'src/a.ts')
  const x = await shipRemote(taskIn(file, 'x', undefined, lists))
  const y = await shipRemote(taskIn(file, 'y', undefined, lists))
  t.equal(x.bundle, y.bundle, 'the order of a list does not count')
  t.strictSame(x.bundle.external, ['@none/none', 'late', 'old'])
  const far = await farMachine(t, folder, join(folder, 'worker'))
  const values = ['of the worker, with its own', 'of the worker, with its own', 'old of the worker', 17]
  t.match(await far.run({ shipment: x }, { shipment: y }), [{ value: values }, { missing: '@none/none' }])
  const bare = await farMachine(t, folder)
  t.match(await bare.run({ shipment: x }), [{ missing: /late|old/ }])
  t.match(await refusalOf(shipRemote(taskIn(file, 'z'))), { code: 'BUILD', message: /Could not resolve "late"/ })
})

test('a package that asks where it is installed is warned of, and can be given its files', async t => {
  const folder = projectOf(t, {
    'src/a.ts': `${head}import { geo } from 'geo'\nimport geoEsm from 'geo-esm'\ntask('x', () => [geo(), geoEsm()])`,
    'node_modules/geo/package.json': '{}',
    'node_modules/geo/index.js': `const fs = require('fs')
const path = require('path')
exports.geo = () => fs.readFileSync(path.join(__dirname, 'data', 'geo.txt'), 'utf8')`,
    'node_modules/geo/data/geo.txt': 'geo',
    'node_modules/geo-esm/package.json': '{ "type": "module", "exports": "./lib/i.js" }',
    'node_modules/geo-esm/lib/i.js': `import { readFileSync } from 'node:fs'
export default () => readFileSync(new URL('../geo.txt', import.meta.url), 'utf8')`,
    'node_modules/geo-esm/geo.txt': 'esm',
  })
  const path = join(folder, 'src/a.ts')
  const plain = await shipRemote(taskIn(path, 'x'))
  t.match(plain.warnings, [
    /^Task 'x' brings along the package 'geo', which asks where it is installed \(geo index.js:3\)/,
    /\(geo-esm lib\/i.js:2\)/,
  ])
  const files = ['../node_modules/geo/data', '../node_modules/geo-esm/geo.txt']
  const given = await shipRemote(taskIn(path, 'x', undefined, { files }))
  t.strictSame(given.warnings, [])
  const far = await farMachine(t, folder)
  t.strictSame(await far.value({ shipment: given }), ['geo', 'esm'])
  await t.rejects(far.value({ shipment: plain }), { code: 'ENOENT' })
})

test('a task by reference, and one without a file, are refused as for threads', async t => {
  const fn = () => undefined
  const byReference = { name: 'm', fn, source: { type: 'module', url: 'file:///a.js', exportName: 'm' } } as const
  await t.rejects(shipRemote(byReference), { code: 'INVALID_ARGUMENT' })
  await t.rejects(shipRemote(taskIn('[eval]', 'x')), { code: 'NO_FILE' })
})
