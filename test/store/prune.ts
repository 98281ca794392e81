import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs'
import tap, { test } from 'tap'
import { states } from '../../lib/core/state.js'
import { type KnownRun, mayGo, mustGo } from '../../lib/store/known-runs.js'
import { verifyStore } from '../../lib/store/verify.js'
import { change, flowRun } from './fixtures/runs.js'
import { carryOut, fold, idsOf, manySessions, opened } from './fixtures/sessions.js'

tap.setTimeout(120_000)

const known = (created: number, fields: Partial<KnownRun> = {}): KnownRun => ({
  created,
  since: created + 5,
  hasEnded: true,
  parent: undefined,
  isFinal: true,
  ...fields,
})

test('what may go: the oldest that have ended, with all below them', t => {
  const runs = new Map([
    ['old', known(1)],
    ['child', known(2, { parent: 'old' })],
    ['grandchild', known(3, { parent: 'child' })],
    ['running', known(4, { hasEnded: false })],
    ['middle', known(5)],
    ['with a running child', known(6)],
    ['still running', known(7, { parent: 'with a running child', hasEnded: false })],
    ['of a live engine', known(8, { isFinal: false })],
    ['orphan', known(9, { parent: 'gone' })],
    ['new', known(10)],
  ])
  const going = (limits: object, now = 100) => [...mayGo(runs, limits, now)].sort()
  const all = ['child', 'grandchild', 'middle', 'new', 'old', 'orphan']
  t.strictSame(going({ keep: 0 }), all)
  t.strictSame(
    going({ keep: 1 }),
    all.filter(id => id !== 'new'),
  )
  t.strictSame(going({ keep: 5 }), ['child', 'grandchild', 'old'])
  t.strictSame(going({ keep: 100 }), [])
  t.strictSame(going({ olderThanMs: 93 }), ['child', 'grandchild', 'old'])
  t.strictSame(going({ olderThanMs: 0 }), all)
  t.strictSame(going({ keep: 5, olderThanMs: 0 }), ['child', 'grandchild', 'old'])
  t.strictSame(going({ keep: 0, olderThanMs: 93 }), ['child', 'grandchild', 'old'])
  t.end()
})

test('what is asked to go goes with all below it, or nothing does', t => {
  const runs = new Map([
    ['old', known(1)],
    ['child', known(2, { parent: 'old' })],
    ['grandchild', known(3, { parent: 'child' })],
    ['running', known(4, { hasEnded: false })],
    ['with a running child', known(6)],
    ['still running', known(7, { parent: 'with a running child', hasEnded: false })],
    ['of a live engine', known(8, { isFinal: false })],
    ['orphan', known(9, { parent: 'gone' })],
  ])
  t.strictSame([...mustGo(runs, ['old', 'orphan', 'old'])], ['old', 'child', 'grandchild', 'orphan'])
  const refused = (id: string, code: string, why: RegExp) =>
    t.throws(() => mustGo(runs, ['old', id]), { code, message: why, run: id })
  refused('nobody', 'NOT_FOUND', /There is no flow run 'nobody'/)
  refused('child', 'NOT_DELETABLE', /it is part of flow run 'old': delete that one/)
  refused('running', 'NOT_DELETABLE', /it has not ended/)
  refused('with a running child', 'NOT_DELETABLE', /its subflow run 'still running' has not ended/)
  refused('of a live engine', 'NOT_DELETABLE', /the process that carried it out goes on/)
  t.end()
})

test('flow runs are deleted by id, from journals and from the history, and their keys are free again', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 6)
  await fold(t, folder)
  const { store } = await opened(t, folder)
  await carryOut(store, 'parent', 2000)
  await carryOut(store, 'child', 2001, { parent: 'parent' })
  await store.claim('flow-run:parent', 'somebody')
  await t.rejects(store.deleteFlowRuns(['parent']), { code: 'NOT_DELETABLE' }, 'its engine goes on')
  await store.close()
  const { store: next } = await opened(t, folder)
  t.match(await next.deleteFlowRuns(['parent', 'run-2'], { dryRun: true }), { flowRuns: 3 })
  t.equal((await next.listFlowRuns()).length, 8)
  t.match(await next.deleteFlowRuns(['parent', 'run-2']), { flowRuns: 3, claims: 1 })
  t.strictSame(idsOf(await next.listFlowRuns()).sort(), ['run-0', 'run-1', 'run-3', 'run-4', 'run-5'])
  t.match(await next.claim('flow-run:parent', 'another'), { isNew: true })
  await t.rejects(next.deleteFlowRuns(['parent']), { code: 'NOT_FOUND' })
  await next.close()
  t.strictSame((await verifyStore(folder)).problems, [])
})

test('old flow runs go with all that belongs to them; the others stay as they are', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 10)
  const { store: reader, warnings } = await opened(t, folder, { readOnly: true })
  const before = idsOf(await reader.listFlowRuns())
  const { store } = await opened(t, folder, { historyBytes: 3000 })
  const big = { end: states.completed(20, 'x'.repeat(100_000)) }
  await carryOut(store, 'large', 10, big)
  await store.claim('key of large', 'large')
  await store.claim('key of another', before[0]!)
  await store.putCached('old', { state: states.completed(1, 1), runId: 'large', expires: 5 })
  await store.putCached('new', { state: states.completed(1, 1), runId: 'large' })
  await store.close()
  t.equal(readdirSync(`${folder}/results/of`).length, 1)

  const { store: pruning, warnings: told } = await opened(t, folder)
  t.match(await pruning.prune({ keep: 4, dryRun: true }), { flowRuns: 7 })
  t.equal((await reader.listFlowRuns()).length, 11, 'nothing has gone yet')
  const pruned = await pruning.prune({ keep: 4 })
  t.match(pruned, { flowRuns: 7, cacheEntries: 1, claims: 1 })
  t.ok(pruned.bytes > 100_000)
  t.strictSame(idsOf(await reader.listFlowRuns()), before.slice(0, 4))
  t.strictSame(await reader.getFlowRun('large'), undefined)
  t.equal((await reader.listTaskRuns(before[0]!)).length, 2)
  t.equal((await reader.listLogs(before[3]!)).length, 1)
  t.strictSame([...readdirSync(`${folder}/results/of`)], [])
  t.strictSame(
    readdirSync(`${folder}/results/pool`).flatMap(shelf => readdirSync(`${folder}/results/pool/${shelf}`)),
    [],
  )
  t.equal(await pruning.getCached('old'), undefined)
  t.ok(await pruning.getCached('new'))
  t.ok((await pruning.claim('key of large', 'again')).isNew)
  await carryOut(pruning, 'later', 5000)
  await pruning.close()
  t.strictSame(await fold(t, folder), [])
  t.strictSame(idsOf(await reader.listFlowRuns()), ['later', ...before.slice(0, 4)])
  t.strictSame([...warnings, ...told], [])
  t.strictSame((await verifyStore(folder)).problems, [])
  const files = readdirSync(`${folder}/history`)
  const { segments } = JSON.parse(readFileSync(`${folder}/catalogue.json`, 'utf8'))
  t.strictSame(files.sort(), segments.map(({ name }: { name: string }) => `${name}.ndjson`).sort())
})

test('everything may go, and the store goes on', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 3)
  const { store } = await opened(t, folder)
  t.match(await store.prune({ olderThanMs: 0 }), { flowRuns: 3 })
  t.strictSame(await store.listFlowRuns(), [])
  await carryOut(store, 'next', 7000)
  await store.close()
  await fold(t, folder)
  const { store: reader } = await opened(t, folder, { readOnly: true })
  t.strictSame(idsOf(await reader.listFlowRuns()), ['next'])
  t.strictSame((await verifyStore(folder)).problems, [])
})

test('what runs stays, and what is above it', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  const parent = flowRun('parent')
  await store.createFlowRun(parent)
  await carryOut(store, 'child', 2000, { parent: 'parent' })
  t.match(await store.prune({ keep: 0 }), { flowRuns: 0 })
  await change(store, parent, states.completed(3000, 1))
  t.match(await store.prune({ keep: 0 }), { flowRuns: 0 }, 'of an engine that still lives')
  await store.close()
  const { store: later } = await opened(t, folder)
  t.match(await later.prune({ keep: 0 }), { flowRuns: 2 })
})

test('an inbox goes when its engine has gone', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder, { owner: 'alive' })
  await carryOut(store, 'one', 2000)
  for (const owner of ['alive', 'gone', 'just now']) await store.post(owner, { type: 'cancel', runId: 'one' })
  const old = new Date(Date.now() - 3_600_000)
  for (const owner of ['alive', 'gone']) utimesSync(`${folder}/inbox/${owner}`, old, old)
  t.match(await store.prune({ keep: 10 }), { inboxes: 1 })
  t.notOk(existsSync(`${folder}/inbox/gone`))
  t.ok(existsSync(`${folder}/inbox/alive`))
})

test('prune needs to be told what to keep, and a store that is open for writing', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  await t.rejects(store.prune({}), { code: 'INVALID_OPTION', message: /keep, olderThanMs or both/ })
  await t.rejects(store.prune({ keep: -1 }), { code: 'INVALID_OPTION' })
  const { store: reader } = await opened(t, folder, { readOnly: true })
  await t.rejects(reader.prune({ keep: 1 }), { code: 'STORE_WRITE_FAILED' })
})
