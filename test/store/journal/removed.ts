import * as fs from 'node:fs'
import { mkdirSync, rmSync, unlinkSync } from 'node:fs'
import { createEngine, type EngineEvent, flow, JsonStore, task } from 'mintaka'
import { test } from 'tap'
import type { JournalFs } from '../../../lib/store/journal/segment.js'
import { until } from '../../deployments/fixtures/until.js'
import { silent } from '../../engine/fixtures/engine.js'
import { closed, journalIn, line, nextTurn, segment } from '../fixtures/journals.js'

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

test('a file that is removed under a journal is followed by another one, with what the disk may not have had', async t => {
  const syncs: ((failure: null) => void)[] = []
  const slow = { ...fs, fdatasync: (_fd: number, done: (failure: null) => void) => void syncs.push(done) }
  const { journal, folder, read, warnings } = journalIn(t, { fs: slow as unknown as JournalFs })
  for (const name of ['one', 'two']) {
    journal.append(line(name))
    await journal.acknowledged()
  }
  syncs.shift()?.(null) // of the first line
  unlinkSync(`${folder}/a.0001.ndjson`)
  journal.append(line('three'))
  await journal.acknowledged()
  t.match(warnings, [/it has been removed/, /can be written again, in .*a\.0002\.ndjson/])
  t.equal(read('a.0002.ndjson'), segment(2, [line('two'), line('three')]))
  const end = journal.close(closed)
  for (let done = syncs.shift(); done; done = syncs.shift()) done(null)
  await end
})

test('a journal whose folder is gone says what is lost when it is closed', async t => {
  const { journal, folder } = journalIn(t, { durability: 'power' })
  journal.append(line('one'))
  await journal.acknowledged()
  rmSync(folder, { recursive: true })
  journal.append(line('two'))
  const refused = t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED', message: /has been removed/ })
  await until(async () => journal.degraded !== undefined)
  await t.rejects(journal.close(closed), { code: 'STORE_WRITE_FAILED', message: /has been removed/ })
  await refused
})

test('who clears the folder away and then closes the store hears nothing of it', async t => {
  const { journal, folder, warnings } = journalIn(t, { durability: 'power' })
  journal.append(line('one'))
  await journal.acknowledged()
  rmSync(folder, { recursive: true })
  await journal.close(closed)
  t.strictSame(warnings, [])
})

test('an engine whose store is removed says so, and keeps what it acknowledges once the folder is there again', async t => {
  const folder = t.testdir()
  const engine = createEngine({ store: new JsonStore({ folder, durability: 'power' }), logger: silent })
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
