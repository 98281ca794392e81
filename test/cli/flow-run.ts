import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

interface Run {
  readonly id: string
  readonly name: string
  readonly flowName: string
  readonly state: { readonly type: string; readonly name: string; readonly message?: string }
  readonly taskRuns: (Run & {
    childFlowRun?: Run
    inputs: { runs?: string[] }[]
    states: { error?: { message: string } }[]
  })[]
  readonly states: {
    readonly name: string
    readonly error?: { cause?: { message: string }; message: string; stack: string }
  }[]
  readonly parentFlowRunId?: string
  readonly runCount: number
}

const flows = `
  import { flow, task } from 'mintaka'
  let tries = 0
  const add = task('add', (a, b = 1) => a + b)
  const flaky = task('flaky', () => { if (tries++ < 1) throw new Error('once'); return 1 }, { retries: 1 })
  const fail = task('fail', x => { throw new RangeError('out of reach ' + x, { cause: new Error('the disk') }) })
  export const good = flow('good', p => add(add(p?.n ?? 1), 2), { tags: ['nightly'], executor: undefined })
  const inner = flow('inner', x => add(x))
  export const bad = flow('a-flow-with-a-name-that-is-rather-long', async () => {
    const first = flaky()
    const second = inner(first)
    await fail(second)
  })
`

// Most tests only look: one store serves them all.
const folder = t.testdir({ 'flows.mjs': flows, elsewhere: {} })
const mintaka = mintakaIn(folder)
await mintaka('run', 'flows.mjs:good', '--params', '{"n":5}')
await mintaka('run', 'flows.mjs:bad')

const json = (text: string) => JSON.parse(text)

test('an empty store is no error', async t => {
  const mintaka = mintakaIn(t.testdir())
  const { code, stdout, stderr } = await mintaka('flow-run', 'ls')
  t.strictSame([code, stdout], [0, ''])
  t.match(stderr, 'There are no flow runs yet.')
  t.strictSame(json((await mintaka('flow-run', 'ls', '--json')).stdout), [])
  t.equal((await mintaka('flow-run', 'inspect', 'nobody')).code, 1)
})

test('lists flow runs, newest first, whole when piped', async t => {
  const { stdout } = await mintaka('flow-run', 'ls')
  const [head, ...rows] = stdout.trimEnd().split('\n')
  t.match(head, /^flow +name +id +state +when +duration$/)
  t.equal(rows.length, 3)
  t.match(rows[0], /^inner /)
  t.match(
    rows[1],
    /^a-flow-with-a-name-that-is-rather-long +[a-z]+-[a-z]+ +[0-9a-z]{16} +Failed +(now|\d+ seconds? ago) +\d+ ms$/,
  )
  t.match(rows[2], /^good .* Completed /)
  t.notMatch(stdout, '\u001b', 'no colours when piped')
})

test('a table fits the terminal', async t => {
  for (const columns of [80, 160]) {
    const { stdout } = await mintakaIn(folder, { COLUMNS: String(columns) })('flow-run', 'ls')
    const widest = Math.max(...stdout.split('\n').map(line => line.length))
    t.ok(widest <= columns, `${widest} <= ${columns}`)
    t.equal(stdout.includes('…'), columns === 80)
    t.match(stdout, /[0-9a-z]{16}/, 'ids are never cut')
  }
  const coloured = await mintakaIn(folder, { FORCE_COLOR: '1', COLUMNS: '80' })('flow-run', 'ls')
  t.match(coloured.stdout, '\u001b[31mFailed')
  const plain = await mintakaIn(folder, { FORCE_COLOR: '1', NO_COLOR: '1' })('flow-run', 'ls')
  t.notMatch(plain.stdout, '\u001b')
})

test('filters by flow and by state, by type or name in any case', async t => {
  const names = async (...args: string[]) =>
    json((await mintaka('flow-run', 'ls', '--json', ...args)).stdout).map((run: Run) => run.flowName)
  t.strictSame(await names('--flow-name', 'good', '--flow-name', 'inner'), ['inner', 'good'])
  t.strictSame(await names('--state', 'completed'), ['inner', 'good'])
  t.strictSame(await names('--state', 'FAILED', '--state', 'TimedOut'), ['a-flow-with-a-name-that-is-rather-long'])
  t.strictSame(await names('--limit', '1'), ['inner'])
  t.match((await mintaka('flow-run', 'ls', '--limit', '1')).stderr, 'There are more: --limit')
  t.strictSame(await names('--state', 'crashed'), [])
  const wrong = await mintaka('flow-run', 'ls', '--state', 'broken')
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /there is no state 'broken'[\s\S]*FAILED {5}Failed, TimedOut/)
  t.equal((await mintaka('flow-run', 'ls', '--limit', 'many')).code, 2)
})

test('inspects by id, by the beginning of an id and by name', async t => {
  const [run] = json((await mintaka('flow-run', 'ls', '--flow-name', 'good', '--json')).stdout) as Run[]
  for (const word of [run!.id, run!.id.slice(0, 10), run!.name]) {
    const { code, stdout } = await mintaka('flow-run', 'inspect', word)
    t.equal(code, 0)
    t.match(stdout, `id          ${run!.id}`)
  }
})

test('inspect tells what failed, why and where', async t => {
  const [run] = json((await mintaka('flow-run', 'ls', '--state', 'failed', '--json')).stdout) as Run[]
  const { stdout } = await mintaka('flow-run', 'inspect', run!.id)
  t.match(stdout, /state {7}Failed: out of reach/)
  t.match(stdout, `file        ${join(folder, 'flows.mjs')}`)
  t.match(stdout, /├─ flaky-\w+-0 +Completed +\d+ ms +2\n/, 'attempts')
  t.match(
    stdout,
    /├─ inner [a-z]+-[a-z]+ +Completed +\d+ ms +← flaky-\w+-0\n {2}│ {2}└─ add-\w+-0 +Completed/,
    'subflow',
  )
  t.match(stdout, /└─ fail-\w+-0 +Failed +\d+ ms +out of reach 2 {2}← inner-/)
  t.match(stdout, /Error\n {2}RangeError: out of reach 2\n {6}at .*flows\.mjs:6:\d+/)
  t.match(stdout, /\[cause\]: Error: the disk/)
})

test('inspect --json has it all', async t => {
  const [run] = json((await mintaka('flow-run', 'ls', '--state', 'failed', '--json')).stdout) as Run[]
  const tree = json((await mintaka('flow-run', 'inspect', run!.id, '--json')).stdout) as Run
  t.strictSame(
    tree.states.map(({ name }) => name),
    ['Pending', 'Running', 'Failed'],
  )
  t.match(tree.states.at(-1)?.error?.stack, /flows\.mjs:6/)
  t.equal(tree.states.at(-1)?.error?.cause?.message, 'the disk')
  const [flaky, inner, fail] = tree.taskRuns
  t.equal(flaky?.runCount, 2)
  t.strictSame(inner?.inputs[0]?.runs, [flaky?.id])
  t.match(inner?.childFlowRun, { flowName: 'inner', parentFlowRunId: tree.id, state: { type: 'COMPLETED' } })
  t.equal(fail?.states.at(-1)?.error?.message, 'out of reach 2')
})

test('a word that means several runs lists them; one that means none exits with 1', async t => {
  const folder = t.testdir({
    'twins.mjs': "import { flow } from 'mintaka'\nexport const twin = flow('twin', () => 1).with({ name: 'twins' })",
  })
  const mintaka = mintakaIn(folder)
  await mintaka('run', 'twins.mjs:twin')
  await mintaka('run', 'twins.mjs:twin')
  const several = await mintaka('flow-run', 'inspect', 'twins')
  t.equal(several.code, 1)
  t.equal(several.stderr.match(/ {2}[0-9a-z]{16} {2}twins of flow twin/g)?.length, 2)
  const none = await mintaka('flow-run', 'inspect', 'nobody')
  t.equal(none.code, 1)
  t.match(none.stderr, "There is no flow run 'nobody'")
})

test('looking changes nothing in the store, and --home tells which one', async t => {
  const state = () => {
    const files = readdirSync(join(folder, 'home'), { recursive: true, encoding: 'utf8' }).sort()
    const isFile = (name: string) => statSync(join(folder, 'home', name)).isFile()
    return files.map(name => [name, isFile(name) ? readFileSync(join(folder, 'home', name), 'utf8') : ''])
  }
  const before = state()
  const { stdout } = await mintaka('flow-run', 'ls', '--json')
  await mintaka('flow-run', 'inspect', json(stdout)[0].id)
  t.strictSame(state(), before)
  t.strictSame(json((await mintaka('--home', 'elsewhere', 'flow-run', 'ls', '--json')).stdout), [])
  t.strictSame(json((await mintaka('flow-run', 'ls', '--json', '--home', 'elsewhere')).stdout), [])
  t.strictSame(readdirSync(join(folder, 'elsewhere')), [])
})
