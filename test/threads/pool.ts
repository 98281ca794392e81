import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { t as tap, test } from 'tap'
import { ThreadPool } from '../../dist/lib/threads/pool.js'
import { toWire } from '../../dist/lib/values/wire.js'
import { callOf, runIn, taskOf } from './fixtures/calls.js'

const folder = tap.testdir({
  'tasks.mjs': `
    import { threadId } from 'node:worker_threads'
    export const where = () => threadId
    export const options = () => ({ execArgv: process.execArgv, options: process.env.NODE_OPTIONS })
    export const wait = () => new Promise(() => { setTimeout(() => {}, 1e6) })
    export const fail = () => { throw new Error('no') }
  `,
  'made.mjs': `
    let made = 0
    export default captures => { made++; return x => ({ made, sum: (captures.k ?? 0) + x, list: captures.list }) }
  `,
})
const url = (name: string) => pathToFileURL(join(folder, name)).href
const lines: unknown[][] = []
const warn = (...line: unknown[]) => void lines.push(line)

function run(pool: ThreadPool, exportName: string, call = callOf(taskOf(join(folder, 'tasks.mjs'), exportName))) {
  return runIn(pool, call, { key: exportName, taskName: exportName, url: url('tasks.mjs'), exportName })
}

test('a function is made once per thread out of the values that it captured', async t => {
  await using pool = new ThreadPool({ threads: 1, warn })
  const list = new Set([1n])
  const runMade = (key: string, captures: unknown, x: number) => {
    const call = callOf(taskOf(join(folder, 'made.mjs'), 'default'), [x])
    const code = { key, taskName: 'made', url: url('made.mjs'), captures: captures && toWire(captures) }
    return runIn(pool, call, code)
  }
  t.strictSame(await runMade('a#1', { k: 10, list }, 1), { type: 'returned', value: { made: 1, sum: 11, list } })
  t.strictSame(await runMade('a#1', { k: 10, list }, 2), { type: 'returned', value: { made: 1, sum: 12, list } })
  t.strictSame(await runMade('a#2', { k: 20, list }, 1), { type: 'returned', value: { made: 2, sum: 21, list } })
  t.match(await runMade('a', undefined, 1), { type: 'returned', value: { made: 3, sum: 1 } })
})

test('threads start as they are needed, and no more than they may', async t => {
  await using pool = new ThreadPool({ threads: 3, warn })
  const ids = new Set<unknown>()
  for (let time = 0; time < 5; time++) ids.add(((await run(pool, 'where')) as { value: number }).value)
  t.equal(ids.size, 1, 'one after another need one')
  const many = await Promise.all(
    Array.from({ length: 30 }, () => run(pool, 'where') as Promise<{ type: string; value: number }>),
  )
  t.equal(new Set(many.map(outcome => outcome.value)).size, 3)
})

test('a thread without work is given back after idleTimeoutMs', async t => {
  await using pool = new ThreadPool({ threads: 1, idleTimeoutMs: 1, warn })
  const first = ((await run(pool, 'where')) as { value: number }).value
  let next = first
  for (let time = 0; time < 100 && next === first; time++) {
    await new Promise(resolve => setTimeout(resolve, 10))
    next = ((await run(pool, 'where')) as { value: number }).value
  }
  t.not(next, first)
})

test('a thread is started without the loaders and preloads of the main thread', async t => {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] =
    '--import=data:text/javascript, --require "./no such.js" -r ./no.cjs --max-http-header-size=9000'
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  })
  await using pool = new ThreadPool({ threads: 1, warn })
  t.strictSame(await run(pool, 'options'), {
    type: 'returned',
    value: { execArgv: [], options: '--max-http-header-size=9000' },
  })
})

test('threads that cannot start are not started for ever, and the error is told to each who waits', async t => {
  let started = 0
  const count = () => started++
  process.on('worker', count)
  t.teardown(() => process.off('worker', count))
  await using pool = new ThreadPool({ threads: 2, resourceLimits: { maxOldGenerationSizeMb: 4 }, warn })
  const outcomes = await Promise.all(Array.from({ length: 500 }, () => run(pool, 'where')))
  t.ok(outcomes.every(outcome => outcome.type === 'crashed'))
  t.match(outcomes[499], { error: { code: 'WORKER_LOST', message: /^No worker could be started: 3 in a row/ } })
  t.ok(started <= 5, `${started} threads were started`)
})

test('a thread that cannot even start crashes its task instead of leaving it for ever', async t => {
  await using pool = new ThreadPool({ threads: 1, resourceLimits: { maxOldGenerationSizeMb: 4 }, warn })
  for (let time = 0; time < 2; time++) {
    t.match(await run(pool, 'where'), { type: 'crashed', error: { code: 'WORKER_LOST' } })
  }
})

test('a pool that is closed ends what runs and refuses what comes', async t => {
  const pool = new ThreadPool({ threads: 1, warn })
  const running = callOf(taskOf(join(folder, 'tasks.mjs'), 'wait'))
  const outcomes = [run(pool, 'wait', running), run(pool, 'where')]
  await running.begun
  await pool[Symbol.asyncDispose]()
  const closed = { type: 'crashed', error: { code: 'EXECUTOR_CLOSED' } }
  t.match(await Promise.all(outcomes), [closed, closed])
  await t.rejects(run(pool, 'where'), { code: 'EXECUTOR_CLOSED' })
})

test('a process ends by itself when its work has ended, and not before', async t => {
  const script = `
    import { ThreadPool } from ${JSON.stringify(new URL('../../dist/lib/threads/pool.js', import.meta.url).href)}
    const call = { id: '1', name: 'n', attempt: 1, flowRunId: 'f', tags: [], signal: new AbortController().signal, started() {}, log() {}, printed() {}, progress() {} }
    const code = { key: 'k', taskName: 't', url: 'data:text/javascript,export default () => () => new Promise(r => { setTimeout(r, 50, 7) })' }
    const pool = new ThreadPool({ threads: 2, warn() {} })
    pool.run({ call, code, priority: 0, args: [], encodeArgs: () => [], ended: ({ value }) => console.log(value) })
  `
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env,
    timeout: 10_000,
  })
  t.equal(stdout, '7\n')
})
