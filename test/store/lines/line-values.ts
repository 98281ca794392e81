import { test } from 'tap'
import { states } from '../../../lib/core/state.js'
import { seal } from '../../../lib/store/lines/seal.js'
import { thisProcess } from '../../../lib/store/process-id.js'
import { codec } from '../../../lib/values/json.js'
import { folderWith, unfinishedJournal } from '../fixtures/left-behind.js'
import { change, flowRun, taskRun } from '../fixtures/runs.js'
import { opened } from '../fixtures/sessions.js'

test('a result that cannot be kept leaves its run COMPLETED, with the reason', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder, { maxResultBytes: 1024 * 1024 })
  const refused = {
    'too-large': 'x'.repeat(1024 * 1024 + 1),
    function: () => 1,
  }
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  for (const [id, result] of Object.entries(refused)) {
    const run = taskRun(id, 'flow')
    store.createTaskRun(run)
    await change(store, run, states.completed(2000, result))
  }
  const reasons = (await store.listTaskRuns('flow')).map(
    ({ run: { state } }) => state.type === 'COMPLETED' && state.result,
  )
  t.match(reasons, [{ notPersisted: /^too large: 1\.0 MiB, the limit is 1\.0 MiB$/ }, { notPersisted: /function/ }])
})

test('an error that cannot be kept as it is keeps its text', async t => {
  const { store } = await opened(t, t.testdir())
  const run = flowRun('flow')
  await store.createFlowRun(run)
  const huge = Object.assign(new RangeError('far too much'), { everything: 'x'.repeat(2 * 1024 * 1024) })
  await change(store, run, states.failed(2000, huge))
  const state = (await store.getFlowRun('flow'))?.run.state
  t.match(state, { type: 'FAILED', message: 'far too much', error: { name: 'RangeError', message: 'far too much' } })
})

test('a cached result that cannot be kept is a warning', async t => {
  const { store, warnings } = await opened(t, t.testdir())
  await store.putCached('key', { state: states.completed(1, () => 1), runId: 'run-1' })
  t.equal(await store.getCached('key'), undefined)
  t.match(warnings, [/^The result of run run-1 is not in the cache: /])
})

test('a value that cannot be read any more costs that value, not the list', async t => {
  const lines = (await unfinishedJournal(t, thisProcess())).replace(
    /^(.*)\{"an":"answer"\},"z".*\n/m,
    (_, before: string) => seal(`${before}{"$mintaka":"of the future"}}\n`),
  )
  const strict = {
    ...codec,
    decode(text: string) {
      if (text.includes('future')) throw new Error('unknown tag')
      return codec.decode(text)
    },
  }
  const { store } = await opened(t, folderWith(t, lines), { codec: strict })
  const state = (await store.getTaskRun('done'))?.run.state
  t.match(state, { type: 'COMPLETED', result: { notPersisted: 'cannot be read: unknown tag' } })
})
