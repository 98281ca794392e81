import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { flow, JsonStore, MemoryStore, ParallelExecutor, type Task, type TaskOptions, task } from 'mintaka'
import { test } from 'tap'
import { engineFor } from './fixtures/engine.js'

// How calls are told apart by whoever takes results over: a resume, a flow's retries, the cache.

let ran: string[] = []
let isBroken = true
const end = task('end', () => {
  if (isBroken) throw new Error('broken')
})

let failing: unknown
const failOnce = (value: unknown) => {
  if (failing !== value) return
  failing = undefined
  throw new Error('not yet')
}

const times = (k: number, options?: TaskOptions): Task<[number], number> =>
  task(
    'times',
    (x: number) => {
      failOnce(k)
      return x * k
    },
    options,
  )

const both = (double: Task<[number], number>, triple: Task<[number], number>, retries = 0) =>
  flow(
    'both',
    async () => {
      const one = double(5)
      const two = triple(5)
      await two
      return [await one, await two]
    },
    { retries },
  )

test('tasks of a factory are not taken for each other by a resume, and the log says why', async t => {
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line), error() {} }
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }), logger })
  const f = both(times(2), times(3))
  failing = 2
  const run = engine.run(f)
  await run.wait()
  t.strictSame(await engine.resume(run.id, f), [10, 15])
  t.match(
    warnings.filter(line => line.includes("'times'")),
    [/not reused: it depends on 'k'.*'captures'/],
  )
})

test('tasks of a factory are not taken for each other by the retries of a flow', async t => {
  failing = 2
  t.strictSame(await engineFor(t).run(both(times(2), times(3), 1)), [10, 15])
})

test('tasks of a factory are not taken for each other by the cache', async t => {
  const engine = engineFor(t, { store: new MemoryStore() })
  const cached = (k: number) => times(k, { cacheKey: 'inputs' })(5)
  t.strictSame(await engine.run(flow('f', async () => [await cached(2), await cached(3)])), [10, 15])
})

test('tasks of a factory that list what they capture are told apart, and taken over', async t => {
  const engine = engineFor(t)
  ran = []
  const listed = (k: number) =>
    task(
      'listed',
      (x: number) => {
        ran.push('listed')
        return x * k
      },
      { captures: { k } },
    )
  isBroken = true
  const double = listed(2)
  const triple = listed(3)
  const f = flow('f', async () => {
    const found = [await double(5), await triple(5)]
    await end()
    return found
  })
  const run = engine.run(f)
  await run.wait()
  isBroken = false
  t.equal(ran.length, 2)
  t.strictSame(await engine.resume(run.id, f), [10, 15])
  t.equal(ran.length, 2)
})

test('a flow that is made anew with other values does what depends on them again, and nothing else', async t => {
  const engine = engineFor(t)
  ran = []
  isBroken = true
  const make = (k: number) => {
    const half = 0.5
    const open = task('open', (x: number) => {
      ran.push('open')
      return x * k
    })
    const closed = task('closed', (x: number) => {
      ran.push('closed')
      return x * half
    })
    return flow('made', async () => {
      const found = [await open(8), await closed(8)]
      await end()
      return found
    })
  }
  const run = engine.run(make(2))
  await run.wait()
  isBroken = false
  t.strictSame(await engine.resume(run.id, make(3)), [24, 4])
  t.strictSame(ran, ['open', 'closed', 'open'])
})

test("a task that is made in a flow and depends on the flow's parameters is taken over by its retries", async t => {
  ran = []
  const f = flow(
    'f',
    async (p: { k: number }) => {
      const scale = task('scale', (x: number) => {
        ran.push('scale')
        return x * p.k
      })
      const found = await scale(2)
      if (++attempts < 3) throw new Error('again')
      return found
    },
    { retries: 2 },
  )
  let attempts = 0
  t.equal(await engineFor(t).run(f, { k: 4 }), 8)
  t.strictSame(ran, ['scale'])
})

test('a project in another folder has the same task keys, of tasks by reference too', async t => {
  const folder = t.testdir({
    a: { 'package.json': '{}', 'body.mjs': 'export const body = x => x' },
    b: { 'package.json': '{}', 'body.mjs': 'export const body = x => x' },
  })
  const engine = engineFor(t)
  const keyIn = async (project: string) => {
    const body = task.fromModule<[number], number>(pathToFileURL(join(folder, project, 'body.mjs')).href, 'body')
    const run = engine.run(flow('f', () => body(1)))
    await run
    const [found] = await engine.taskRuns.list(run.id)
    return found?.run.taskKey
  }
  t.equal(await keyIn('a'), await keyIn('b'))
})

test('captured values that change are looked at for each call', async t => {
  const engine = engineFor(t)
  const config = { k: 2 }
  const multiply = task('multiply', (x: number) => x * config.k, { captures: { config }, cacheKey: 'inputs' })
  const f = flow('f', async () => {
    config.k = 2
    const a = await multiply(5)
    config.k = 3
    const b = await multiply(5)
    config.k = 2
    return [a, b, (await multiply(5).wait()).name]
  })
  t.strictSame(await engine.run(f), [10, 15, 'Cached'])
})

test('a run is not continued with what was computed from other captured values', async t => {
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
  const config = { k: 2 }
  const multiply = task('multiply', (x: number) => x * config.k, { captures: { config } })
  isBroken = true
  const f = flow('f', async () => {
    const found = await multiply(5)
    if (isBroken) throw new Error('broken')
    return found
  })
  const run = engine.run(f)
  await run.wait()
  isBroken = false
  config.k = 3
  t.equal(await engine.resume(run.id, f), 15)
})

test('captured values that change after workers have them are not told apart: nothing is taken over', async t => {
  const engine = engineFor(t)
  const config = { k: 2 }
  const multiply = task('multiply there', (x: number) => x * config.k, { captures: { config }, cacheKey: 'inputs' })
  const executor = new ParallelExecutor({ threads: 1 })
  t.teardown(() => executor.close())
  const f = flow(
    'f',
    async () => {
      const names: string[] = []
      for (const k of [2, 2, 3, 3]) {
        config.k = k
        names.push((await multiply(5).wait()).name)
      }
      return names
    },
    { executor },
  )
  t.strictSame(await engine.run(f), ['Completed', 'Cached', 'Completed', 'Completed'])
})
