import { flow, MemoryStore, type Task, type TaskOptions, task } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { engineFor, thrownBy } from './fixtures/engine.js'

let computed = 0
const compute = task('compute', async (x: unknown) => {
  computed += 1
  return { x, computed }
})
const pass = task('pass', (x: number) => x)

test("cacheKey 'inputs': the same arguments are a hit, across flow runs and flows", async t => {
  const engine = engineFor(t)
  computed = 0
  const cached = compute.with({ cacheKey: 'inputs' })
  const f = flow('f', () => cached({ a: 1, b: [2] }))
  const g = flow('g', () => cached({ b: [2], a: 1 }))
  const first = engine.run(f)
  const value = await first
  const second = engine.run(g)
  t.equal(await second, value)
  t.equal(computed, 1)
  const [miss] = await engine.taskRuns.list(first.id)
  const [hit] = await engine.taskRuns.list(second.id)
  t.strictSame(
    hit?.states.map(({ name }) => name),
    ['Pending', 'Cached'],
  )
  t.match(hit?.run.state, { type: 'COMPLETED', name: 'Cached', cachedFrom: miss?.run.id })
  t.match(hit?.run, { runCount: 0, startTime: undefined })
})

const misses: [string, Task<[unknown], unknown>, Task<[unknown], unknown>, unknown, unknown][] = [
  ['other arguments', compute, compute, 1, 2],
  ['another task', compute, task('other', (x: unknown) => x), 1, 1],
  ['other captured values', compute.with({ captures: { k: 1 } }), compute.with({ captures: { k: 2 } }), 1, 1],
  ['other declared tags', compute, compute.with({ tags: ['x'] }), 1, 1],
  ['arguments of another type', compute, compute, 1, '1'],
  ['arguments that cannot be told apart', compute, compute, () => 1, () => 1],
]
for (const [name, one, two, x, y] of misses) {
  test(`cacheKey 'inputs': ${name} are a miss`, async t => {
    const engine = engineFor(t)
    const f = flow('f', async () => {
      await one.with({ cacheKey: 'inputs' })(x)
      const second = two.with({ cacheKey: 'inputs' })(y)
      return (await second.wait()).name
    })
    t.equal(await engine.run(f), 'Completed')
  })
}

test('the key is made after futures are resolved', async t => {
  const engine = engineFor(t)
  const keys: unknown[] = []
  const options: TaskOptions = {
    cacheKey: ({ taskName, taskKey, flowName, tags }, args) => {
      keys.push({ taskName, taskKey: typeof taskKey, flowName, tags, args })
      return `key of ${JSON.stringify(args)}`
    },
  }
  const f = flow('f', async () => {
    const first = await compute.with(options)({ n: [pass(5)] })
    return [first, await compute.with(options)({ n: [5] })]
  })
  const [first, second] = (await engine.run(f)) as unknown[]
  t.equal(first, second)
  t.strictSame(keys, [
    { taskName: 'compute', taskKey: 'string', flowName: 'f', tags: [], args: [{ n: [5] }] },
    { taskName: 'compute', taskKey: 'string', flowName: 'f', tags: [], args: [{ n: [5] }] },
  ])
})

test('a key function that gives none means: not this time', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const never = compute.with({ cacheKey: () => undefined })
    await never(1)
    return (await never(1).wait()).name
  })
  t.equal(await engine.run(f), 'Completed')
})

test('keys are global: tasks that give the same key share their hits', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    await compute.with({ cacheKey: () => 'shared' })(1)
    return pass.with({ cacheKey: () => 'shared' })(2)
  })
  t.match(await engine.run(f), { x: 1 })
})

test('a key function that throws fails the run, which is not begun', async t => {
  const engine = engineFor(t)
  const boom = new Error('no key')
  computed = 0
  const cacheKey = () => {
    throw boom
  }
  const run = engine.run(flow('f', () => compute.with({ cacheKey, retries: 2 })(1)))
  t.equal(await thrownBy(() => run), boom)
  const [stored] = await engine.taskRuns.list(run.id)
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Failed'],
  )
  t.equal(computed, 0)
})

test('a hit is good for cacheForMs, counted from its completion', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const cached = compute.with({ cacheKey: 'inputs', cacheForMs: 1000 })
  const f = flow('f', async () => (await cached('expiry').wait()).name)
  const nameOf = async () => {
    const run = engine.run(f)
    await clock.advance(0)
    return run
  }
  t.equal(await nameOf(), 'Completed')
  await clock.advance(999)
  t.equal(await nameOf(), 'Cached')
  await clock.advance(1)
  t.equal(await nameOf(), 'Completed')
  await clock.advance(999)
  t.equal(await nameOf(), 'Cached', 'the newer result counts')
})

test('without cacheForMs a hit is good for ever', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const cached = compute.with({ cacheKey: 'inputs' })
  const run = () => engine.run(flow('f', async () => (await cached('ever').wait()).name))
  const first = run()
  await clock.advance(1e12)
  t.equal(await first, 'Completed')
  const second = run()
  await clock.advance(0)
  t.equal(await second, 'Cached')
})

test('a failure is not cached', async t => {
  const engine = engineFor(t)
  let calls = 0
  const fails = task(
    'fails',
    () => {
      calls += 1
      throw new Error('no')
    },
    { cacheKey: () => 'failure' },
  )
  await engine.run(
    flow('f', async () => {
      await fails().wait()
      await fails().wait()
      return 'ok'
    }),
  )
  t.equal(calls, 2)
})

test('a retry asks the cache no second time', async t => {
  let asked = 0
  class Counting extends MemoryStore {
    override getCached(key: string) {
      asked += 1
      return super.getCached(key)
    }
  }
  const engine = engineFor(t, { store: new Counting() })
  let keys = 0
  let attempts = 0
  const flaky = task(
    'flaky',
    () => {
      attempts += 1
      if (attempts < 3) throw new Error('again')
      return attempts
    },
    { retries: 2, cacheKey: () => `key ${++keys}` },
  )
  const f = flow('f', async () => [
    await flaky(),
    (
      await flaky
        .with({ cacheKey: () => 'key 1' })()
        .wait()
    ).name,
  ])
  t.strictSame(await engine.run(f), [3, 'Cached'])
  t.equal(keys, 1)
  t.equal(asked, 2)
})

test('a cache that cannot be read fails the run, one that cannot be written does not', async t => {
  const broken = new Error('broken cache')
  class Unreadable extends MemoryStore {
    override getCached(): never {
      throw broken
    }
  }
  class Unwritable extends MemoryStore {
    override putCached(): Promise<void> & undefined {
      return Promise.reject(broken) as Promise<void> & undefined
    }
  }
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const f = flow('f', () => compute.with({ cacheKey: 'inputs' })('broken'))
  t.equal(await thrownBy(() => engineFor(t, { store: new Unreadable() }).run(f)), broken)
  t.match(await engineFor(t, { store: new Unwritable(), logger }).run(f), { x: 'broken' })
  t.match(warnings, [/was not cached/])
})
