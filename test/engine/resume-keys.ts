import { flow, JsonStore, MemoryStore, type Store, task } from 'mintaka'
import { type Test, test } from 'tap'
import { deferred, engineFor, until } from './fixtures/engine.js'

let isBroken = true
let ran: unknown[] = []
const step = task('step', (value: unknown) => {
  ran.push(value)
  return value
})
const boom = task('boom', () => {
  ran.push('boom')
  if (isBroken) throw new Error('boom')
  return 'mended'
})
const sub = flow('sub', async (value: number) => {
  await step(value)
  return boom()
})

const stores: Record<string, (t: Test) => Store> = {
  memory: () => new MemoryStore(),
  json: t => new JsonStore({ folder: t.testdir() }),
}

for (const [kind, storeFor] of Object.entries(stores)) {
  test(`a subflow with an idempotency key that failed goes on in a run that is resumed, time after time: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    const keyed = sub.with({ idempotencyKey: 'key' })
    const job = flow('job', async () => keyed(1))
    isBroken = true
    ran = []
    const first = engine.run(job)
    await first.wait()
    const second = engine.resume(first.id, job)
    t.match(await second.wait(), { type: 'FAILED' })
    const third = engine.resume(second.id, job)
    t.match(await third.wait(), { type: 'FAILED' })
    isBroken = false
    const fourth = engine.resume(third.id, job, { divergence: 'fail' })
    t.equal(await fourth, 'mended')
    t.strictSame(ran, [1, 'boom', 'boom', 'boom', 'boom'])
    const runs = await engine.flowRuns.list({ flowName: ['sub'] })
    t.equal(runs.length, 4)
    t.strictSame(
      runs.map(({ run }) => run.continues).slice(0, 3),
      runs.slice(1).map(({ run }) => run.id),
    )
  })

  test(`a subflow with an idempotency key that failed goes on when the flow around it is retried: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    const keyed = sub.with({ idempotencyKey: 'key' })
    isBroken = true
    ran = []
    let attempts = 0
    const job = flow(
      'job',
      async () => {
        attempts += 1
        if (attempts === 3) isBroken = false
        const [one, same] = await Promise.all([keyed(1).wait(), keyed(1).wait()])
        t.equal(one.type, same.type, 'one run under the key')
        const later = await keyed(1).wait()
        t.equal(later.type, one.type, 'one run under the key in one attempt')
        return keyed(1)
      },
      { retries: 3 },
    )
    t.equal(await engine.run(job), 'mended')
    t.equal(attempts, 3)
    t.strictSame(ran, [1, 'boom', 'boom', 'boom'])
  })

  test(`a subflow with an idempotency key that completed is asked for, and no divergence: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    const quick = flow('quick', async (value: number) => step(value))
    const keyed = quick.with({ idempotencyKey: 'key' })
    const job = flow('job', async () => [await keyed(1), await boom()])
    isBroken = true
    ran = []
    const first = engine.run(job)
    await first.wait()
    isBroken = false
    const second = engine.resume(first.id, job, { divergence: 'fail' })
    t.strictSame(await second, [1, 'mended'])
    t.strictSame(ran, [1, 'boom', 'boom'])
    const stored = await engine.flowRuns.get(second.id)
    t.match(stored?.run.divergence, { diverged: false, reused: [{ taskName: 'quick', count: 1 }] })
  })
}

test('two engines that go on with the same failed run under a key carry it out once', async t => {
  const store = new MemoryStore()
  let isOpen = false
  let starts = 0
  const gate = deferred()
  const slow = flow('slow', async () => {
    if (!isOpen) throw new Error('shut')
    starts += 1
    await gate.promise
    return 'slow'
  })
  const parties = ['a', 'b'].map(name => {
    const job = flow(name, async () => slow.with({ idempotencyKey: 'key' })())
    return { engine: engineFor(t, { store }), job }
  })
  const firsts = parties.map(({ engine, job }) => engine.run(job))
  for (const first of firsts) await first.wait()
  isOpen = true
  const seconds = parties.map(({ engine, job }, index) => engine.resume(firsts[index]?.id ?? '', job))
  for (const second of seconds) await until(() => second.state.type === 'RUNNING')
  await until(() => starts > 0)
  gate.resolve()
  t.strictSame(await Promise.all(seconds), ['slow', 'slow'])
  t.equal(starts, 1)
})

test('who goes on with a run under a key waits for the one that somebody has resumed it with', async t => {
  const engine = engineFor(t)
  let starts = 0
  const gate = deferred()
  const plain = flow('keyed', async () => {
    starts += 1
    if (starts === 1) throw new Error('broken')
    await gate.promise
    return 'done'
  })
  const keyed = plain.with({ idempotencyKey: 'key' })
  const alone = engine.run(keyed)
  await alone.wait()
  const job = flow('job', async () => keyed())
  const first = engine.run(job)
  t.match(await first.wait(), { type: 'FAILED' }, 'it is told how the run under the key ended')
  const resumed = engine.resume(alone.id, keyed)
  await until(() => starts === 2)
  const second = engine.resume(first.id, job)
  await until(() => second.state.type === 'RUNNING')
  gate.resolve()
  t.strictSame([await resumed, await second], ['done', 'done'])
  t.equal(starts, 2)
})
