import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { MintakaError } from '../../../lib/core/errors.js'
import { states } from '../../../lib/core/state.js'
import { thisProcess } from '../../../lib/store/process-id.js'
import { deadProcess, folderWith, unfinishedJournal } from '../fixtures/left-behind.js'
import { change, flowRun } from '../fixtures/runs.js'
import { opened } from '../fixtures/sessions.js'

test('a journal that ends anywhere in its last three lines opens, and loses only what is torn', async t => {
  const journal = await unfinishedJournal(t, deadProcess())
  const ends = [...journal.matchAll(/\n/g)].map(match => match.index + 1)
  const folder = t.testdir({ journals: {} })
  const path = `${folder}/journals/w.0001.ndjson`
  let tried = 0
  for (let end = journal.length; end >= ends.at(-4)!; end -= 1) {
    tried += 1
    writeFileSync(path, journal)
    truncateSync(path, end)
    const whole = ends.findLast(each => each <= end)!
    for (const readOnly of [true, false]) {
      const { store, warnings } = await opened(t, folder, { readOnly })
      const runs = await store.listTaskRuns('flow')
      const created = journal.slice(0, whole).match(/^\{"t":/gm)?.length
      const entered = journal.slice(0, whole).match(/^\{"u":/gm)?.length
      const count = runs.reduce((sum, { states }) => sum + states.filter(({ name }) => name !== 'Crashed').length, 0)
      if (runs.length !== created || count !== created! + entered! || warnings.some(text => text.includes('damaged')))
        t.fail(`at byte ${end}, ${readOnly ? 'reading' : 'writing'}: ${runs.length} runs, ${warnings}`)
      if (!readOnly && readFileSync(path, 'utf8') !== journal.slice(0, whole)) t.fail(`not cut at byte ${end}`)
      await store.close()
    }
    // What the next opening finds is another journal.
    rmSync(`${folder}/journals/w.ended`)
  }
  t.ok(tried > 200, `${tried} ends`)
})

test('a line in the middle that nobody understands costs that line, and a warning', async t => {
  const lines = (await unfinishedJournal(t, thisProcess())).split('\n')
  lines.splice(2, 0, '\0\0\0', '{"f":"half', 'null', '')
  const { store, warnings } = await opened(t, folderWith(t, lines.join('\n')))
  t.equal((await store.getFlowRun('flow'))?.states.length, 2)
  t.equal((await store.listTaskRuns('flow')).length, 4)
  t.match(warnings, [/^4 lines of .*w\.0001\.ndjson are damaged and left out/])
})

test('what a damaged writer adds to a run that has ended is ignored', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  const run = flowRun('flow')
  await store.createFlowRun(run)
  await change(store, run, states.cancelled(2000, new MintakaError('CANCELLED', 'Enough.')))
  await change(store, run, states.completed(2001, 'late'))
  const stored = await store.getFlowRun('flow')
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Cancelled'],
  )
  t.equal(stored?.run.endTime, 2000)
})

test('a damaged cache entry, claim or command does no harm', async t => {
  const folder = t.testdir()
  const { store, warnings } = await opened(t, folder)
  await store.putCached('key', { state: states.completed(1, { a: 1 }), runId: 'run-1' })
  const [name] = readdirSync(`${folder}/cache`)
  for (const text of ['', '{"k":"key","run":"run-1","is":"Compl', 'null\n', '[]\n']) {
    writeFileSync(`${folder}/cache/${name}`, text)
    t.equal(await store.getCached('key'), undefined, text)
  }
  mkdirSync(`${folder}/inbox/me`)
  writeFileSync(`${folder}/inbox/me/0.json`, '{"type":')
  await store.post('me', { type: 'cancel', runId: 'run-1' })
  t.strictSame(await store.takePosted('me'), [{ type: 'cancel', runId: 'run-1' }])
  t.match(warnings, [/^A command was not understood: .*0\.json/])
})
