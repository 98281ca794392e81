import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { states } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { codec } from '../../lib/values/json.js'
import { change, flowRun } from './fixtures/runs.js'

// A store as earlier versions left it: a journal of format 1, three of format 2, of which one is that of a process that
// died and was ended.

const sample = fileURLToPath(new URL('fixtures/format-2', import.meta.url))
const journals = () => readdirSync(`${sample}/journals`).sort()

async function opened(t: Test, options: { readonly readOnly: boolean }) {
  const folder = t.testdir()
  cpSync(sample, folder, { recursive: true })
  const store = new JsonStore({ folder })
  await store.open({ owner: 'new', codec, warn: message => t.fail(message), ...options })
  t.teardown(() => store.close())
  return { store, folder }
}

for (const readOnly of [true, false]) {
  const how = readOnly ? 'only reads it' : 'writes'

  test(`the runs in a store of formats 1 and 2 are there for who ${how}`, async t => {
    const { store } = await opened(t, { readOnly })
    const runs = (await store.listFlowRuns()).map(({ run, states, owner }) => [
      run.id,
      owner,
      ...states.map(({ name }) => name),
    ])
    t.strictSame(runs.sort(), [
      ['done', 'whole', 'Pending', 'Running', 'Completed'],
      ['lost', 'crashed', 'Pending', 'Running', 'Crashed'],
      ['older', 'older', 'Pending', 'Running', 'Completed'],
      ['second', 'whole', 'Pending', 'Failed'],
    ])
    const done = (await store.getFlowRun('done'))?.run
    t.match(done, { file: 'flows/etl.js', parameters: '7', endTime: 1011, state: { result: { sum: 3 } } })
    t.match((await store.getFlowRun('lost'))?.run.state, { timestamp: 3004, message: /^The process 4711 that carried/ })

    const tasks = await store.listTaskRuns('done')
    t.strictSame(
      tasks.map(({ run, states }) => [run.id, ...states.map(({ name }) => name)]),
      [
        ...[0, 1, 2, 3].map(number => [`done-${number}`, 'Pending', 'Running', 'Completed']),
        ['failed', 'Pending', 'Running', 'Failed'],
      ],
    )
    t.strictSame(
      tasks.slice(0, 4).map(({ run: { state } }) => state.type === 'COMPLETED' && state.result),
      [1, 7n, undefined, 'four'],
    )
    t.match(tasks[4]?.run.state, { error: { name: 'RangeError', message: 'no room' } })
    t.strictSame(
      (await store.listTaskRuns('lost')).map(({ run }) => run.state.name),
      ['Completed', 'Crashed'],
    )
    t.equal((await store.getTaskRun('older-4'))?.run.state.name, 'Failed')
    t.match(await store.listLogs('done'), [{ taskRunId: 'failed', message: 'a line', fields: { a: 1 } }])
    t.match(await store.getCached('key'), { runId: 'done-0', state: { result: { cached: true } } })
  })
}

test('what is written into an older store goes into files of the present format; the older ones stay as they are', async t => {
  const { store, folder } = await opened(t, { readOnly: false })
  const run = flowRun('new')
  await store.createFlowRun(run)
  await change(store, run, states.completed(5000, 1))
  await store.close()
  t.strictSame(
    readdirSync(`${folder}/journals`).filter(name => !journals().includes(name)),
    ['new.0001.ndjson'],
  )
  for (const name of journals())
    t.equal(
      readFileSync(`${folder}/journals/${name}`, 'utf8'),
      readFileSync(`${sample}/journals/${name}`, 'utf8'),
      name,
    )
})

test('an engine whose older journal is there already writes one of another name', async t => {
  const folder = t.testdir()
  cpSync(sample, folder, { recursive: true })
  for (const [owner, name] of [
    ['whole', 'whole-s2.0001.ndjson'],
    ['crashed', 'crashed-s2.0001.ndjson'],
  ]) {
    const store = new JsonStore({ folder })
    await store.open({ owner: owner!, codec, warn: message => t.fail(message) })
    await store.createFlowRun(flowRun(`of-${owner}`))
    await store.close()
    t.ok(readdirSync(`${folder}/journals`).includes(name!))
  }
})
