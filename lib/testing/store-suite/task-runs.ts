import assert from 'node:assert/strict'
import { enter, type TaskRun } from '../../core/run.js'
import { type State, states } from '../../core/state.js'
import { callRecord, callsOf, change, flowRun, plain, resultOf, type StoreTest, taskRun } from './runs.js'

/** Task runs are read as they were written, however many there are. */
export function taskRunTests(test: StoreTest): void {
  test('what a task run was called with, and the version of its code, are read as they were written', async store => {
    const parent = flowRun()
    await store.createFlowRun(parent)
    const early: TaskRun = { ...taskRun(parent.id, 0), inputHash: '1,"two"', taskVersion: 'v1' }
    const late = taskRun(parent.id, 1)
    const series = { ...callsOf(parent.id, 'load'), version: 'v2', captured: 'abc' }
    const known = callRecord(series, 2)
    const hashed = callRecord(callsOf(parent.id, 'other'), 3, '#h')
    for (const run of [early, late]) store.createTaskRun(run)
    for (const run of [known, hashed]) store.createTaskRun(run)
    late.inputHash = '#late'
    for (const run of [early, late, known, hashed]) await change(store, run, states.completed(1001, run.dynamicKey))
    const stored = await store.listTaskRuns(parent.id)
    assert.deepEqual(
      stored.map(({ run }) => [run.inputHash, run.taskVersion]),
      [
        ['1,"two"', 'v1'],
        ['#late', undefined],
        ['2@abc', 'v2'],
        ['#h', undefined],
      ],
    )
  })

  test('a task run is read as it was written', async (store, owner) => {
    const parent = flowRun()
    await store.createFlowRun(parent)
    const run: TaskRun = {
      ...taskRun(parent.id, 3),
      taskName: 'load "it"',
      tags: ['db'],
      inputs: [
        { name: '0', runs: ['a', 'b'] },
        { name: '1', preview: '"text"\n…' },
        { name: 'waitFor', runs: ['c'] },
      ],
    }
    await store.createTaskRun(run)
    const stored = await store.getTaskRun(run.id)
    assert.deepEqual(plain(stored?.run), plain(run))
    assert.equal(stored?.owner, owner)
    assert.deepEqual(await store.listTaskRuns(parent.id), [stored])
  })

  test('task runs are listed in call order, those of one flow run only', async store => {
    const [first, second] = [flowRun(), flowRun()]
    await store.createFlowRun(first)
    await store.createFlowRun(second)
    const calls = Array.from({ length: 6 }, (_, index) => taskRun(index % 2 === 0 ? first.id : second.id, index))
    for (const run of calls) await store.createTaskRun(run)
    for (const run of calls.toReversed()) await change(store, run, states.completed(2000, run.dynamicKey))
    await change(store, first, states.completed(2001, undefined))
    assert.deepEqual((await store.listTaskRuns(first.id)).map(resultOf), [0, 2, 4])
    assert.deepEqual((await store.listTaskRuns(second.id)).map(resultOf), [1, 3, 5])
  })

  test('task runs that say what they share are kept as any others, whatever comes in between', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const [load, other] = [callsOf(run.id, 'load'), callsOf(run.id, 'other "one"', ['db'])]
    const runs = Array.from({ length: 40 }, (_, number) => callRecord(number % 3 === 0 ? other : load, number))
    for (const task of runs) store.createTaskRun(task)
    const acks: unknown[] = []
    for (const [index, task] of runs.entries()) {
      const enterNext = (state: State) => {
        enter(task, state)
        acks.push(store.appendState(task, state))
      }
      enterNext(states.running(1001 + index / 8, 1))
      if (index % 7 === 0) enterNext(states.awaitingRetry(1010, 1020, 1, new Error('not yet')))
      if (index % 7 === 0) enterNext(states.running(1020, 2))
      if (index % 10 === 0) store.appendLog({ flowRunId: run.id, level: 'info', message: 'ten', timestamp: 1021 })
      if (index % 5 === 4) enterNext(states.failed(1030, new Error('no')))
      else enterNext(states.completed(1030.5, [undefined, index, 'text', { index }][index % 4]))
    }
    await Promise.all(acks)
    const stored = await store.listTaskRuns(run.id)
    assert.deepEqual(
      stored.map(stored => plain(stored.run)),
      runs.map(plain),
    )
    assert.ok(stored.every(({ states }, index) => states.length === (index % 7 === 0 ? 5 : 3)))
    assert.deepEqual(await store.getTaskRun(runs[21]!.id), stored[21])
  })

  test('the mirror of a subflow run names it, also when it learns of it late', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const mirror = taskRun(run.id)
    await store.createTaskRun(mirror)
    mirror.childFlowRunId = 'child'
    await change(store, mirror, states.running(1001, 1))
    assert.equal((await store.getTaskRun(mirror.id))?.run.childFlowRunId, 'child')
  })

  test('thousands of task runs are kept, each with all its states', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const acks: unknown[] = []
    for (let index = 0; index < 3000; index += 1) {
      const task = taskRun(run.id, index)
      store.createTaskRun(task)
      enter(task, states.running(1001, 1))
      store.appendState(task, task.state)
      enter(task, states.completed(1002, index))
      acks.push(store.appendState(task, task.state))
    }
    await Promise.all(acks)
    const stored = await store.listTaskRuns(run.id)
    assert.deepEqual(
      stored.map(resultOf),
      Array.from({ length: 3000 }, (_, index) => index),
    )
    assert.ok(stored.every(task => task.states.length === 3))
  })
}
