import assert from 'node:assert/strict'
import { isMintakaError, MintakaError } from '../core/errors.js'
import { enter, type FlowRun, type Run, type TaskRun } from '../core/run.js'
import { isState, type State, states } from '../core/state.js'
import type { Store, StoredRun } from '../core/store.js'
import { type CallRecord, type TaskCalls, taskRunId, taskRunName } from '../core/task-calls.js'
import { codec } from '../values/json.js'
import type { TestRunner } from './test-runner.js'

/**
 * Proves that a {@link Store} keeps what the engine relies on. `makeStore` gives a new one, not opened yet, that nobody
 * else has written to; the suite opens and closes it.
 */
export function storeSuite(t: TestRunner, makeStore: () => Store | Promise<Store>): void {
  /** A test that has a store to itself. */
  function storeTest(name: string, body: (store: Store, owner: string) => Promise<void>): void {
    t.test(name, async () => {
      const store = await makeStore()
      const owner = newId('engine')
      await store.open({ owner, codec, warn: () => {} })
      try {
        await body(store, owner)
      } finally {
        await store.close()
      }
    })
  }

  storeTest('an empty store has nothing', async store => {
    assert.deepEqual(await store.listFlowRuns(), [])
    assert.equal(await store.getFlowRun('nothing'), undefined)
    assert.deepEqual(await store.listTaskRuns('nothing'), [])
    assert.equal(await store.getTaskRun('nothing'), undefined)
    assert.deepEqual(await store.listLogs('nothing'), [])
    assert.equal(await store.getCached('nothing'), undefined)
  })

  storeTest('a flow run is read as it was written', async (store, owner) => {
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

  storeTest('what a flow run was called with is kept whole, whatever its first state', async store => {
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

  storeTest('what a flow run continues, and how it differs, is read as it was written', async store => {
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

  storeTest(
    'what a task run was called with, and the version of its code, are read as they were written',
    async store => {
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
    },
  )

  storeTest('a task run is read as it was written', async (store, owner) => {
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

  storeTest('every state is kept, in order, with its times and counts', async store => {
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

  storeTest('how the executor of a flow run did is read as it was written', async store => {
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

  storeTest('every kind of state is read as it was written', async store => {
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

  storeTest('results of every kind are kept', async store => {
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

  storeTest('errors keep class name, code, own fields and cause', async store => {
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

  storeTest(
    "this library's own errors keep their code, and whatever else was thrown stays what it was",
    async store => {
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
    },
  )

  storeTest('a result that is not wanted is marked, and its run is COMPLETED', async store => {
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

  storeTest('flow runs are listed newest first', async store => {
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

  storeTest('flow runs are found by flow, state, id prefix, name, parent and deployment', async store => {
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

  storeTest('task runs are listed in call order, those of one flow run only', async store => {
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

  storeTest('what is written is read at once, acknowledged or not', async store => {
    const run = flowRun()
    store.createFlowRun(run)
    const task = taskRun(run.id)
    store.createTaskRun(task)
    enter(task, states.running(1001, 1))
    store.appendState(task, task.state)
    assert.equal((await store.getTaskRun(task.id))?.run.state.name, 'Running')
  })

  storeTest('what is read is a copy: it does not change with the run', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const before = await store.getFlowRun(run.id)
    await change(store, run, states.running(1001, 1))
    assert.equal(before?.run.state.name, 'Pending')
    assert.equal(before.states.length, 1)
    assert.equal((await store.getFlowRun(run.id))?.run.state.name, 'Running')
  })

  storeTest('a task run that waits for ever rests in NotReady', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const task = taskRun(run.id)
    await store.createTaskRun(task)
    await change(store, task, states.notReady(1001, 'upstream', new Error('root')))
    const state = (await store.getTaskRun(task.id))?.run.state
    assert.ok(state?.name === 'NotReady' && state.upstreamId === 'upstream' && state.error instanceof Error)
    assert.equal(state.error.message, 'root')
  })

  storeTest('the mirror of a subflow run names it, also when it learns of it late', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const mirror = taskRun(run.id)
    await store.createTaskRun(mirror)
    mirror.childFlowRunId = 'child'
    await change(store, mirror, states.running(1001, 1))
    assert.equal((await store.getTaskRun(mirror.id))?.run.childFlowRunId, 'child')
  })

  storeTest('log lines are read in the order in which they were written', async store => {
    const run = flowRun()
    await store.createFlowRun(run)
    const lines = [
      { flowRunId: run.id, level: 'info', message: 'a "line"\nand one more', timestamp: 5 },
      { flowRunId: run.id, taskRunId: 'task', level: 'warn', message: 'b', fields: { n: 1, deep: [1] }, timestamp: 3 },
      { flowRunId: run.id, level: 'debug', message: 'c', timestamp: 4 },
    ] as const
    for (const line of lines) store.appendLog(line)
    store.appendLog({ ...lines[0], flowRunId: 'another' })
    assert.deepEqual(await store.listLogs(run.id), lines)
  })

  storeTest('the newest cache entry wins, expired or not', async store => {
    const state = states.completed(1, new Map([['n', 1n]]))
    await store.putCached('key/with "anything"', { state: states.completed(0, 'old'), runId: 'old' })
    await store.putCached('key/with "anything"', { state, runId: 'new', expires: 2 })
    await store.putCached('another', { state: states.completed(0, undefined), runId: 'other' })
    const entry = await store.getCached('key/with "anything"')
    assert.deepEqual([entry?.runId, entry?.expires, plain(entry?.state)], ['new', 2, plain(state)])
    const other = await store.getCached('another')
    assert.deepEqual([other?.runId, other?.expires, other?.state.result], ['other', undefined, undefined])
    assert.equal(await store.getCached('key'), undefined)
  })

  storeTest('a claim is given to one only, and everyone learns to whom', async store => {
    const given = await Promise.all(['a', 'b', 'c'].map(value => store.claim('monday/06:00', value)))
    const [first] = given.filter(({ isNew }) => isNew)
    assert.equal(given.filter(({ isNew }) => isNew).length, 1)
    assert.ok(given.every(({ value }) => value === first?.value))
    assert.deepEqual(await store.claim('monday/06:00', 'd'), { ...first, isNew: false })
    const other = { value: 'd', isNew: true, generation: 1, isOrphaned: false }
    assert.deepEqual(await store.claim('tuesday/06:00', 'd'), other)
  })

  storeTest('documents are made, replaced, listed by key, and removed', async store => {
    const { documents } = store
    if (!documents) return
    assert.equal(await documents.get('deployments', 'a/b'), undefined)
    assert.deepEqual(await documents.list('deployments'), [])
    await documents.put('deployments', 'c/d', { tags: ['x'] })
    await documents.put('deployments', 'a/b', { paused: false })
    await documents.put('deployments', 'a/b', { paused: true })
    await documents.put('others', 'a/b', null)
    assert.deepEqual(await documents.get('deployments', 'a/b'), { paused: true })
    assert.deepEqual(await documents.list('deployments'), [
      { key: 'a/b', value: { paused: true } },
      { key: 'c/d', value: { tags: ['x'] } },
    ])
    assert.equal(await documents.remove('deployments', 'a/b'), true)
    assert.equal(await documents.remove('deployments', 'a/b'), false)
    assert.deepEqual(await documents.list('others'), [{ key: 'a/b', value: null }])
  })

  storeTest('of many that create one document one does', async store => {
    const { documents } = store
    if (!documents) return
    const made = await Promise.all([1, 2, 3].map(value => documents.create('kind', 'key', value)))
    assert.equal(made.filter(Boolean).length, 1)
    assert.equal(await documents.get('kind', 'key'), made.indexOf(true) + 1)
    await documents.remove('kind', 'key')
    assert.equal(await documents.create('kind', 'key', 4), true)
  })

  storeTest('what is done exclusively is done by one at a time', async store => {
    const { documents } = store
    if (!documents) return
    let end = () => {}
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const first = documents.exclusively('schedule', async () => {
      await ended
      return 1
    })
    assert.equal(await documents.exclusively('schedule', async () => 2), undefined)
    assert.deepEqual(await documents.exclusively('another', async () => 3), { value: 3 })
    end()
    assert.deepEqual(await first, { value: 1 })
    await assert.rejects(
      documents.exclusively('schedule', () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.deepEqual(await documents.exclusively('schedule', async () => 4), { value: 4 })
  })

  storeTest('a claim that was given back goes to one of those who want it, and no further', async store => {
    const { generation } = await store.claim('key', 'first')
    await store.unclaim('key', generation)
    assert.deepEqual(await store.claim('key', 'x'), { value: 'first', isNew: false, generation: 1, isOrphaned: true })
    const given = await Promise.all(['a', 'b', 'c'].map(value => store.claim('key', value, { after: 1 })))
    const owners = given.filter(({ isNew }) => isNew)
    assert.equal(owners.length, 1)
    assert.deepEqual(new Set(given.map(({ value }) => value)), new Set([owners[0]?.value]))
    const late = await store.claim('key', 'd')
    assert.deepEqual(late, { value: owners[0]?.value, isNew: false, generation: 2, isOrphaned: false })
    assert.equal((await store.claim('key', 'e', { after: 1 })).isNew, false)
  })

  storeTest(
    'commands are taken once, in the order in which they were posted, by whom they are for',
    async (store, owner) => {
      const ids = Array.from({ length: 12 }, (_, index) => `run-${index}`)
      for (const runId of ids) await store.post(owner, { type: 'cancel', runId, reason: 'enough' })
      await store.post('another', { type: 'cancel', runId: 'theirs' })
      const taken = await store.takePosted(owner)
      assert.deepEqual(
        taken.map(command => command.runId),
        ids,
      )
      assert.deepEqual(taken[0], { type: 'cancel', runId: 'run-0', reason: 'enough' })
      assert.deepEqual(await store.takePosted(owner), [])
      assert.deepEqual(await store.takePosted('another'), [{ type: 'cancel', runId: 'theirs' }])
    },
  )

  storeTest('task runs that say what they share are kept as any others, whatever comes in between', async store => {
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

  storeTest('thousands of task runs are kept, each with all its states', async store => {
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

let ids = 0
const newId = (what: string) => `${what}-${++ids}`

function flowRun(fields: Partial<FlowRun> = {}, state: State = states.pending(1000)): FlowRun {
  return {
    kind: 'flow-run',
    id: newId('flow-run'),
    name: 'calm-owl',
    flowName: 'etl',
    executor: 'concurrent',
    created: 1000,
    tags: [],
    totalRunTimeMs: 0,
    runCount: 0,
    ...fields,
    state,
  }
}

function taskRun(flowRunId: string, index = 0): TaskRun {
  return {
    kind: 'task-run',
    id: newId('task-run'),
    name: `load-3f9c21d0-${index}`,
    flowRunId,
    taskName: 'load',
    taskKey: '3f9c21d0',
    dynamicKey: index,
    created: 1000,
    tags: [],
    inputs: [],
    state: states.pending(1000),
    totalRunTimeMs: 0,
    runCount: 0,
  }
}

function callsOf(flowRunId: string, taskName: string, tags: readonly string[] = []): TaskCalls {
  return { flowRunId, taskName, taskKey: '3f9c21d0aa', tags, runName: undefined }
}

/** A task run as the engine makes them. */
function callRecord(calls: TaskCalls, number: number, inputKey?: string): CallRecord {
  const { flowRunId, taskName, taskKey, tags, version, captured } = calls
  const record = {
    ...taskRun(flowRunId, number),
    id: taskRunId(flowRunId, number),
    name: taskRunName(taskName, taskKey, number),
    taskName,
    taskKey,
    tags,
    inputs: [{ name: '0', preview: inputKey === undefined ? String(number) : 'Array(3)' }],
    inputHash: inputKey ?? (captured === undefined ? String(number) : `${number}@${captured}`),
    taskVersion: version,
  }
  // What only says the same once more is not part of what is compared.
  const constants = inputKey === undefined ? [number] : undefined
  const more: Pick<CallRecord, 'calls' | 'number' | 'constants' | 'inputKey'> = { calls, number, constants, inputKey }
  for (const key of Object.keys(more)) Object.defineProperty(more, key, { enumerable: false })
  return Object.defineProperties({ ...record, ...more }, Object.getOwnPropertyDescriptors(more))
}

async function change(store: Store, run: Run, state: State): Promise<void> {
  enter(run, state)
  await store.appendState(run, state)
}

function resultOf({ run: { state } }: StoredRun): unknown {
  assert.equal(state.type, 'COMPLETED')
  return state.type === 'COMPLETED' ? state.result : undefined
}

async function idsOf(listed: Promise<StoredRun[]>): Promise<string[]> {
  return (await listed).map(({ run }) => run.id)
}

/** A record without what makes it more than data: no brand, no fields that are `undefined`, errors as their texts. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return { ...value, name: value.name, message: value.message }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Object.prototype.toString.call(value) !== '[object Object]')
    return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, plain(field)]),
  )
}
