import { join } from 'node:path'
import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

const esm = `
  import { writeFileSync } from 'node:fs'
  import { flow, task } from 'mintaka'
  const add = task('add', (a, b) => a + b)
  export const sum = flow('sum', p => { writeFileSync('ran', ''); return { total: add(p?.a ?? 1, p?.b ?? 2) } })
`

test('runs the one flow of a file and prints its result as JSON', async t => {
  const folder = t.testdir({ 'sum.mjs': esm })
  const { code, stdout, stderr } = await mintakaIn(folder)('run', 'sum.mjs')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), { total: 3 })
  t.equal(stderr, '')
})

test('hands --params to the flow', async t => {
  const mintaka = mintakaIn(t.testdir({ 'sum.mjs': esm }))
  t.strictSame(JSON.parse((await mintaka('run', 'sum.mjs', '--params', '{"a":20,"b":22}')).stdout), { total: 42 })
  const wrong = await mintaka('run', 'sum.mjs', '--params', '{a:1}')
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, '--params is not JSON')
})

test('prints nothing for undefined, and in words what JSON cannot hold', async t => {
  const folder = t.testdir({
    'results.mjs': `
      import { flow } from 'mintaka'
      export const nothing = flow('nothing', () => {})
      export const map = flow('map', async () => new Map([['a', 10n]]))
    `,
  })
  const mintaka = mintakaIn(folder)
  t.equal((await mintaka('run', 'results.mjs:nothing')).stdout, '')
  t.equal((await mintaka('run', 'results.mjs:map')).stdout, "Map(1) { 'a' => 10n }\n")
})

test('a failing flow shows the stack in the lines of the TypeScript file, and exits with 1', async t => {
  const folder = t.testdir({
    'fails.ts': `
import { flow, task } from 'mintaka'
interface Row { readonly n: number }

const load = task('load', (row: Row): number => {
  throw new TypeError('no row ' + row.n)
})
export const fails = flow('fails', async () => { await load({ n: 7 }) })
`,
  })
  const { code, stdout, stderr } = await mintakaIn(folder)('run', 'fails.ts')
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^TypeError: no row 7\n.*fails\.ts:6:9\)?$/m)
  t.notMatch(stderr, /run-task|node:internal/, 'the way through the library is left out')
})

test('a stack names a file as it is called, whatever letters its folder has, also from a thread', async t => {
  const folder = t.testdir({
    'jürgen #1 100%41': {
      'a.ts': `
import { flow, task } from 'mintaka'
const load = task('load', () => {
  throw new TypeError('no rows')
})
export const fails = flow('fails', () => load())`,
    },
  })
  const file = join('jürgen #1 100%41', 'a.ts')
  for (const executor of ['concurrent', 'parallel']) {
    const { stderr } = await mintakaIn(folder)('run', file, '--executor', executor)
    t.match(stderr, `${join(folder, file)}:4:9`, executor)
  }
})

test('--executor says where tasks run', async t => {
  const folder = t.testdir({
    'where.ts': `
      import { isMainThread } from 'node:worker_threads'
      import { flow, task } from 'mintaka'
      const where = task('where', (n: number) => ({ n, isMainThread }))
      export const main = flow('main', () => [where(1), where(2)])
    `,
  })
  const mintaka = mintakaIn(folder)
  for (const [executor, isMainThread] of [
    ['sequential', true],
    ['concurrent', true],
    ['parallel', false],
  ] as const) {
    const { stdout, stderr } = await mintaka('run', 'where.ts', '--executor', executor)
    t.strictSame(
      JSON.parse(stdout || '0'),
      [
        { n: 1, isMainThread },
        { n: 2, isMainThread },
      ],
      executor + stderr,
    )
  }
  const [last] = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)
  t.equal(last.executor, 'parallel')
  const wrong = await mintaka('run', 'where.ts', '--executor', 'paralel')
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, 'sequential, concurrent, parallel')
})

test('logs plain lines to stderr at the level info, or that of MINTAKA_LOG', async t => {
  const folder = t.testdir({ 'sum.mjs': esm })
  const { stdout, stderr } = await mintakaIn(folder, { MINTAKA_LOG: '' })('run', 'sum.mjs')
  t.match(stderr, /INFO {2}\| Flow run '[a-z-]+' of flow 'sum' begins/)
  t.notMatch(stderr, '\u001b')
  t.strictSame(JSON.parse(stdout), { total: 3 })
  t.equal((await mintakaIn(folder, { MINTAKA_LOG: 'error' })('run', 'sum.mjs')).stderr, '')
})

test('a store that cannot be opened is an error in one sentence', async t => {
  const folder = t.testdir({ 'sum.mjs': esm, home: 'a file' })
  const { code, stderr } = await mintakaIn(folder)('run', 'sum.mjs')
  t.equal(code, 1)
  t.match(stderr, /^error: The store in .*home could not be opened.*\n$/)
})

test('of several flows, the one that the file itself calls is meant', async t => {
  const folder = t.testdir({
    'both.mjs': `
      import { flow } from 'mintaka'
      export const part = flow('part', () => 'part')
      const whole = flow('whole', async () => ({ of: await part() }))
      console.log(await whole())
    `,
  })
  const { code, stdout } = await mintakaIn(folder)('run', 'both.mjs')
  t.equal(code, 0)
  t.strictSame(JSON.parse(stdout), { of: 'part' })
})
