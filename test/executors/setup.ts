import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Flow, isMintakaError } from 'mintaka'
import { t as tap, test } from 'tap'
import { engineFor } from '../engine/fixtures/engine.js'
import { lineWith, root, runNode } from '../fixtures/project.js'

tap.setTimeout(120_000)

/** A file of a user: what it exports, made anew for each test. */
async function load<T>(t: { testdir(files: Record<string, string>): string }, text: string) {
  const folder = t.testdir({ 'flows.mjs': text })
  const file = join(folder, 'flows.mjs')
  return { folder, file, exported: (await import(pathToFileURL(file).href)) as T }
}

const head = `
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { flow, ParallelExecutor, task } from 'mintaka'
const once = file => { if (existsSync(file)) return false; writeFileSync(file, ''); return true }
const exits = task('exits', () => process.exit(3))
`

test('the setup runs once in each thread, before its first task, and is awaited', async t => {
  const { folder, exported } = await load<{ main: Flow<[string], unknown[]>; executor: AsyncDisposable }>(
    t,
    `${head}
    export const executor = new ParallelExecutor({
      threads: 2,
      setup: async () => {
        await new Promise(resolve => setTimeout(resolve, 20))
        globalThis.model = { thread: threadId, times: (globalThis.model?.times ?? 0) + 1 }
      },
    })
    const ask = task('ask', async () => {
      await new Promise(resolve => setTimeout(resolve, 2))
      return { ...globalThis.model, isOwn: globalThis.model.thread === threadId }
    })
    export const main = flow('main', () => Array.from({ length: 40 }, () => ask()), { executor })`,
  )
  await using _ = exported.executor
  const engine = engineFor(t)
  const answers = [...(await engine.run(exported.main, folder)), ...(await engine.run(exported.main, folder))]
  t.ok(answers.every(answer => (answer as { isOwn: boolean }).isOwn))
  t.ok(answers.every(answer => (answer as { times: number }).times === 1))
})

test('it may be a task, with what that captures', async t => {
  const { exported } = await load<{ main: Flow<[], string>; executor: AsyncDisposable }>(
    t,
    `${head}
    const prepare = level => task('prepare', () => { process.env.LEVEL = level }, { captures: { level } })
    export const executor = new ParallelExecutor({ threads: 1, setup: prepare('fine') })
    const ask = task('ask', () => process.env.LEVEL)
    export const main = flow('main', () => ask(), { executor })`,
  )
  await using _ = exported.executor
  t.equal(await engineFor(t).run(exported.main), 'fine')
})

test('a thread that replaces a lost one is set up too', async t => {
  const { folder, exported } = await load<{ main: Flow<[string], unknown>; executor: AsyncDisposable }>(
    t,
    `${head}
    export const executor = new ParallelExecutor({ threads: 1, setup: () => { globalThis.isReady = true } })
    const ask = task('ask', () => globalThis.isReady)
    export const main = flow('main', async () => {
      const before = await ask()
      const lost = await exits().wait()
      return [before, lost.name, await ask()]
    }, { executor })`,
  )
  await using _ = exported.executor
  t.strictSame(await engineFor(t).run(exported.main, folder), [true, 'Crashed', true])
})

test('a setup that fails crashes the flow run with its error and stack, at once', async t => {
  const { folder, file, exported } = await load<{ main: Flow<[string], unknown>; executor: AsyncDisposable }>(
    t,
    `${head}
    export const executor = new ParallelExecutor({
      threads: 2,
      setup: task('open the model', () => {
        appendFileSync('LOG', 'x')
        throw Object.assign(new RangeError('no model'), { code: 'E_MODEL' })
      }),
    })
    const ask = task('ask', () => 1)
    export const main = flow('main', () => [ask(), ask()], { executor })`.replace('LOG', join(t.testdirName, 'log')),
  )
  await using _ = exported.executor
  const engine = engineFor(t)
  for (const times of [1, 2]) {
    const before = performance.now()
    const run = engine.run(exported.main, folder)
    const state = await run.wait({ timeoutMs: 20_000 })
    t.ok(performance.now() - before < 2000, 'soon')
    t.match(state, { type: 'CRASHED', error: { code: 'EXECUTOR_FAILED', message: /could not start: no model/ } })
    const { cause } = (state as unknown as { error: { cause: Error } }).error
    t.match(cause, { name: 'RangeError', message: 'no model', code: 'E_MODEL' })
    t.match(cause.stack, `flows.mjs:${lineWith("RangeError('no model')", file)}`)
    t.equal(readFileSync(join(folder, 'log'), 'utf8').length, times, 'one thread tried')
  }
})

for (const [what, setup, message] of [
  ['ends its thread', 'process.exit(4)', /worker exited with code: 4/],
  ['fails in the background', "await new Promise(() => setTimeout(() => { throw new Error('later') }))", /later/],
] as const) {
  test(`a setup that ${what} crashes the flow run`, async t => {
    const { exported } = await load<{ main: Flow<[], unknown>; executor: AsyncDisposable }>(
      t,
      `${head}
      export const executor = new ParallelExecutor({ threads: 1, setup: async () => { ${setup} } })
      const ask = task('ask', () => 1)
      export const main = flow('main', () => ask(), { executor })`,
    )
    await using _ = exported.executor
    const state = await engineFor(t).run(exported.main).wait({ timeoutMs: 20_000 })
    t.match(state, { type: 'CRASHED', error: { code: 'EXECUTOR_FAILED', message } })
  })
}

test('a setup that cannot travel crashes the flow run with the reason', async t => {
  const { exported } = await load<{ main: Flow<[], unknown> }>(
    t,
    `${head}
    const make = secret => new ParallelExecutor({ setup: () => secret })
    const ask = task('ask', () => 1)
    export const main = flow('main', () => ask(), { executor: make(1) })`,
  )
  const state = await engineFor(t).run(exported.main).wait({ timeoutMs: 20_000 })
  t.match(state, { type: 'CRASHED', error: { cause: { code: 'CAPTURES_LOCAL', message: /'secret'/ } } })
})

test('where the setup fails later, tasks crash with its error instead of waiting, and another try is another chance', async t => {
  const { folder, exported } = await load<{ main: Flow<[string], unknown>; executor: AsyncDisposable }>(
    t,
    `${head}
    const folder = ${JSON.stringify(t.testdirName)}
    export const executor = new ParallelExecutor({
      threads: 1,
      setup: () => {
        appendFileSync(folder + '/log', 'x')
        if (!once(folder + '/first') && !existsSync(folder + '/fixed')) throw new Error('not again')
      },
    })
    const ask = task('ask', () => 1)
    export const main = flow('main', async () => {
      const names = [(await exits().wait()).name]
      const all = Array.from({ length: 100 }, () => ask())
      for (const future of all) names.push((await future.wait()).name)
      const error = all[0].state.error
      names.push((await ask.with({ retries: 2 })().wait()).name)
      writeFileSync(folder + '/fixed', '')
      return { names: [...new Set(names)], error, after: await ask() }
    }, { executor })`,
  )
  await using _ = exported.executor
  const { names, error, after } = (await engineFor(t).run(exported.main, folder)) as Record<string, unknown>
  t.strictSame(names, ['Crashed'])
  t.ok(isMintakaError(error, 'EXECUTOR_FAILED'))
  t.match(error, { message: /setup .* failed in a new thread: not again/, cause: { message: 'not again' } })
  t.equal(after, 1)
  // The first, one for the hundred, three attempts, the last.
  t.equal(readFileSync(join(folder, 'log'), 'utf8').length, 6)
})

test('a thread that cannot be set up leaves the work to those that could', async t => {
  const { folder, exported } = await load<{ main: Flow<[string], unknown[]>; executor: AsyncDisposable }>(
    t,
    `${head}
    const folder = ${JSON.stringify(t.testdirName)}
    export const executor = new ParallelExecutor({
      threads: 3,
      setup: () => {
        appendFileSync(folder + '/log', 'x')
        if (!once(folder + '/first')) throw new Error('one is enough')
      },
    })
    const ask = task('ask', async x => { await new Promise(resolve => setTimeout(resolve, 2)); return x })
    export const main = flow('main', () => Array.from({ length: 100 }, (_, index) => ask(index)), { executor })`,
  )
  await using _ = exported.executor
  const values = await engineFor(t).run(exported.main, folder)
  t.strictSame(values, [...Array(100).keys()])
  t.ok(readFileSync(join(folder, 'log'), 'utf8').length <= 5, 'no storm')
})

test('a process waits for a setup, and ends by itself after it', async t => {
  const { file } = await load(
    t,
    `${head}
    import { createEngine, MemoryStore } from 'mintaka'
    const executor = new ParallelExecutor({
      threads: 1,
      setup: () => new Promise(resolve => setTimeout(() => { globalThis.isReady = true; resolve() }, 100)),
    })
    const ask = task('ask', () => globalThis.isReady)
    const main = flow('main', () => ask(), { executor })
    export const isScript = process.argv[2] === 'run'
    if (isScript) console.log(await createEngine({ store: new MemoryStore() }).run(main))`,
  )
  const ended = await runNode([file, 'run'], { cwd: root })
  t.match(ended, { code: 0, stdout: 'true\n' })
})
