import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import type { JournalFs } from '../../../lib/store/journal/segment.js'
import { seal } from '../../../lib/store/lines/seal.js'
import {
  closed,
  countingFs,
  disk,
  fail,
  header,
  journalIn,
  line,
  nextTurn,
  segment,
  smallDisk,
} from '../fixtures/journals.js'

test('a journal goes on in the next segment when one is large; its numbers count over all of them', async t => {
  const { journal, read, files } = journalIn(t, { segmentBytes: 200 })
  for (let index = 0; index < 5; index += 1) {
    journal.append(line('x'.repeat(40)))
    journal.append(line(`${journal.next()}`))
    await journal.acknowledged()
  }
  t.equal(journal.degraded, undefined)
  await journal.close(closed)
  t.strictSame(files(), ['a.0001.ndjson', 'a.0002.ndjson', 'a.0003.ndjson'])
  const x = line('x'.repeat(40))
  t.equal(read(), segment(1, [x, line('2'), x, line('4')]))
  t.equal(read('a.0002.ndjson'), segment(2, [x, line('6'), x, line('8')]))
  t.equal(read('a.0003.ndjson'), segment(3, [x, line('10'), closed(11)]))
})

test('a journal never writes into a file that is there already, and takes no name that has been used', async t => {
  const { journal, folder, read } = journalIn(t, { segmentBytes: 10 })
  const others = ['a.0001.ndjson', 'a-s2.ndjson', 'a-s3.ended', 'a-s4.0002.ndjson']
  for (const name of others) fs.writeFileSync(`${folder}/${name}`, 'of another\n')
  for (const name of ['1', '2']) {
    journal.append(line(name))
    await journal.acknowledged()
  }
  await journal.close(closed)
  for (const name of others) t.equal(read(name), 'of another\n')
  t.equal(read('a-s5.0001.ndjson'), segment(1, [line('1')], 'a-s5'))
  t.equal(read('a-s5.0002.ndjson'), segment(2, [line('2')], 'a-s5'))
})

test('a short write is carried on where it stopped', async t => {
  const { writes, fs } = countingFs(bytes => Math.min(bytes, 7))
  const { journal, read } = journalIn(t, { fs })
  const lines = Array.from({ length: 20 }, (_, index) => line(`${index} ünd 💥`))
  for (const each of lines) journal.append(each)
  await journal.acknowledged()
  t.ok(writes.length > 20)
  t.equal(read(), segment(1, lines))
  await journal.close(closed)
})

test('a write of nothing is a failure, not an endless loop', async t => {
  const { fs } = countingFs(() => 0)
  const { journal } = journalIn(t, { fs })
  journal.append(line('1'))
  const ack = journal.acknowledged()!
  await t.rejects(journal.close(closed), { code: 'STORE_WRITE_FAILED', message: /nothing was written/ })
  await t.rejects(ack, { code: 'STORE_WRITE_FAILED' })
})

test('on a full disk nothing is acknowledged and nothing is lost; when there is room it is written, in order', async t => {
  const disk = smallDisk()
  const told: string[] = []
  const { journal, read, warnings } = journalIn(t, { fs: disk.fs, onDegraded: reason => told.push(reason) })
  journal.append(line('one'))
  await journal.acknowledged()
  disk.room = seal(line('two')).length + 6
  journal.append(line('two'))
  journal.append(line('three'))
  let isSafe = false
  const ack = journal.acknowledged()!.then(() => (isSafe = true))
  await nextTurn()
  t.equal(read(), segment(1, [line('one'), line('two')]), 'the fragment has been cut')
  t.match(told, [/a\.0001\.ndjson could not be written: ENOSPC: it failed\. Make room on the disk of /])
  const over = journal.degraded
  journal.append(line('four'))
  const later = journal.acknowledged()!
  await sleep(250)
  t.equal(isSafe, false)
  t.equal(warnings.length, 1, 'one outage, one warning')
  disk.room = Number.POSITIVE_INFINITY
  await Promise.all([ack, later, over])
  t.equal(journal.degraded, undefined)
  t.match(warnings, [/Nothing is lost so far/, /can be written again/])
  t.equal(warnings.length, 2)
  t.equal(read(), segment(1, ['one', 'two', 'three', 'four'].map(line)))
  await journal.close(closed)
  t.ok(read().endsWith(seal(closed(5))))
})

test('a disk that is full from the first line on leaves nothing half there', async t => {
  const disk = smallDisk()
  const { journal, read } = journalIn(t, { fs: disk.fs })
  disk.room = seal(header('a', 1)).length + 3
  journal.append(line('one'))
  const ack = journal.acknowledged()
  await nextTurn()
  t.equal(read(), '')
  disk.room = Number.POSITIVE_INFINITY
  await ack
  t.equal(read(), segment(1, [line('one')]))
  await journal.close(closed)
})

test('a journal whose disk stays full closes with whole lines, and says what is lost', async t => {
  const disk = smallDisk()
  const lost: string[] = []
  const describe = (lines: readonly Buffer[]) => {
    lost.push(Buffer.concat(lines).toString())
    return `${lines.length} of them.`
  }
  const { journal, read, warnings } = journalIn(t, { fs: disk.fs, describe })
  disk.room = segment(1, [line('one')]).length + 6
  for (const name of ['one', 'two']) journal.append(line(name))
  const ack = journal.acknowledged()!
  await nextTurn()
  const { degraded } = journal
  await t.rejects(journal.close(closed), {
    code: 'STORE_WRITE_FAILED',
    message: /ENOSPC.* 1 of them|ENOSPC.* 2 of them/,
  })
  await t.rejects(ack, { code: 'STORE_WRITE_FAILED', message: /ENOSPC/ })
  await degraded
  t.equal(read(), segment(1, [line('one')]))
  t.strictSame(lost, [seal(line('two')) + seal(closed(3))])
  t.equal(warnings.length, 1)
  await journal.close(closed)
})

test('a disk that has room again when the journal is closed gets everything', async t => {
  const disk = smallDisk()
  const { journal, read } = journalIn(t, { fs: disk.fs })
  disk.room = 0
  journal.append(line('one'))
  const ack = journal.acknowledged()
  await nextTurn()
  disk.room = Number.POSITIVE_INFINITY
  await journal.close(closed)
  await ack
  t.equal(read(), segment(1, [line('one'), closed(2)]))
})

test('a file that cannot grow any more is followed by the next one', async t => {
  for (const code of ['EFBIG', 'EIO']) {
    const limited = countingFs((bytes, position) => {
      if (position >= 150) fail(code)
      return Math.min(bytes, 150 - position)
    })
    const { journal, folder, warnings, files } = journalIn(t, { fs: limited.fs })
    const lines = Array.from({ length: 6 }, (_, index) => line(`${code} ${index}`))
    for (const each of lines) {
      journal.append(each)
      await journal.acknowledged()
    }
    await journal.close(closed)
    t.strictSame(warnings, [])
    const texts = files().map(name => fs.readFileSync(`${folder}/${name}`, 'utf8').split('\n').slice(2, -1))
    t.ok(texts.length > 1)
    t.strictSame(
      texts.flat(),
      [...lines, closed(7)].map(each => seal(each).trimEnd()),
    )
    fs.rmSync(folder, { recursive: true })
  }
})

test('while nothing can be written, what is dispensable is left out beyond a bound, and that is told', async t => {
  const disk = smallDisk()
  disk.room = 0
  const { journal, warnings } = journalIn(t, { fs: disk.fs })
  const long = line('x'.repeat(1024 * 1024))
  for (let index = 0; index < 40; index += 1) if (!journal.leaveOut()) journal.append(long)
  const ack = journal.acknowledged()
  disk.room = Number.POSITIVE_INFINITY
  await ack
  t.match(warnings[1], /can be written again.* \d lines of logs were left out/)
  t.equal(journal.leaveOut(), false)
  await journal.close(closed)
})

for (const durability of ['process', 'power'] as const)
  for (const code of ['ENOSPC', 'EIO', 'EFBIG', 'a short write', 'a failed sync'])
    test(`whichever write it happens at, ${code} costs no line, and repeats none but after a sync (${durability})`, async t => {
      for (let nth = 1; nth <= 8; nth += 1) {
        const { journal, folder } = journalIn(t, { fs: failingAt(nth, code), durability, segmentBytes: 400 })
        const lines: string[] = []
        for (let index = 0; index < 12; index += 1) {
          for (let more = 0; more <= index % 3; more += 1) {
            lines.push(`{"l":"${index}.${more}","q":${journal.next()}}\n`)
            journal.append(lines.at(-1)!)
          }
          await journal.acknowledged()
          const there = new Set(linesIn(folder))
          if (!lines.every(each => there.has(seal(each).trimEnd())))
            t.fail(`at ${nth}: an acknowledged line is missing`)
        }
        await journal.close(closed)
        const there = linesIn(folder)
        const once = there.filter((each, at) => there.indexOf(each) === at)
        t.strictSame(
          once,
          [...lines, closed(journal.lines - 1)].map(each => seal(each).trimEnd()),
          `at ${nth}`,
        )
        if (code !== 'a failed sync') t.equal(there.length, once.length)
        fs.rmSync(folder, { recursive: true })
      }
    })

/** A file system on which the n-th write, or the n-th sync, fails. What a failing write has written before is part of a line. */
function failingAt(nth: number, code: string): JournalFs {
  if (code === 'a failed sync') return disk(sync => (sync === nth ? 'EIO' : undefined)).fs
  let writes = 0
  return {
    ...fs,
    writeSync: ((fd: number, bytes: Buffer, offset: number, length: number, position: number) => {
      writes += 1
      const isShort = writes === nth || (writes === nth + 1 && code !== 'a short write')
      const count = fs.writeSync(fd, bytes, offset, isShort ? Math.floor(length / 2) : length, position)
      if (writes === nth + 1 && code !== 'a short write') fail(code)
      return count
    }) as typeof fs.writeSync,
  }
}

/** The lines of all segments but for their headers, in order. */
function linesIn(folder: string): string[] {
  const names = fs.readdirSync(folder).sort()
  return names.flatMap(name => fs.readFileSync(`${folder}/${name}`, 'utf8').split('\n').slice(2, -1))
}
