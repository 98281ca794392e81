import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Engine, type Executor, type ExecutorStats, flow, ParallelExecutor, task } from 'mintaka'
import { type Test, test } from 'tap'
import { engineFor } from '../engine/fixtures/engine.js'

const spin = task('spin', (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
  return ms
})
const flaky = task(
  'flaky',
  (file: string) => {
    if (existsSync(file)) return 'done'
    writeFileSync(file, '')
    throw new Error('once')
  },
  { retries: 1 },
)
const exits = task('exits', () => process.exit(3))
const hangs = task('hangs', () => {
  for (;;);
})

/** Runs `body` as a flow, and gives what its executor told. */
async function statsOf(engine: Engine, executor: Executor, body: () => unknown): Promise<ExecutorStats | undefined> {
  const run = engine.run(flow('measured', body, { executor }))
  await run.wait()
  return (await engine.flowRuns.get(run.id))?.run.executorStats
}

/** What pools publish from now on, channel by channel. */
function listen(t: Test): { [channel: string]: { thread: number; calls: number; error?: Error; task?: string }[] } {
  const heard: ReturnType<typeof listen> = {}
  for (const name of ['thread-start', 'thread-lost', 'thread-end', 'batch', 'steal']) {
    const messages: never[] = (heard[name] = [])
    const hear = (message: unknown) => void messages.push(message as never)
    subscribe(`mintaka:executor:${name}`, hear)
    t.teardown(() => unsubscribe(`mintaka:executor:${name}`, hear))
  }
  return heard
}

test('a session tells of every call how long it waited, ran and was on its way', async t => {
  const executor = new ParallelExecutor({ threads: 2 })
  const before = Date.now()
  const stats = await statsOf(engineFor(t), executor, () => spin.map(Array.from({ length: 20 }, () => 5)))
  const took = Date.now() - before
  t.match(stats, { threads: 2, calls: 20 })
  const { queueWaitMs, runTimeMs, dispatchMs, utilisation } = stats!
  for (const { count, mean, p50, p90, p99, max } of [queueWaitMs, runTimeMs, dispatchMs]) {
    t.equal(count, 20)
    t.ok(mean > 0 && p50 <= p90 && p90 <= p99 && p99 <= max && mean <= max && max <= took)
  }
  t.ok(runTimeMs.p50 >= 5 * (1 - 1 / 64) && runTimeMs.max <= took)
  t.ok(queueWaitMs.max >= 5 * 9 - 1, 'the last call waited for the nine before it on its thread')
  t.ok(utilisation > 0 && utilisation <= 1)
  t.ok(Math.abs(utilisation - (20 * runTimeMs.mean) / (2 * (queueWaitMs.max + runTimeMs.max))) < 0.5)
})

test('attempts are calls; what never ran, or was lost with its thread, is in no number', async t => {
  const executor = new ParallelExecutor({ threads: 1, cancelGraceMs: 0 })
  const engine = engineFor(t)
  const file = join(t.testdir({}), 'tried')
  t.match(await statsOf(engine, executor, () => flaky(file)), { calls: 2, runTimeMs: { count: 2 } })
  t.equal(await statsOf(engine, executor, () => exits()), undefined)
  t.match(await statsOf(engine, executor, () => [spin(1), hangs.with({ timeoutMs: 20 })()]), { calls: 1 })
  t.equal(await statsOf(engine, executor, () => 'no task at all'), undefined)
})

test('flow runs that share threads tell of their own calls only', async t => {
  const executor = new ParallelExecutor({ threads: 1 })
  const engine = engineFor(t)
  const [three, five] = await Promise.all([
    statsOf(engine, executor, () => spin.map([1, 1, 1])),
    statsOf(engine, executor, () => spin.map([1, 1, 1, 1, 1])),
  ])
  t.match([three, five], [{ calls: 3 }, { calls: 5 }])
  t.ok(three!.utilisation + five!.utilisation <= 1.6, 'each has a share of the one thread')
})

test('threads are told when they start, are lost, and end', async t => {
  const heard = listen(t)
  const executor = new ParallelExecutor({ threads: 1, cancelGraceMs: 0, idleTimeoutMs: 1 })
  const engine = engineFor(t)
  await statsOf(engine, executor, () => exits().wait())
  await statsOf(engine, executor, () => hangs.with({ timeoutMs: 20 })().wait())
  await statsOf(engine, executor, () => spin(1))
  while (heard['thread-end']!.length < 3) await delay(5)
  const ids = heard['thread-start']!.map(({ thread }) => thread)
  t.equal(new Set(ids).size, 3)
  t.match(heard['thread-lost'], [
    { thread: ids[0], error: { message: /code: 3/ }, task: undefined },
    { thread: ids[1], task: 'hangs' },
  ])
  t.strictSame(
    heard['thread-end']!.map(({ thread }) => thread),
    ids,
  )
})

test('what goes to a thread in one go is told, and what is taken back for another', async t => {
  const heard = listen(t)
  const executor = new ParallelExecutor({ threads: 2 })
  const engine = engineFor(t)
  // The calls of the first half are longer: the thread that has them is left with a tail.
  const sizes = Array.from({ length: 200 }, (_, index) => (index < 100 ? 1 : 0))
  let rounds = 0
  while (heard['steal']!.length === 0) {
    await statsOf(engine, executor, () => spin.map(sizes))
    rounds++
  }
  const sum = (name: string) => heard[name]!.reduce((sum, { calls }) => sum + calls, 0)
  t.ok(sum('batch') >= 200 * rounds + sum('steal'))
  t.ok(heard['steal']!.every(({ calls, thread }) => calls > 0 && thread > 0))
})
