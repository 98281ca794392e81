import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInThisContext } from 'node:vm'
import { test } from 'tap'
import typescript from 'typescript'
import { callSite, ship } from '../../lib/shipping/index.js'
import { door, shipped, source, taskIn } from './fixtures/ship.js'

const head = `import { task, flow } from 'mintaka'\n`

test('tasks of one file share the modules they import', async t => {
  const folder = t.testdir({ 'db.ts': 'export class Row {}\nexport const db = { id: Math.random(), row: new Row() }' })
  const path = source(
    folder,
    'a.ts',
    `${head}import { db, Row } from './db.ts'\ntask('a', () => db)\ntask('b', (v: unknown) => [v === db, db.row instanceof Row])`,
  )
  const a = await shipped(path, 'a')
  const b = await shipped(path, 'b')
  t.strictSame(b(a()), [true, true])
})

test('tasks of one file share what the file declares itself', async t => {
  const path = source(
    t.testdir({}),
    'a.ts',
    `${head}const cache = new Map()\nclass Odd extends Error {}\ntask('put', (k: string) => { cache.set(k, new Odd(k)) })
task('get', (k: string) => { if (!cache.has(k)) cache.set(k, 0); return [cache.size, cache.get(k) instanceof Odd, cache.get(k).constructor.name] })`,
  )
  const put = await shipped(path, 'put')
  const get = await shipped(path, 'get')
  put('a')
  t.strictSame(get('a'), [1, true, 'Odd'])
})

test('tasks of one file share a variable that they assign', async t => {
  const path = source(
    t.testdir({}),
    'a.ts',
    `${head}let count = 0\nfunction next() { return ++count }\ntask('up', () => next())\ntask('up2', () => next() + 10)`,
  )
  const up = await shipped(path, 'up')
  const up2 = await shipped(path, 'up2')
  t.strictSame([up(), up2(), up()], [1, 12, 3])
})

test('a task runs no line of the file that only others need', async t => {
  const code = `${head}const shared = () => 1\nconst loud = boom()\nfunction boom(): number { throw new Error('ran') }
task('loud', () => [shared(), loud])\ntask('x', () => shared())`
  const path = source(t.testdir({}), 'a.ts', code)
  t.equal((await shipped(path, 'x'))(), 1)
  await t.rejects(shipped(path, 'loud'), { message: 'ran' })
})

test('the top level of a file does not run', async t => {
  const code = `${head}import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
const main = flow('main', async () => square(3))
const square = task('x', (n: number) => n * n)
globalThis.topLevelRan = true
createServer().listen(1)
createInterface({ input: process.stdin }).question('?', () => process.exit(1))
setTimeout(() => process.exit(2))
console.log(await main())
main().finally(() => process.exit(3))
await new Promise(() => {})
throw new Error('top level')
`
  const run = await shipped(source(t.testdir({}), 'a.ts', code), 'x')
  t.equal(run(3), 9)
  t.notOk('topLevelRan' in globalThis)
})

test('a flow that a task names does not bring its body along', async t => {
  const code = `${head}const f = flow('f', () => missing(), { executor: new Missing() })\ntask('x', () => f())`
  const run = await shipped(source(t.testdir({}), 'a.ts', code), 'x')
  t.throws(() => run(), { code: 'FLOW_IN_TASK' })
})

test('a task may call the function of a flow, which then comes along', async t => {
  const code = `${head}const twice = (n: number) => n * 2
const f = flow('f', (n: number) => twice(n), { executor: new Missing() })\ntask('x', (n: number) => f.fn(n))`
  const path = source(t.testdir({}), 'a.ts', code)
  Object.assign(door, { flow: (_: string, fn: unknown) => ({ fn }) })
  t.equal((await shipped(path, 'x'))(4), 8)
})

test('a helper that only prints is not called again by the worker', async t => {
  const code = `${head}const said = (text: string) => globalThis.process.emit('said' as any, text)
said('at the top level')\ntask('x', () => said('in the task'))`
  const heard: unknown[] = []
  const hear = (text: unknown) => heard.push(text)
  process.on('said' as 'exit', hear)
  t.teardown(() => process.off('said' as 'exit', hear))
  const run = await shipped(source(t.testdir({}), 'a.ts', code), 'x')
  run()
  t.strictSame(heard, ['in the task'])
})

test('an alias of tsconfig brings a file of the user along, and a package stays where it is', async t => {
  const folder = t.testdir({
    'tsconfig.json': '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
    src: { 'k.ts': 'export const k: number = 4' },
    node_modules: {
      both: {
        'package.json': '{ "exports": { "import": "./i.mjs", "require": "./r.cjs", "module": "./bundlers.js" } }',
        'i.mjs': 'export const how = "imported"',
        'r.cjs': 'exports.how = "required"',
      },
    },
  })
  const path = source(
    folder,
    'a.ts',
    `${head}import { k } from '@/k'\nimport { how } from 'both'\ntask('x', () => [k, how, require('both').how])`,
  )
  t.strictSame((await shipped(path, 'x'))(), [4, 'imported', 'required'])
})

test('a file of CommonJS is imported as Node does', async t => {
  const folder = t.testdir({
    'package.json': '{ "type": "module" }',
    'c.cjs': 'exports.__esModule = true; exports.default = 5; exports.named = 6',
  })
  const code = `${head}import c, { named } from './c.cjs'\ntask('x', () => [c.default, named])`
  t.strictSame((await shipped(source(folder, 'a.ts', code), 'x'))(), [5, 6])
})

test('a task is shipped once, whoever asks and however often', async t => {
  const path = source(t.testdir({}), 'a.ts', `${head}task('x', () => 1)\ntask('y', () => 1)`)
  const [first, second, other] = await Promise.all([
    ship(taskIn(path, 'x')),
    ship(taskIn(path, 'x')),
    ship(taskIn(path, 'y')),
  ])
  t.equal(first, second)
  t.not(first.hash, other.hash, 'tasks that read the same keep their own maps')
  t.match(first.hash, /^[0-9a-f]{64}$/)
  t.equal(statSync(dirname(fileURLToPath(first.url))).mode & 0o777, 0o700)
})

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** What a plain Node process prints that ships the tasks of a file and runs them. */
function printed(folder: string, file: string, body: string): string {
  const script = `
    import { pathToFileURL } from 'node:url'
    import { ship } from ${JSON.stringify(new URL('../../lib/shipping/index.ts', import.meta.url).href)}
    import { statSync } from 'node:fs'
    process.setSourceMapsEnabled(true)
    globalThis[Symbol.for('mintaka.door')] = { task: (name, fn) => Object.assign((...args) => fn(...args), { fn }), flow() {} }
    const file = ${JSON.stringify(join(folder, file))}
    const { mtimeMs, size } = statSync(file)
    const load = async name => {
      const source = { type: 'slice', file, stamp: mtimeMs + ':' + size, captures: undefined, external: [], files: [] }
      return (await import((await ship({ name, fn() {}, source })).url)).default()
    }
    ${body}`
  const path = join(folder, 'run.mjs')
  writeFileSync(path, script)
  return execFileSync(process.execPath, ['--import', 'tsx', path], { cwd: repository, encoding: 'utf8' })
}

const frames = `
  for (const name of ['x', 'nested']) {
    const run = await load(name)
    try { run(1) } catch (error) { console.log(error.stack.split('\\n').slice(1).filter(line => !line.includes('run.mjs')).join('\\n')) }
  }`

const thrower = `import { task, flow } from 'mintaka'
import { check } from './check.ts'

interface Row { a: number }
const main = flow('main', async () => {
  const nested = task('nested', (n: number) => {
    throw new RangeError('n' + n)
  })
})
enum Level { Low, High }
export const x = task('x', (n: number) => fail(n as Level)), y = 2
function fail(n: Level) { const row: Row = { a: 1 }; check(row.a + n) }
`

const checker = `export type T = string

export function check(n: number): void { throw new RangeError('bad ' + n) }
`

const expected = [
  ['check', 'check.ts:3:48'],
  ['fail', 'main.ts:12:54'],
  ['', 'main.ts:11:43'],
  ['', 'main.ts:7:11'],
]

function placesIn(stack: string): string[] {
  return [...stack.matchAll(/([\w.-]+:\d+:\d+)\)?$/gm)].map(([, place]) => place!)
}

test('a stack names the lines and columns of the user', async t => {
  const folder = t.testdir({ 'main.ts': thrower, 'check.ts': checker })
  t.strictSame(
    placesIn(printed(folder, 'main.ts', frames)),
    expected.map(([, place]) => place),
  )
})

for (const inline of [false, true]) {
  test(`a stack names the TypeScript of a compiled file, its map ${inline ? 'inside' : 'beside it'}`, async t => {
    const folder = t.testdir({ src: {}, dist: {}, 'package.json': '{ "type": "module" }' })
    for (const [name, text] of [
      ['main', thrower],
      ['check', checker],
    ] as const)
      compile(folder, name, text, inline)
    t.strictSame(
      placesIn(printed(folder, 'dist/main.js', frames)).map(place => place.replace(/:\d+$/, '')),
      expected.map(([, place]) => place!.replace(/:\d+$/, '')),
    )
  })
}

function compile(folder: string, name: string, text: string, inline: boolean): void {
  const fileName = `../src/${name}.ts`
  const { ES2022: target } = typescript.ScriptTarget
  const maps = inline ? { inlineSourceMap: true } : { sourceMap: true }
  const compilerOptions = {
    target,
    module: typescript.ModuleKind.ES2022,
    rewriteRelativeImportExtensions: true,
    ...maps,
  }
  const { outputText, sourceMapText } = typescript.transpileModule(text, { fileName, compilerOptions })
  writeFileSync(join(folder, 'dist', `${name}.js`), outputText)
  const map = { ...JSON.parse(sourceMapText ?? '{}'), sources: [fileName] }
  if (!inline) writeFileSync(join(folder, 'dist', `${name}.js.map`), JSON.stringify(map))
}

test('nothing is left behind when the process ends', async t => {
  const folder = t.testdir({ 'main.ts': thrower, 'check.ts': checker })
  const where = printed(
    folder,
    'main.ts',
    `process.env.TMPDIR = ${JSON.stringify(folder)}; await load('x'); const { readdirSync } = await import('node:fs')
    console.log(readdirSync(process.env.TMPDIR).filter(name => name.startsWith('mintaka-')).length)`,
  )
  t.equal(where.trim(), '1')
  t.strictSame(
    readdirSync(folder).filter(name => name.startsWith('mintaka-')),
    [],
  )
})

test('a definition knows the file it is in', async t => {
  const define = () => callSite(define)
  const here = define()
  t.equal(here.file, fileURLToPath(import.meta.url))
  t.equal(here.stamp, (({ mtimeMs, size }) => `${mtimeMs}:${size}`)(statSync(here.file!)))
  const other = [1].map(() => define())[0]
  t.match(other, { file: here.file, stamp: here.stamp })
  t.ok(other!.position! > here.position!)
})

test('a definition in eval says where it is', async t => {
  const run = (filename: string) => {
    const define = () => callSite(define)
    return runInThisContext('define => define()', { filename })(define)
  }
  t.strictSame(run('[eval]'), { file: '[eval]', stamp: undefined, position: 10 })
  t.strictSame(run('REPL1'), { file: 'REPL1', stamp: undefined, position: 10 })
  t.equal(run('file:///a%20b/c.mjs?v=2#x').file, '/a b/c.mjs')
  t.equal(run('/a b/c.ts?tsx-namespace=1').file, '/a b/c.ts')
})

test('a file whose name looks as if it had a query is found', async t => {
  const file = join(t.testdir({ 'what?': { 'a?v=2.cjs': '' } }), 'what?', 'a?v=2.cjs')
  const define = () => callSite(define)
  t.equal(runInThisContext('define => define()', { filename: file })(define).file, file)
})

test('finding the file of a definition leaves stack traces as they were', async t => {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  t.teardown(() => {
    Error.stackTraceLimit = stackTraceLimit
  })
  const define = () => callSite(define)
  t.equal(define().file, fileURLToPath(import.meta.url))
  t.equal(Error.stackTraceLimit, 0)
  t.equal(Error.prepareStackTrace, prepareStackTrace)
})
