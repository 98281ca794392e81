import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { flow, ParallelExecutor as Parallel, task } from 'mintaka'
import { t as tap, test } from 'tap'
import { ParallelExecutor } from '../../dist/lib/executors/parallel.js'
import type { Outcome } from '../../lib/core/executor.js'
import { engineFor } from '../engine/fixtures/engine.js'
import { root, runNode } from '../fixtures/project.js'
import { callOf, surroundings, taskOf } from '../threads/fixtures/calls.js'
import { type OpenSession, sessionOf } from './fixtures/session.js'
import { tasksIn } from './fixtures/tasks.js'

tap.setTimeout(120_000)
const tasks = tasksIn(tap)
const run = (session: OpenSession, name: string, ...args: unknown[]): Promise<Outcome> =>
  session.submit(callOf(taskOf(tasks, name), args))
const threadOf = async (session: OpenSession) => ((await run(session, 'where')) as { value: number }).value

async function inSession<T>(executor: ParallelExecutor, body: (session: OpenSession) => Promise<T>): Promise<T> {
  const session = await sessionOf(executor)
  try {
    return await body(session)
  } finally {
    await session[Symbol.asyncDispose]()
  }
}

test('the threads of a definition stay warm from one flow run to the next', async t => {
  await using executor = new ParallelExecutor({ threads: 1 })
  const first = await inSession(executor, threadOf)
  t.equal(await inSession(executor, threadOf), first)
})

test('flow runs that overlap share the threads, and the end of one leaves the calls of others alone', async t => {
  await using executor = new ParallelExecutor({ threads: 1, cancelGraceMs: 0 })
  const one = await sessionOf(executor)
  const other = await sessionOf(executor)
  const running = callOf(taskOf(tasks, 'waits'))
  const ended = one.submit(running)
  await running.begun
  const waiting = Promise.all([run(one, 'double', 1), run(other, 'double', 2), run(one, 'double', 3)])
  await one[Symbol.asyncDispose]()
  t.strictSame(await ended, { type: 'stopped' })
  t.strictSame(await waiting, [{ type: 'stopped' }, { type: 'returned', value: 4 }, { type: 'stopped' }])
  t.match(await run(other, 'double', 5), { value: 10 })
  await t.rejects(run(one, 'double', 6), { code: 'EXECUTOR_CLOSED' })
  await other[Symbol.asyncDispose]()
})

test('close() ends the threads at once, whatever runs; the definition stays good', async t => {
  const executor = new ParallelExecutor({ threads: 1 })
  await executor.close()
  const session = await sessionOf(executor)
  const thread = await threadOf(session)
  const running = callOf(taskOf(tasks, 'spins'))
  const ended = session.submit(running)
  const waiting = run(session, 'double', 1)
  await running.begun
  await Promise.all([executor.close(), executor.close()])
  for (const outcome of [await ended, await waiting, await run(session, 'double', 2)]) {
    t.match(outcome, { type: 'crashed', error: { code: 'EXECUTOR_CLOSED' } })
  }
  await session[Symbol.asyncDispose]()
  t.not(await inSession(executor, threadOf), thread)
  await executor[Symbol.asyncDispose]()
})

test('a thread without work ends after idleTimeoutMs, and the next call has a new one', async t => {
  await using executor = new ParallelExecutor({ threads: 1, idleTimeoutMs: 1 })
  const first = await inSession(executor, threadOf)
  let next = first
  for (let time = 0; time < 100 && next === first; time++) {
    await new Promise(resolve => setTimeout(resolve, 10))
    next = await inSession(executor, threadOf)
  }
  t.not(next, first)
})

/** What is handed to a thread that has yet to start waits for it: no matter of turns. */
async function startBoth(session: OpenSession): Promise<void> {
  const calls = [1, 2].map(() => callOf(taskOf(tasks, 'waits')))
  const ended = calls.map(call => session.submit(call))
  await Promise.all(calls.map(({ begun }) => begun))
  for (const { controller } of calls) controller.abort()
  await Promise.all(ended)
}

test('a flow run of ten tasks beside one of ten thousand does not wait for them all', async t => {
  await using executor = new ParallelExecutor({ threads: 2 })
  await using large = await sessionOf(executor)
  await using small = await sessionOf(executor)
  await startBoth(large)
  // Longer than it takes to make the calls: many have ended by then.
  const many = 10_000
  let done = 0
  const all = Array.from({ length: many }, async (_, index) => {
    await run(large, 'spinsFor', index % 2)
    done += 1
  })
  const few = await Promise.all(Array.from({ length: 10 }, (_, index) => run(small, 'double', index)))
  t.ok(done < many / 2, `${done} of ${many} had ended`)
  t.strictSame(
    few.map(outcome => (outcome as { value: number }).value),
    Array.from({ length: 10 }, (_, index) => index * 2),
  )
  await large[Symbol.asyncDispose]()
  await Promise.all(all)
})

test('flows that name the class share one definition', async t => {
  const engine = engineFor(t)
  const here = task('here', async () => (await import('node:worker_threads')).threadId)
  const one = flow('one', () => here(), { executor: Parallel })
  const other = flow('other', () => here(), { executor: Parallel })
  const threads = new Set<number>()
  for (let time = 0; time < 4; time++) threads.add(await engine.run(time % 2 ? one : other))
  t.equal(threads.size, 1)
})

test('definitions that are used once do not fill the memory with warm threads', async t => {
  process.env['MINTAKA_THREADS'] = '1'
  t.teardown(() => delete process.env['MINTAKA_THREADS'])
  const executors = Array.from({ length: 5 }, () => new ParallelExecutor({ threads: 1 }))
  t.teardown(() => Promise.all(executors.map(executor => executor.close())))
  const before: number[] = []
  for (const executor of executors) before.push(await inSession(executor, threadOf))
  const last = executors.at(-1) as ParallelExecutor
  t.equal(await inSession(last, threadOf), before.at(-1), 'the last one is warm')
  t.not(await inSession(executors[0] as ParallelExecutor, threadOf), before[0], 'the first one is not')
})

test('ten thousand flow runs leave nothing behind', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await using executor = new ParallelExecutor({ threads: 1 })
  const thread = await inSession(executor, threadOf)
  const listeners = () => process.eventNames().map(name => process.listenerCount(name))
  const before = listeners()
  const around: WeakRef<object>[] = []
  for (let time = 0; time < 10_000; time++) {
    const own = { ...surroundings(), flowRunId: `flow-${time}` }
    around.push(new WeakRef(own.log))
    const session = await sessionOf(executor, own)
    if (time % 100 === 0) await run(session, 'double', time)
    await session[Symbol.asyncDispose]()
  }
  collect()
  await new Promise(resolve => setImmediate(resolve))
  collect()
  t.ok(around.filter(log => log.deref()).length <= 2, 'no log is held but the last')
  t.strictSame(listeners(), before)
  t.equal(await inSession(executor, threadOf), thread)
})

test('a script ends by itself at once, with threads still warm', async t => {
  const script = `
    import { flow, MemoryStore, createEngine, ParallelExecutor, task } from 'mintaka'
    const double = task('double', x => x * 2)
    const main = flow('main', () => [1, 2, 3].map(x => double(x)), { executor: new ParallelExecutor({ threads: 2 }) })
    const engine = createEngine({ store: new MemoryStore() })
    console.log((await engine.run(main)).join())
    console.log((await engine.run(main)).join())
    const last = Date.now()
    process.on('exit', () => console.log(Date.now() - last))
  `
  const file = join(t.testdir({ 'script.mjs': script }), 'script.mjs')
  const ended = await runNode([file], { cwd: root })
  const [first, second, exit, ...more] = ended.stdout.trim().split('\n')
  t.match({ code: ended.code, first, second, more }, { code: 0, first: '2,4,6', second: '2,4,6', more: [] })
  t.ok(Number(exit) < 500, `${exit} ms after its last line`)
})
