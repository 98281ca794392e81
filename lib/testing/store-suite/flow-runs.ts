import assert from 'node:assert/strict'
import type { FlowRun } from '../../core/run.js'
import { states } from '../../core/state.js'
import type { Store } from '../../core/store.js'
import { change, flowRun, idsOf, plain, type StoreTest } from './runs.js'

/** Flow runs are read as they were written, and found by what is asked for. */
export function flowRunTests(test: StoreTest): void {
  test('a flow run is read as it was written', async (store, owner) => {
    const run: FlowRun = {
      ...flowRun({ flowName: 'a "quoted" name, ünd 💥' }),
      version: 'v1',
      file: '/project/flows.ts',
      description: 'two\nlines',
      parentFlowRunId: 'parent',
      parentTaskRunId: 'mirror',
      parameters: '{ n: 10 }',
      idempotencyKey: 'monday',
      deployment: 'etl/daily',
      scheduledTime: 1_000_000,
      tags: ['nightly', 'a b'],
    }
    await store.createFlowRun(run)
    const stored = await store.getFlowRun(run.id)
    assert.deepEqual(plain(stored?.run), plain(run))
    assert.deepEqual(stored?.states.map(plain), [plain(run.state)])
    assert.equal(stored?.owner, owner)
  })

  test('what a flow run was called with is kept whole, whatever its first state', async store => {
    const parameters = { n: 7n, when: new Date(5), rows: Array.from({ length: 20_000 }, (_, index) => `row ${index}`) }
    for (const state of [states.pending(1000), states.scheduled(1000, 2000), states.failed(1000, new Error('no'))]) {
      for (const given of [parameters, 'x,"p":"y', 0, null, [undefined]]) {
        const run = flowRun({}, state)
        await store.createFlowRun(run, { parameters: given })
        const stored = await store.getFlowRun(run.id)
        assert.deepEqual(stored?.parameters, given)
        assert.deepEqual(plain(stored?.run), plain(run))
      }
    }
    const bare = flowRun()
    await store.createFlowRun(bare)
    assert.equal((await store.getFlowRun(bare.id))?.parameters, undefined)
  })

  test('what a flow run continues, and how it differs, is read as it was written', async store => {
    const run = flowRun({ continues: 'earlier' })
    const sub = flowRun({ parentFlowRunId: run.id })
    for (const each of [run, sub]) await store.createFlowRun(each)
    sub.continues = 'earlier-sub'
    for (const each of [run, sub]) await change(store, each, states.running(1010, 1))
    const group = { taskName: 'load "it"', count: 1, examples: [{ name: 'load-0', inputs: '"a"' }] }
    const divergence = { diverged: true, notAskedFor: [group], notKnown: [], ranAgain: [], reused: [group] }
    run.divergence = divergence
    await change(store, run, states.failed(1020, new Error('x')))
    const stored = await store.getFlowRun(run.id)
    assert.deepEqual([stored?.run.continues, stored?.run.divergence], ['earlier', divergence])
    assert.equal((await store.getFlowRun(sub.id))?.run.continues, 'earlier-sub')
  })

  test('how the executor of a flow run did is read as it was written', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    await change(store, run, states.running(1010, 1))
    const spread = { count: 3, mean: 1.5, p50: 1, p90: 2.5, p99: 2.5, max: 2.75 }
    const times = { queueWaitMs: spread, runTimeMs: spread, dispatchMs: spread }
    run.executorStats = { threads: 2, calls: 3, utilisation: 0.5, ...times }
    await change(store, run, states.awaitingRetry(1020, 1030, 1, new Error('once more')))
    await change(store, run, states.running(1030, 2))
    assert.deepEqual((await store.getFlowRun(run.id))?.run.executorStats, run.executorStats)
    run.executorStats = { ...run.executorStats, calls: 4 }
    await change(store, run, states.completed(1040, undefined))
    assert.deepEqual((await store.getFlowRun(run.id))?.run.executorStats, run.executorStats)
    assert.deepEqual((await store.listFlowRuns())[0]?.run.executorStats, run.executorStats)
  })

  test('flow runs are listed newest first', async store => {
    for (const [id, created] of [
      ['b', 2],
      ['a', 1],
      ['c', 3],
      ['d', 3],
    ] as const)
      await store.createFlowRun(flowRun({ id, created }))
    assert.deepEqual(await idsOf(store.listFlowRuns()), ['d', 'c', 'b', 'a'])
    assert.deepEqual(await idsOf(store.listFlowRuns({ limit: 2 })), ['d', 'c'])
  })

  test('flow runs are found by flow, state, id prefix, name, parent and deployment', async store => {
    const failed = states.failed(1, new Error('x'))
    await store.createFlowRun(flowRun({ id: 'one-1', name: 'calm-owl', flowName: 'etl', created: 1 }, failed))
    await store.createFlowRun(
      flowRun({ id: 'one-2', name: 'red-fox', flowName: 'etl', created: 2 }, states.running(1, 1)),
    )
    await store.createFlowRun(
      flowRun({ id: 'two', name: 'one', flowName: 'sub', created: 3, parentFlowRunId: 'one-2', deployment: 'sub/a' }),
    )
    const found = (filter: Parameters<Store['listFlowRuns']>[0]) => idsOf(store.listFlowRuns(filter))
    assert.deepEqual(await found({ flowName: ['etl'] }), ['one-2', 'one-1'])
    assert.deepEqual(await found({ flowName: ['etl', 'sub'], state: ['failed', 'Pending'] }), ['two', 'one-1'])
    assert.deepEqual(await found({ state: ['RUNNING'] }), ['one-2'])
    assert.deepEqual(await found({ match: 'one' }), ['two', 'one-2', 'one-1'])
    assert.deepEqual(await found({ match: 'calm-owl' }), ['one-1'])
    assert.deepEqual(await found({ match: 'calm' }), [])
    assert.deepEqual(await found({ parentFlowRunId: 'one-2' }), ['two'])
    assert.deepEqual(await found({ deployment: ['sub/a', 'sub/b'] }), ['two'])
    assert.deepEqual(await found({ deployment: ['sub/b'] }), [])
    assert.deepEqual(await found({ match: 'one', limit: 1 }), ['two'])
  })
}
