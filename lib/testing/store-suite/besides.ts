import assert from 'node:assert/strict'
import { states } from '../../core/state.js'
import { flowRun, plain, type StoreTest } from './runs.js'

/** What a store keeps besides runs: logs, results by cache key, claims and commands. */
export function besidesTests(test: StoreTest): void {
  test('log lines are read in the order in which they were written', async store => {
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

  test('the newest cache entry wins, expired or not', async store => {
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

  test('a claim is given to one only, and everyone learns to whom', async store => {
    const given = await Promise.all(['a', 'b', 'c'].map(value => store.claim('monday/06:00', value)))
    const [first] = given.filter(({ isNew }) => isNew)
    assert.equal(given.filter(({ isNew }) => isNew).length, 1)
    assert.ok(given.every(({ value }) => value === first?.value))
    assert.deepEqual(await store.claim('monday/06:00', 'd'), { ...first, isNew: false })
    const other = { value: 'd', isNew: true, generation: 1, isOrphaned: false }
    assert.deepEqual(await store.claim('tuesday/06:00', 'd'), other)
  })

  test('a claim that was given back goes to one of those who want it, and no further', async store => {
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

  test('commands are taken once, in the order in which they were posted, by whom they are for', async (store, owner) => {
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
  })
}
