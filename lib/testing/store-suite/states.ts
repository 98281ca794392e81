import assert from 'node:assert/strict'
import { isMintakaError, MintakaError } from '../../core/errors.js'
import { enter } from '../../core/run.js'
import { isState, type State, states } from '../../core/state.js'
import { change, flowRun, plain, resultOf, type StoreTest, taskRun } from './runs.js'

/** States are kept with their results and errors. */
export function stateTests(test: StoreTest): void {
  test('every state is kept, in order, with its times and counts', async store => {
    const parent = flowRun()
    await store.createFlowRun(parent)
    const run = taskRun(parent.id)
    await store.createTaskRun(run)
    const error = new Error('not yet')
    const history = [
      states.running(1010, 1),
      states.awaitingRetry(1020, 1100, 1, error),
      states.running(1100, 2),
      states.completed(1150, 'done', 'with a message'),
    ]
    for (const state of history) await change(store, run, state)
    const stored = await store.getTaskRun(run.id)
    assert.deepEqual(
      stored?.states.map(state => state.name),
      ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Completed'],
    )
    assert.ok(stored.states.every(isState))
    assert.deepEqual(stored.states.map(plain), [states.pending(1000), ...history].map(plain))
    assert.deepEqual(plain(stored.run), plain(run))
    assert.deepEqual(
      [stored.run.startTime, stored.run.endTime, stored.run.totalRunTimeMs, stored.run.runCount],
      [1010, 1150, 60, 2],
    )
  })

  test('every kind of state is read as it was written', async store => {
    const error = new MintakaError('TIMED_OUT', 'Out of time.', { task: 'load' })
    const every: State[] = [
      states.scheduled(1, 2, 'on a schedule'),
      states.late(1, 2),
      states.awaitingRetry(1, 2, 3, error),
      states.pending(1),
      states.notReady(1, 'upstream', error, 'waits for ever'),
      states.running(1, 1),
      states.running(1, 2),
      states.cancelling(1, 2, 'enough'),
      states.completed(1, { a: 1 }, 'two of two'),
      states.cached(1, [1], 'run-0'),
      states.failed(1, error, 'its own message'),
      states.timedOut(1, error),
      states.crashed(1, error),
      states.cancelled(1, error),
    ]
    for (const state of every) {
      const run = flowRun({}, state)
      await store.createFlowRun(run)
      const stored = await store.getFlowRun(run.id)
      assert.deepEqual(plain(stored?.run.state), plain(state), state.name)
    }
  })

  test('results of every kind are kept', async store => {
    const results: unknown[] = [
      undefined,
      null,
      true,
      0,
      -0,
      1.5,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      12345678901234567890n,
      '',
      'a "line",\n"r":1, ünd 💥 \u2028',
      [],
      [1, [undefined, 'x']],
      { a: 1, 'r"': { e: 2 }, nothing: undefined },
      new Date(0),
      new Map([['key', new Set([1])]]),
      Uint8Array.of(1, 2, 3),
      /x/gi,
    ]
    const parent = flowRun()
    await store.createFlowRun(parent)
    for (const [index, result] of results.entries()) {
      const run = taskRun(parent.id, index)
      await store.createTaskRun(run)
      await change(store, run, states.completed(2000, result))
    }
    const stored = await store.listTaskRuns(parent.id)
    assert.deepEqual(stored.map(resultOf), results)
  })

  test('errors keep class name, code, own fields and cause', async store => {
    const cause = new RangeError('too far')
    const error = Object.assign(new TypeError('broken', { cause }), { code: 'E_BROKEN', path: '/x' })
    const run = flowRun()
    await store.createFlowRun(run)
    await change(store, run, states.failed(1, error))
    const state = (await store.getFlowRun(run.id))?.run.state
    assert.ok(state?.type === 'FAILED' && state.error instanceof Error && state.error.cause instanceof Error)
    const { name, message, code, path, stack } = state.error as typeof error
    assert.deepEqual(
      { name, message, code, path },
      { name: 'TypeError', message: 'broken', code: 'E_BROKEN', path: '/x' },
    )
    assert.equal(stack, error.stack)
    assert.deepEqual([state.error.cause.name, state.error.cause.message], ['RangeError', 'too far'])
    assert.equal(state.message, 'broken')
  })

  test("this library's own errors keep their code, and whatever else was thrown stays what it was", async store => {
    const thrown = [new MintakaError('CRASHED', 'Lost.', { task: 'load' }), 'just text', { reason: 1 }, undefined]
    const read: unknown[] = []
    for (const error of thrown) {
      const run = flowRun()
      await store.createFlowRun(run)
      await change(store, run, states.failed(1, error))
      const state = (await store.getFlowRun(run.id))?.run.state
      read.push(state?.type === 'FAILED' && state.error)
    }
    assert.ok(isMintakaError(read[0], 'CRASHED'))
    assert.equal(read[0].task, 'load')
    assert.deepEqual(read.slice(1), thrown.slice(1))
  })

  test('a result that is not wanted is marked, and its run is COMPLETED', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const state = states.completed(2000, 'secret')
    enter(run, state)
    await store.appendState(run, state, { persist: false })
    const stored = await store.getFlowRun(run.id)
    assert.equal(stored?.run.state.type, 'COMPLETED')
    assert.equal(stored.states.at(-1), stored.run.state)
    assert.equal(typeof (resultOf(stored) as { notPersisted?: unknown }).notPersisted, 'string')
  })

  test('a task run that waits for ever rests in NotReady', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const task = taskRun(run.id)
    await store.createTaskRun(task)
    await change(store, task, states.notReady(1001, 'upstream', new Error('root')))
    const state = (await store.getTaskRun(task.id))?.run.state
    assert.ok(state?.name === 'NotReady' && state.upstreamId === 'upstream' && state.error instanceof Error)
    assert.equal(state.error.message, 'root')
  })
}
