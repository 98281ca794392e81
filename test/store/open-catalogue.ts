import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { states } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { seal } from '../../lib/store/lines/seal.js'
import { thisProcess } from '../../lib/store/process-id.js'
import { codec } from '../../lib/values/json.js'
import { formatOne } from './fixtures/left-behind.js'
import { change, flowRun } from './fixtures/runs.js'
import { opened } from './fixtures/sessions.js'

test('a store of a newer format is read as far as it is understood, and never written', async t => {
  const folder = t.testdir()
  const { store: before } = await opened(t, folder)
  const run = flowRun('a')
  await before.createFlowRun(run)
  await change(before, run, states.completed(2000, 1))
  await before.close()
  const newer = '{"format":7,"generation":1,"shape":"unknown"}'
  writeFileSync(`${folder}/catalogue.json`, newer)
  const header = { format: 7, owner: 'w', process: thisProcess(), created: 1 }
  const lines = [{ h: header }, { h: header }, { y: 'of the future', q: 1 }]
  const journal = lines.map(line => seal(`${JSON.stringify(line)}\n`)).join('')
  writeFileSync(`${folder}/journals/w.0001.ndjson`, journal)
  const refused = new JsonStore({ folder })
  await t.rejects(refused.open({ owner: 'a', codec, warn: message => t.fail(message) }), {
    code: 'STORE_FORMAT',
    message: /has format 7; this version of Mintaka writes formats up to 3.*Use a newer Mintaka, or set MINTAKA_HOME/,
  })
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  t.strictSame(
    (await store.listFlowRuns()).map(({ run }) => run.id),
    ['a'],
  )
  t.strictSame(warnings, [])
  t.equal(readFileSync(`${folder}/catalogue.json`, 'utf8'), newer)
  t.equal(readFileSync(`${folder}/journals/w.0001.ndjson`, 'utf8'), journal)
})

test('a catalogue of an older format is brought to this one, and kept as it was', async t => {
  const old = '{"format":2,"generation":0,"flows":{"etl":{"lastRun":7}}}'
  const folder = t.testdir({ 'catalogue.json': old, journals: { 'w.ndjson': await formatOne(t, thisProcess()) } })
  const { store, warnings } = await opened(t, folder)
  t.equal((await store.listTaskRuns('flow')).length, 4)
  t.match(JSON.parse(readFileSync(`${folder}/catalogue.json`, 'utf8')), {
    format: 3,
    generation: 0,
    flows: { etl: { lastRun: 7 } },
    segments: [],
  })
  t.equal(readFileSync(`${folder}/catalogue.format-2.json`, 'utf8'), old)
  t.strictSame(warnings, [])
})

test('a damaged or foreign catalogue is rebuilt, and what it was is kept', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  const runs = [flowRun('a', { file: '/old.ts' }), flowRun('b', { created: 2000, file: '/new.ts' })]
  for (const run of [...runs, flowRun('c', { flowName: '__proto__' })]) {
    await store.createFlowRun(run)
    await change(store, run, states.completed(2001, 1))
  }
  await store.close()
  const path = `${folder}/catalogue.json`
  const whole = readFileSync(path, 'utf8')
  const flipped = whole.replace('"generation": 0', '"generation": 1')
  for (const text of ['', whole.slice(0, 20), 'null', '[]', '{"name":"of something else"}', flipped]) {
    writeFileSync(path, text)
    const reader = await opened(t, folder, { readOnly: true })
    t.equal((await reader.store.listFlowRuns()).length, 3, text)
    t.match(reader.warnings, [/catalogue\.json is damaged\. What it held is read from the history/])
    const again = await opened(t, folder)
    t.match(again.warnings, [/was damaged\. It has been rebuilt from the history and the journals; what it was is in/])
    const kept = /is in (.*damaged-.*\.json)\.$/.exec(again.warnings[0] ?? '')?.[1] ?? ''
    t.equal(readFileSync(kept, 'utf8'), text)
    t.equal((await again.store.listFlowRuns()).length, 3)
    await again.store.close()
  }
})
