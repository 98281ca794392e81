import { ConcurrentExecutor, createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { test } from 'tap'

const three = task('three', (a: number, b: number, c: number[]) => a + b + c.length)
const two = task('two', (a: number, b?: number) => a + (b ?? 100))
const inner = task('inner', async () => Promise.all([1, 2].map(two)))

for (const executor of [new ConcurrentExecutor(), new ParallelExecutor({ threads: 1 })]) {
  test(`xs.map(aTask) passes the value alone, unless the task takes three arguments (${executor.name})`, async t => {
    await using engine = createEngine({ store: new MemoryStore(), logLevel: 'error' })
    const run = flow('mapped', async () => [
      await Promise.all([1, 2].map(two)),
      await three(5, 0, [5, 6]),
      await inner(),
    ])
    t.strictSame(await engine.run(run, undefined, { executor }), [[101, 102], 7, [101, 102]])
  })
}
