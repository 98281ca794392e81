import assert from 'node:assert/strict'
import { ConcurrentExecutor, type Executor, flow } from 'mintaka'
import * as tasks from '../executor-tasks.js'
import type { ExecutorTest } from './bench.js'

/** Flow runs have sessions of their own, which end before they do. */
export function sessionTests(test: ExecutorTest): void {
  test('what a session tells of itself adds up, if it tells', async ({ engine, executor }) => {
    const run = engine.run(flow('told', () => [1, 2, 3].map(n => tasks.add(n, n)), { executor }))
    await run
    const stats = (await engine.flowRuns.get(run.id))?.run.executorStats
    if (!stats) return
    assert.equal(stats.calls, 3)
    assert.ok(stats.threads >= 1 && stats.utilisation >= 0 && stats.utilisation <= 1)
    for (const { count, p50, p99, max } of [stats.queueWaitMs, stats.runTimeMs, stats.dispatchMs]) {
      assert.equal(count, 3)
      assert.ok(p50 >= 0 && p50 <= p99 && p99 <= max)
    }
  })

  test('flow runs that overlap can share one definition', async ({ engine, executor }) => {
    const part = flow('part', (n: number) => tasks.sum([tasks.add(n, 1), tasks.double(n)]), { executor })
    const whole = flow('whole', async () => Promise.all([1, 2, 3, 4, 5].map(n => part(n))), {
      executor: new ConcurrentExecutor(),
    })
    assert.deepEqual(await engine.run(whole), [4, 7, 10, 13, 16])
  })

  test('a subflow on the same definition does not wait for its parent', async ({ engine, executor }) => {
    const child = flow('child', (n: number) => tasks.double(n), { executor })
    const parent = flow('parent', async (n: number) => tasks.add(await tasks.double(n), await child(n)), { executor })
    assert.equal(await engine.run(parent, 5), 20)
  })

  test('the session is closed before the flow run ends', async ({ engine, executor }) => {
    const order: string[] = []
    const watched: Executor = {
      name: executor.name,
      async start(surroundings) {
        const session = await executor.start(surroundings)
        order.push('opened')
        return {
          where: session.where,
          submit: call => session.submit(call),
          ...(session.turn && { turn: () => (session.turn as NonNullable<typeof session.turn>)() }),
          async [Symbol.asyncDispose]() {
            await session[Symbol.asyncDispose]()
            order.push('closed')
          },
        }
      },
    }
    engine.use({ name: 'watch', after: ({ run, to }) => void (run.kind === 'flow-run' && order.push(to.name)) })
    await engine.run(
      flow('life', () => tasks.add(1, 1)),
      undefined,
      { executor: watched },
    )
    assert.deepEqual(order, ['opened', 'Running', 'closed', 'Completed'])
  })
}
