import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

test('what a file runs at its top level does not run', async t => {
  const calls = {
    awaited: 'await sum()',
    'not awaited': 'sum().then(() => console.log("ran"))',
    'awaited by its state': 'await sum().wait()',
    'after the import': 'setTimeout(() => sum({ a: 0 }), 1)',
    'on an engine':
      'import { createEngine, MemoryStore } from "mintaka"\nawait createEngine({ store: new MemoryStore() }).run(sum)',
  }
  for (const [name, call] of Object.entries(calls)) {
    const other = `
      import { writeFileSync } from 'node:fs'
      import { flow } from 'mintaka'
      export const sum = flow('sum', () => writeFileSync('ran', ''))
      export const nap = flow('nap', () => new Promise(resolve => setTimeout(resolve, 50)))
      ${call}
      writeFileSync('after', '')
    `
    const folder = t.testdir({ 'file.mjs': other })
    const { code, stderr } = await mintakaIn(folder)('run', 'file.mjs:nap')
    t.equal(code, 0, name + stderr)
    t.notOk(existsSync(join(folder, 'ran')), name)
    t.equal(existsSync(join(folder, 'after')), !call.includes('await'), `${name}: the import ends unless it waits`)
  }
})

test('a file that keeps the process alive and waits for its own flow is loaded all the same', async t => {
  const folder = t.testdir({
    'file.mjs': `
      import { createServer } from 'node:http'
      import { flow } from 'mintaka'
      createServer().listen(0)
      await new Promise(resolve => setTimeout(resolve, 50))
      const main = flow('main', () => 1)
      await main()
    `,
  })
  const { code, stdout } = await mintakaIn(folder)('run', 'file.mjs')
  t.strictSame([code, stdout], [0, '1\n'])
})

test('a flow below an await of a flow is out of reach, and the error says so', async t => {
  const folder = t.testdir({
    'file.mjs': `
      import { flow } from 'mintaka'
      const first = flow('first', () => 1)
      await first()
      const second = flow('second', () => 2)
    `,
  })
  const { code, stderr } = await mintakaIn(folder)('run', 'file.mjs:second')
  t.equal(code, 1)
  t.match(stderr, "There is no flow 'second' in file.mjs. It has first.")
  t.match(stderr, "waits for its call of flow 'first'")
})

test('runs CommonJS files, with and without a main guard', async t => {
  const folder = t.testdir({
    'guarded.cjs': `
      const { flow, task } = require('mintaka')
      const main = flow('main', () => task('one', () => 1)())
      if (require.main === module) main().then(() => console.log('guard'))
    `,
    'bare.cjs': `
      const { flow } = require('mintaka')
      module.exports.main = flow('main', () => 2)
      module.exports.main().then(() => console.log('bare'))
    `,
  })
  const mintaka = mintakaIn(folder)
  t.equal((await mintaka('run', 'guarded.cjs')).stdout, '1\n')
  t.equal((await mintaka('run', 'bare.cjs')).stdout, '2\n')
})

const parts = {
  'other.ts': 'export const one = (x: number): number => x\n',
  'more.ts': 'export enum Kind { Two = 2 }\n',
  'types.ts': 'export interface P { n: number }\n',
}

test('runs TypeScript that imports TypeScript, as a module and as CommonJS', async t => {
  const code = (ending: string) => `
    import { flow, task } from 'mintaka'
    import { one } from './other${ending}'
    import { Kind } from './more'
    import type { P } from './types'
    const add = task('add', (a: number, b: number): number => a + b)
    const sum = flow('sum', (p: P) => add(one(p.n), Kind.Two))
  `
  const folder = t.testdir({
    esm: { 'package.json': '{"type":"module"}', 'main.ts': `${code('.js')}\nawait sum({ n: 0 })`, ...parts },
    cjs: { 'package.json': '{"type":"commonjs"}', 'main.ts': code('.js'), ...parts },
    none: { 'package.json': '{}', 'main.ts': code('.ts'), ...parts },
    mts: { 'package.json': '{}', 'main.mts': `${code('.ts')}\nawait sum({ n: 0 })`, ...parts },
    cts: { 'package.json': '{"type":"module"}', 'main.cts': code(''), ...parts },
  })
  const mintaka = mintakaIn(folder)
  for (const file of ['esm/main.ts', 'cjs/main.ts', 'none/main.ts', 'mts/main.mts', 'cts/main.cts']) {
    const { stdout, stderr } = await mintaka('run', file, '--params', '{"n":40}')
    t.equal(stdout, '42\n', file + stderr)
  }
})

test('a tsconfig.json of the user holds: decorators of the old kind', async t => {
  const folder = t.testdir({
    'base.json': '{ "compilerOptions": { "experimentalDecorators": true } }',
    'tsconfig.json': '{ /* as usual */ "extends": "./base.json" }',
    'main.ts': `
      import { flow } from 'mintaka'
      const seen: string[] = []
      function note(target: object, key: string) { seen.push(key) }
      class A { @note method() {} }
      export const main = flow('main', async () => { new A(); return seen })
    `,
  })
  const { stdout, stderr } = await mintakaIn(folder)('run', 'main.ts')
  t.equal(stdout.replace(/\s/g, ''), '["method"]', stderr)
})

test('a file that does not load shows what it threw', async t => {
  const folder = t.testdir({
    'syntax.ts': 'const a: number = 1\nconst b: = 2\n',
    'throws.mjs': '\nthrow new RangeError("too early")\n',
    common: { 'package.json': '{ "type": "commonjs" }', 'waits.ts': 'await 1\n' },
  })
  const mintaka = mintakaIn(folder)
  const syntax = await mintaka('run', 'syntax.ts')
  t.equal(syntax.code, 1)
  t.match(syntax.stderr, /error: syntax.ts could not be loaded[\s\S]*SyntaxError[\s\S]*syntax.ts:2:10/)
  const common = await mintaka('run', 'common/waits.ts')
  t.match(common.stderr, /SyntaxError: An await at the top level needs a module: npm pkg set type=module/)
  const throws = await mintaka('run', 'throws.mjs')
  t.equal(throws.code, 1)
  t.match(throws.stderr, /RangeError: too early[\s\S]*throws.mjs:2:7/)
})

test("a file's own copy of mintaka gives way to that of the command", async t => {
  const folder = t.testdir({
    node_modules: { mintaka: { 'package.json': '{"main":"index.js"}', 'index.js': 'throw new Error("another copy")' } },
    'main.mjs': "import { flow } from 'mintaka'\nexport default flow('main', () => 1)",
    'main.cjs': "const { flow } = require('mintaka')\nflow('main', () => 1)",
  })
  const mintaka = mintakaIn(folder)
  for (const file of ['main.mjs', 'main.cjs']) t.equal((await mintaka('run', file)).stdout, '1\n')
})

test('finds the deployments of a file, exported or not; else those of the files that it imports', async t => {
  const folder = t.testdir({
    'flows.mjs': "import { flow } from 'mintaka'\nexport const etl = flow('etl', () => 1)",
    'daily.ts': `
      import { deployment } from 'mintaka'
      import { etl } from './flows.mjs'
      deployment('hidden', etl)
      export const daily = deployment('daily', etl, { tags: ['old'] })
      export const again = deployment('daily', etl, { tags: ['new'] })
      await etl()
    `,
    'all.mjs': "import './daily.ts'",
  })
  const load = new URL('../../dist/lib/cli/load/load.js', import.meta.url)
  const script = `
    const { loadFile } = await import('${load}')
    const { deployments } = await loadFile(process.argv[1])
    console.log(JSON.stringify(deployments.map(({ id, tags, file }) => [id, ...tags, file.slice(-8)])))
  `
  for (const file of ['daily.ts', 'all.mjs']) {
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, join(folder, file)])
    const expected = [
      ['etl/hidden', 'daily.ts'],
      ['etl/daily', 'new', 'daily.ts'],
    ]
    t.strictSame(JSON.parse(String(stdout) || 'null'), expected, String(stderr))
  }
})
