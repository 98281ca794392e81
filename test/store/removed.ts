import { mkdirSync, rmSync, unlinkSync } from 'node:fs'
import { createEngine, type EngineEvent, flow, JsonStore, task } from 'mintaka'
import { test } from 'tap'
import { until } from '../deployments/fixtures/until.js'
import { silent } from '../engine/fixtures/engine.js'
import { closed, journalIn, line, nextTurn, segment } from './fixtures/journals.js'

// Somebody removes the files of a store that is in use. Whoever has them open is not told, and could write into them for ever.

test('what is written after the folder was removed is not acknowledged until the folder is there again', async t => {
  const { journal, folder, read, warnings } = journalIn(t, { durability: 'power' })
  journal.append(line('one'))
  await journal.acknowledged()
  rmSync(folder, { recursive: true })
  journal.append(line('two'))
  let isSafe = false
  const ack = journal.acknowledged()!.then(() => (isSafe = true))
  await until(async () => journal.degraded !== undefined)
  await nextTurn()
  t.equal(isSafe, false)
  t.match(warnings, [
    /could not be written: it has been removed, with all that was in it\. The folder .* has been removed: make it again\. What/,
  ])
  mkdirSync(folder)
  await ack
  t.equal(journal.degraded, undefined)
  await journal.close(closed)
  t.equal(read('a.0002.ndjson'), segment(2, [line('two'), closed(3)]))
})

test('what was acknowledged and is not on the disk yet when its file is removed is written once more', async t => {
  const { journal, folder, read, warnings } = journalIn(t)
  journal.append(line('one'))
  await journal.acknowledged()
  unlinkSync(`${folder}/a.0001.ndjson`)
  await until(async () => warnings.length === 2)
  t.match(warnings, [/it has been removed/, /can be written again, in .*a\.0002\.ndjson/])
  t.equal(read('a.0002.ndjson'), segment(2, [line('one')]))
  await journal.close(closed)
})

test('who waits for a line when a journal without a folder is closed is told that it is lost', async t => {
  const { journal, folder, warnings } = journalIn(t, { durability: 'power' })
  journal.append(line('one'))
  await journal.acknowledged()
  rmSync(folder, { recursive: true })
  journal.append(line('two'))
  const refused = t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED', message: /has been removed/ })
  await until(async () => journal.degraded !== undefined)
  await journal.close(closed)
  await refused
  t.match(warnings.at(-1), /has been removed/)
})

test('who clears the folder away and then closes the store is told, and not refused', async t => {
  const { journal, folder, warnings } = journalIn(t)
  journal.append(line('one'))
  await journal.acknowledged()
  rmSync(folder, { recursive: true })
  await journal.close(closed)
  t.match(warnings, [/has been removed/])
})

test('an engine whose store is removed says so, and keeps what it acknowledges once the folder is there again', async t => {
  const folder = t.testdir()
  const engine = createEngine({ store: new JsonStore({ folder }), logger: silent })
  t.teardown(() => engine.close({ timeoutMs: 0 }))
  const events: EngineEvent['type'][] = []
  void (async () => {
    for await (const event of engine.events()) if (event.type.startsWith('store-')) events.push(event.type)
  })()
  const one = task('one', () => 1)
  const job = flow('job', () => one())
  t.equal(await engine.run(job), 1)
  rmSync(folder, { recursive: true })
  const run = engine.run(job)
  await until(async () => events.length === 1)
  mkdirSync(`${folder}/journals`, { recursive: true })
  t.equal(await run, 1)
  await until(async () => events.length === 2)
  t.strictSame(events, ['store-degraded', 'store-restored'])
  t.match((await engine.flowRuns.get(run.id))?.run, { state: { type: 'COMPLETED', result: 1 } })
})
