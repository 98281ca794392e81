import assert from 'node:assert/strict'
import { enter } from '../../core/run.js'
import { states } from '../../core/state.js'
import { change, flowRun, type StoreTest, taskRun } from './runs.js'

/** Everything that was written is read, and nothing else. */
export function readingTests(test: StoreTest): void {
  test('an empty store has nothing', async store => {
    assert.deepEqual(await store.listFlowRuns(), [])
    assert.equal(await store.getFlowRun('nothing'), undefined)
    assert.deepEqual(await store.listTaskRuns('nothing'), [])
    assert.equal(await store.getTaskRun('nothing'), undefined)
    assert.deepEqual(await store.listLogs('nothing'), [])
    assert.equal(await store.getCached('nothing'), undefined)
  })

  test('what is written is read at once, acknowledged or not', async store => {
    const run = flowRun()
    store.createFlowRun(run)
    const task = taskRun(run.id)
    store.createTaskRun(task)
    enter(task, states.running(1001, 1))
    store.appendState(task, task.state)
    assert.equal((await store.getTaskRun(task.id))?.run.state.name, 'Running')
  })

  test('what is read is a copy: it does not change with the run', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const before = await store.getFlowRun(run.id)
    await change(store, run, states.running(1001, 1))
    assert.equal(before?.run.state.name, 'Pending')
    assert.equal(before.states.length, 1)
    assert.equal((await store.getFlowRun(run.id))?.run.state.name, 'Running')
  })
}
