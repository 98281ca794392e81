import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { flow, isMintakaError } from 'mintaka'
import * as tasks from '../executor-tasks.js'
import { type ExecutorTest, until } from './bench.js'

/** Calls can be stopped, whether they run or wait. */
export function stoppingTests(test: ExecutorTest): void {
  test('a running task that heeds its signal is cancelled', async ({ engine, executor, file }) => {
    const run = engine.run(
      flow('stop', async () => {
        const future = tasks.untilStopped(file('began'))
        await until(() => existsSync(file('began')))
        const state = await future.cancel('enough')
        return [state.name, state.type === 'CANCELLED' && isMintakaError(state.error, 'CANCELLED')]
      }),
      undefined,
      { executor },
    )
    assert.deepEqual(await run, ['Cancelled', true])
    const [stored] = await engine.taskRuns.list(run.id)
    assert.deepEqual(
      stored?.states.map(state => state.name),
      ['Pending', 'Running', 'Cancelling', 'Cancelled'],
    )
  })

  test('a task that takes longer than its timeoutMs fails', async ({ engine, executor, file }) => {
    const run = flow('late', async () => {
      const state = await tasks.untilStopped.with({ timeoutMs: 50 })(file('began')).wait()
      return [state.name, state.type === 'FAILED' && isMintakaError(state.error, 'TIMED_OUT')]
    })
    assert.deepEqual(await engine.run(run, undefined, { executor }), ['TimedOut', true])
  })

  test('a task that is cancelled before its turn never starts', async ({ engine, executor, file }) => {
    const run = flow('queued', async () => {
      const first = tasks.untilStopped(file('began'))
      const queued = tasks.witness.with({ waitFor: [first] })(file('seen'), 'ran')
      await until(() => existsSync(file('began')))
      const state = await queued.cancel()
      await first.cancel()
      return state.name
    })
    assert.equal(await engine.run(run, undefined, { executor }), 'Cancelled')
    assert.equal(existsSync(file('seen')), false)
  })

  test('cancelling a flow run stops its tasks', async ({ engine, executor, file }) => {
    const run = engine.run(
      flow('whole', () => tasks.untilStopped(file('began'))),
      undefined,
      { executor },
    )
    await until(() => existsSync(file('began')))
    assert.equal((await run.cancel('over')).name, 'Cancelled')
    const [stored] = await engine.taskRuns.list(run.id)
    assert.equal(stored?.run.state.name, 'Cancelled')
  })
}
