import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createEngine, type EngineOptions, flow, MemoryStore } from 'mintaka'
import { test } from 'tap'

const wrong: [string, unknown][] = [
  ['store', {}],
  ['store', 'memory'],
  ['logger', { log() {} }],
  ['logLevel', 'loud'],
  ['maxFlowDepth', 0],
  ['surroundings', 1],
]
for (const [option, value] of wrong) {
  test(`the option ${option} of createEngine cannot be ${JSON.stringify(value)}`, async t => {
    t.throws(() => createEngine({ [option]: value } as EngineOptions), {
      code: 'INVALID_OPTION',
      option,
      message: new RegExp(`^The option '${option}' of createEngine should be `),
    })
  })
}

test('an option that does not exist is refused', async t => {
  t.throws(() => createEngine({ sotre: new MemoryStore() } as EngineOptions), {
    code: 'INVALID_OPTION',
    message: /^createEngine has no option 'sotre'\. It has: store, /,
  })
})

test('engine.run takes a flow', async t => {
  await using engine = createEngine({ store: new MemoryStore() })
  t.throws(() => engine.run((() => 1) as never), { code: 'INVALID_ARGUMENT', message: /what flow\(…\) gave/ })
  t.throws(
    () =>
      engine.run(
        flow('f', () => 1),
        undefined,
        { retires: 1 } as object,
      ),
    { code: 'INVALID_OPTION' },
  )
})

test('a flow that names an engine runs there', async t => {
  await using engine = createEngine({ store: new MemoryStore() })
  const f = flow('f', () => 1, { engine })
  t.equal(await f(), 1)
  t.equal(await flow('g', () => 2).with({ engine })(), 2)
  t.equal((await engine.flowRuns.list()).length, 2)
})

const script = (body: string) => `
  import { flow, task } from 'mintaka'
  const one = task('one', () => 1)
  ${body}`
const run = (t: { testdir(): string }, body: string, env: NodeJS.ProcessEnv = {}) => {
  const home = join(t.testdir(), 'home')
  const options = { env: { ...process.env, MINTAKA_HOME: home, MINTAKA_LOG: undefined, ...env }, timeout: 20_000 }
  return { home, child: promisify(execFile)(process.execPath, ['--input-type=module', '-e', script(body)], options) }
}

test('without an engine flows run on the default one, which keeps its store in MINTAKA_HOME and closes by itself', async t => {
  const { home, child } = run(t, "console.log(await flow('f', () => one())())")
  t.strictSame(await child, { stdout: '1\n', stderr: '' })
  t.ok(existsSync(home))
})

test('a file that only defines flows opens no store', async t => {
  const { home, child } = run(t, "flow('f', () => one())")
  t.strictSame(await child, { stdout: '', stderr: '' })
  t.notOk(existsSync(home))
})

test('the level of the log on stderr is MINTAKA_LOG, else warn', async t => {
  const failing = "await flow('f', () => { throw new Error('no') })().wait()"
  const { stderr } = await run(t, failing).child
  t.match(stderr, /^\d\d:\d\d:\d\d\.\d{3} \| ERROR \| Flow run '[a-z]+-[a-z]+' finished in state Failed: no\n$/)
  t.equal((await run(t, failing, { MINTAKA_LOG: 'silent' }).child).stderr, '')
  t.match((await run(t, failing, { MINTAKA_LOG: 'INFO' }).child).stderr, /\| INFO {2}\| Flow run .* begins\n/)
})

test('a flow that fails unwatched at the top level ends the process with its error', async t => {
  const { child } = run(t, "flow('f', () => { throw new Error('boom of the flow') })()", { MINTAKA_LOG: 'silent' })
  const error = (await child.then(
    () => ({}),
    error => error,
  )) as { code?: number; stderr?: string }
  t.equal(error.code, 1)
  t.match(error.stderr, /boom of the flow/)
})

test('signal handlers are never installed', async t => {
  const before = ['SIGINT', 'SIGTERM'].map(signal => process.listenerCount(signal))
  await using engine = createEngine({ store: new MemoryStore() })
  await engine.run(flow('f', () => 1))
  t.strictSame(
    ['SIGINT', 'SIGTERM'].map(signal => process.listenerCount(signal)),
    before,
  )
})
