import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { states } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { removeResultsOf, sweepResults } from '../../lib/store/result-files.js'
import { codec } from '../../lib/values/json.js'
import { callOf, calls } from './fixtures/calls.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'

async function opened(t: Test, folder = t.testdir()) {
  const store = new JsonStore({ folder })
  const warnings: string[] = []
  await store.open({ owner: `engine-${++openings}`, codec, warn: message => void warnings.push(message) })
  t.teardown(() => store.close())
  return { store, folder, warnings }
}
let openings = 0

const large = (letter: string) => ({ text: letter.repeat(100_000) })

/** A flow run with tasks that have completed with these results. */
async function completed(store: JsonStore, flowRunId: string, results: readonly unknown[]) {
  await store.createFlowRun(flowRun(flowRunId))
  const series = calls(flowRunId)
  for (const [number, result] of results.entries()) {
    const run = number % 2 === 0 ? callOf(series, number) : taskRun(`${flowRunId}-${number}`, flowRunId)
    store.createTaskRun(run)
    await change(store, run, states.completed(2000, result))
  }
}

async function resultsOf(store: JsonStore, flowRunId: string): Promise<unknown[]> {
  const runs = await store.listTaskRuns(flowRunId)
  return runs.map(({ run: { state } }) => state.type === 'COMPLETED' && state.result)
}

function filesOf(folder: string): string[] {
  const names = readdirSync(`${folder}/results`, { recursive: true, encoding: 'utf8' })
  return names.filter(name => name.endsWith('.json'))
}

test('large results are kept in files, the same one once, and read back in batches and alone', async t => {
  const { store, folder } = await opened(t)
  const results = [large('a'), large('b'), large('a'), large('a'), 'small']
  await completed(store, 'one', results)
  t.strictSame(await resultsOf(store, 'one'), results)
  t.strictSame((await store.getTaskRun('one-1'))?.run.state, states.completed(2000, results[1]))
  t.equal(filesOf(folder).filter(name => name.startsWith('pool')).length, 2)
  await completed(store, 'two', [large('a')])
  t.equal(filesOf(folder).filter(name => name.startsWith('pool')).length, 2)
  t.equal(new Set(filesOf(folder).map(name => statSync(`${folder}/results/${name}`).ino)).size, 2, 'hard links')
  const size = readdirSync(`${folder}/journals`).reduce(
    (sum, name) => sum + statSync(`${folder}/journals/${name}`).size,
    0,
  )
  t.ok(size < 10_000, `${size} bytes of journal`)
  t.strictSame(readdirSync(`${folder}/tmp`), [])
})

test('the result of a flow run has a file, too', async t => {
  const { store } = await opened(t)
  const run = flowRun('flow')
  await store.createFlowRun(run)
  await change(store, run, states.completed(2000, large('f')))
  const state = (await store.getFlowRun('flow'))?.run.state
  t.strictSame(state?.type === 'COMPLETED' && state.result, large('f'))
})

test('a file that is missing or damaged costs its result, and says so', async t => {
  const { store, folder } = await opened(t)
  await completed(store, 'one', [large('a'), large('b')])
  const [first, second] = filesOf(folder).filter(name => name.startsWith('of')) as [string, string]
  rmSync(`${folder}/results/${first}`)
  const path = `${folder}/results/${second}`
  const bytes = readFileSync(path)
  bytes[5000]! ^= 1
  writeFileSync(path, bytes)
  const reasons = (await resultsOf(store, 'one')) as { notPersisted: string }[]
  t.match(reasons.map(({ notPersisted }) => notPersisted).sort(), [
    /^its file is damaged: .*json$/,
    /^its file is missing: .*json$/,
  ])
  t.equal(
    (await store.listTaskRuns('one')).every(({ run }) => run.state.type === 'COMPLETED'),
    true,
  )
  await completed(store, 'two', [large('a'), large('b')])
  t.strictSame(await resultsOf(store, 'two'), [large('a'), large('b')], 'what is damaged in the pool is not passed on')
})

test('what no flow run needs any more is swept, and nothing else', async t => {
  const { store, folder } = await opened(t)
  await completed(store, 'one', [large('a'), large('b')])
  await completed(store, 'two', [large('b')])
  t.equal(await sweepResults(folder), 0)
  removeResultsOf(folder, 'one')
  t.equal(await sweepResults(folder), 100_011)
  t.strictSame(await resultsOf(store, 'two'), [large('b')])
  removeResultsOf(folder, 'two')
  await sweepResults(folder)
  t.strictSame(filesOf(folder), [])
})

test('what is swept while somebody links it is not lost to them', async t => {
  const { store, folder } = await opened(t)
  await completed(store, 'one', [large('a')])
  removeResultsOf(folder, 'one')
  // The sweeper has seen that it is nobody's; now it is somebody's; now the sweeper removes it.
  const [pooled] = filesOf(folder)
  await completed(store, 'two', [large('a')])
  rmSync(`${folder}/results/${pooled}`)
  t.strictSame(await resultsOf(store, 'two'), [large('a')])
  await completed(store, 'three', [large('a')])
  t.strictSame(await resultsOf(store, 'three'), [large('a')])
})

test('large results of the cache are kept for the cache: they outlive their flow run, and go with a newer one', async t => {
  const { store, folder } = await opened(t)
  await completed(store, 'one', [large('a')])
  store.putCached('key', { state: states.completed(1, large('a')), runId: 'one-0' })
  removeResultsOf(folder, 'one')
  await sweepResults(folder)
  t.strictSame(store.getCached('key')?.state.result, large('a'))
  store.putCached('key', { state: states.completed(2, large('b')), runId: 'two-0' })
  t.strictSame(store.getCached('key')?.state.result, large('b'))
  store.putCached('key', { state: states.completed(1, large('c')), runId: 'late' })
  t.strictSame(store.getCached('key')?.state.result, large('b'), 'an older one that comes late changes nothing')
  await sweepResults(folder)
  t.equal(filesOf(folder).length, 2)
  rmSync(`${folder}/results/cached`, { recursive: true })
  t.equal(store.getCached('key'), undefined, 'a file that is gone is a miss')
})

test('where results cannot be written, runs complete, and say why there is none', async t => {
  const { store, folder } = await opened(t)
  writeFileSync(`${folder}/results`, 'in the way')
  await completed(store, 'one', [large('a'), 5])
  const [first, second] = await resultsOf(store, 'one')
  t.match(first, { notPersisted: /^its file could not be written: / })
  t.equal(second, 5)
  t.ok(existsSync(`${folder}/results`))
})

test('where hard links do not work, each flow run has a copy', async t => {
  const script = fileURLToPath(new URL('fixtures/no-links.mjs', import.meta.url))
  const { stdout } = spawnSync(process.execPath, [script, t.testdir()], { encoding: 'utf8' })
  t.strictSame(JSON.parse(stdout), [true, true, false, true, []])
})
