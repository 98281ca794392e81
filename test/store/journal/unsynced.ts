import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import type { JournalFs } from '../../../lib/store/journal/segment.js'
import { closed, countingFs, disk, journalIn, line, nextTurn, segment } from '../fixtures/journals.js'

test('with durability power there is room in front of the lines, which is given back at the end', async t => {
  const { writes, fs } = countingFs()
  const { journal, read } = journalIn(t, { fs, durability: 'power', segmentBytes: 100_000 })
  const long = JSON.stringify({ f: 'x'.repeat(1000) })
  for (let index = 0; index < 50; index += 1) {
    journal.append(`${long}\n`)
    await journal.acknowledged()
  }
  t.equal(writes.length, 51, 'once for all of them')
  t.match(read(), /\n\0+$/)
  for (let index = 50; index < 100; index += 1) journal.append(`${long}\n`)
  await journal.acknowledged()
  t.match(read(), /[^\0]\n$/, 'a segment that is full')
  await journal.close(closed)
  for (const name of ['a.0001.ndjson', 'a.0002.ndjson']) t.notMatch(read(name), /\0/)
})

test('with durability power a line is acknowledged after it has reached the disk, with others that waited', async t => {
  const events: string[] = []
  let pending: ((error: NodeJS.ErrnoException | null) => void)[] = []
  const slow: JournalFs = {
    ...fs,
    fdatasync: ((_fd: number, done: (error: NodeJS.ErrnoException | null) => void) => pending.push(done)) as never,
  }
  const { journal, read } = journalIn(t, { fs: slow, durability: 'power' })
  const reached = (error: NodeJS.ErrnoException | null = null) => {
    const done = pending
    pending = []
    for (const each of done) each(error)
  }
  journal.append(line('1'))
  journal.acknowledged()!.then(() => events.push('1'))
  await nextTurn()
  t.equal(read().replace(/\0+$/, ''), segment(1, [line('1')]))
  for (const name of ['2', '3']) {
    journal.append(line(name))
    journal.acknowledged()!.then(() => events.push(name))
    await nextTurn()
  }
  t.strictSame(events, [])
  t.equal(pending.length, 1, 'one at a time')
  reached()
  await nextTurn()
  t.strictSame(events, ['1'])
  t.ok(journal.acknowledged(), 'what is written is not safe yet')
  reached()
  await nextTurn()
  t.strictSame(events, ['1', '2', '3'])
  t.equal(journal.acknowledged(), undefined)
  const end = journal.close(closed)
  await nextTurn()
  reached()
  await end
})

for (const durability of ['process', 'power'] as const)
  test(`what a failed sync leaves in doubt is written once more, into the next segment: ${durability}`, async t => {
    const { fs, syncs } = disk(sync => (sync === 2 ? 'EIO' : undefined))
    const { journal, read, files, warnings } = journalIn(t, { fs, durability })
    journal.append(line('1'))
    await journal.acknowledged()
    while (syncs() < 1) await nextTurn()
    await nextTurn()
    for (const name of ['2', '3']) journal.append(line(name))
    const ack = journal.acknowledged()
    if (durability === 'power') t.equal(await Promise.race([ack, nextTurn()]), undefined)
    await ack
    if (durability === 'power') t.ok(syncs() >= 3, 'the new segment has been synced')
    while (syncs() < 3 || journal.degraded) await nextTurn()
    journal.append(line('4'))
    await journal.acknowledged()
    await journal.close(closed)
    t.strictSame(files(), ['a.0001.ndjson', 'a.0002.ndjson'])
    t.equal(read(), segment(1, ['1', '2', '3'].map(line)))
    t.equal(read('a.0002.ndjson'), segment(2, [...['2', '3', '4'].map(line), closed(5)]))
    t.match(warnings, [
      /a\.0001\.ndjson could not be written: EIO: it failed\. The disk of .* has failed/,
      /in .*a\.0002/,
    ])
    t.equal(warnings.length, 2)
  })

test('a sync that fails when the journal is closed costs nothing', async t => {
  const { fs } = disk(sync => (sync === 1 ? 'EIO' : undefined))
  const { journal, read } = journalIn(t, { fs })
  journal.append(line('1'))
  await journal.close(closed)
  t.equal(read('a.0002.ndjson'), segment(2, [line('1'), closed(2)]))
})

test('a disk that fails at each sync is tried again less and less often, and told of at the end', async t => {
  let works = false
  const { fs, syncs } = disk(() => (works ? undefined : 'EIO'))
  const { journal } = journalIn(t, { fs, durability: 'power' })
  journal.append(line('1'))
  const ack = journal.acknowledged()
  await sleep(1000)
  t.ok(syncs() >= 3 && syncs() <= 7, `${syncs()} syncs`)
  works = true
  await ack
  works = false
  journal.append(line('2'))
  const lost = journal.acknowledged()!
  await t.rejects(journal.close(closed), { code: 'STORE_WRITE_FAILED', message: /EIO/ })
  await t.rejects(lost, { code: 'STORE_WRITE_FAILED' })
})

test('what is kept for a sync that does not come back is bounded: then the disk is waited for', async t => {
  let forced = 0
  const never = { ...fs, fdatasync: () => {}, fdatasyncSync: () => void (forced += 1) } as unknown as JournalFs
  const { journal } = journalIn(t, { segmentBytes: 64 * 1024 * 1024, fs: never })
  const long = line('x'.repeat(1024 * 1024))
  for (let index = 0; index < 20; index += 1) journal.append(long)
  t.equal(forced, 2)
})
