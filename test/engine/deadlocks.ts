import {
  ConcurrentExecutor,
  type Executor,
  type Flow,
  flow,
  ParallelExecutor,
  type RunFuture,
  SequentialExecutor,
  task,
} from 'mintaka'
import { test } from 'tap'
import { engineFor } from './fixtures/engine.js'

const executors: [string, Executor][] = [
  ['sequential', new SequentialExecutor()],
  ['concurrent with one slot', new ConcurrentExecutor({ concurrency: 1 })],
  ['concurrent', new ConcurrentExecutor()],
  ['parallel with one thread', new ParallelExecutor({ threads: 1 })],
]
const add = task('add', async (a: number, b: number) => a + b)
const next = task('next', (x: number) => x + 1)
const calls = task('calls', async (x: number): Promise<number> => (x === 0 ? 0 : (await calls(x - 1)) + 1))

/** Every one of these ends, or the test says so within seconds. */
async function ends<T>(run: RunFuture<T>): Promise<T> {
  const state = await run.wait({ timeoutMs: 20_000 })
  if (!state) throw new Error(`it never ends: it is ${run.state.name}`)
  return run
}

for (const [parentName, parent] of executors) {
  for (const [childName, child] of executors) {
    test(`${parentName} around ${childName}: tasks and subflows that feed each other end`, async t => {
      const engine = engineFor(t)
      const inner = flow('inner', (n: number) => add(next(n), next(n)), { executor: child })
      const middle = flow('middle', (n: number) => next(inner(next(n))), { executor: parent })
      const outer = flow(
        'outer',
        async () => {
          const first = next(0)
          const subs = [middle(first), middle(next(first)), inner(first)]
          const awaited = await middle(10)
          return [...subs, next(subs[0] as RunFuture<number>), awaited]
        },
        { executor: parent },
      )
      t.strictSame(await ends(engine.run(outer)), [7, 9, 4, 8, 25])
    })
  }
}

for (const [name, executor] of executors) {
  test(`a diamond ends: on ${name}`, async t => {
    const engine = engineFor(t)
    const f = flow(
      'f',
      () => {
        const top = next(0)
        return add(next(top), next(top))
      },
      { executor },
    )
    t.equal(await ends(engine.run(f)), 4)
  })

  test(`a chain of 200 edges ends: on ${name}`, async t => {
    const engine = engineFor(t)
    const f = flow(
      'f',
      () => {
        let last = next(0)
        for (let link = 1; link < 200; link++) last = next(last)
        return last
      },
      { executor },
    )
    t.equal(await ends(engine.run(f)), 200)
  })

  test(`a chain of 200 edges whose head fails rests: on ${name}`, async t => {
    const engine = engineFor(t)
    const boom = new Error('boom')
    const fail = task('fail', (): number => {
      throw boom
    })
    const f = flow(
      'f',
      () => {
        let last = fail()
        for (let link = 1; link < 200; link++) last = next(last)
        return last
      },
      { executor },
    )
    await t.rejects(ends(engine.run(f)), boom)
  })

  test(`subflows nested 50 deep end: on ${name}`, async t => {
    const engine = engineFor(t)
    const nest: Flow<[n: number], Promise<number>> = flow(
      'nest',
      async (n: number): Promise<number> => (n === 0 ? 0 : await next(nest(n - 1))),
      { executor },
    )
    t.equal(await ends(engine.run(nest, 50)), 50)
  })

  test(`a task that calls tasks ends, at one slot too: on ${name}`, async t => {
    const engine = engineFor(t)
    t.equal(await ends(engine.run(flow('f', () => calls(20), { executor }))), 20)
  })

  test(`awaiting in any order ends: on ${name}`, async t => {
    const engine = engineFor(t)
    const sub = flow('sub', (n: number) => next(n), { executor })
    const f = flow(
      'f',
      async () => {
        const runs = [next(1), sub(2), next(3), sub(4)]
        const values = []
        for (const run of runs.reverse()) values.push(await run)
        return values
      },
      { executor },
    )
    t.strictSame(await ends(engine.run(f)), [5, 4, 3, 2])
  })
}
