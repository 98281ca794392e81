import * as fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { Journal, type JournalOptions } from '../../lib/store/journal.js'
import { seal } from '../../lib/store/seal.js'
import type { JournalFs } from '../../lib/store/segment.js'

const line = (name: string) => `{"l":"${name}"}\n`
const header = (journal: string, segment: number) => `{"h":"${journal} ${segment}"}\n`
const closed = (seq: number) => `{"c":0,"q":${seq}}\n`
/** The text of a segment with these lines. */
const segment = (number: number, lines: readonly string[], journal = 'a') =>
  [header(journal, number), header(journal, number), ...lines].map(seal).join('')

function journalIn(t: Test, options: Partial<JournalOptions> = {}) {
  const folder = t.testdir()
  const warnings: string[] = []
  const journal = new Journal({
    folder,
    name: 'a',
    header,
    durability: 'process',
    warn: message => warnings.push(message),
    ...options,
  })
  const read = (name = 'a.0001.ndjson') => fs.readFileSync(`${folder}/${name}`, 'utf8')
  return { journal, folder, warnings, read, files: () => fs.readdirSync(folder).sort() }
}

/** `node:fs`, whose writes are counted and cut as `limit` says: how many bytes of so many, or what is thrown. */
function countingFs(limit: (bytes: number, position: number) => number = bytes => bytes) {
  const writes: number[] = []
  const write = (fd: number, bytes: Buffer, offset: number, length: number, position: number) => {
    const count = fs.writeSync(fd, bytes, offset, limit(length, position), position)
    writes.push(count)
    return count
  }
  return { writes, fs: { ...fs, writeSync: write as typeof fs.writeSync } satisfies JournalFs }
}

/** A disk on which there is so much room. */
function smallDisk(code = 'ENOSPC') {
  const disk = { room: Number.POSITIVE_INFINITY, ...countingFs() }
  disk.fs = countingFs(bytes => {
    if (disk.room <= 0) fail(code)
    const count = Math.min(bytes, disk.room)
    disk.room -= count
    return count
  }).fs
  return disk
}

function fail(code: string): never {
  throw Object.assign(new Error(`${code}: it failed`), { code })
}

/** A disk whose syncs are decided upon one by one; `undefined`: it has worked. */
function disk(outcome: (sync: number) => string | undefined) {
  let syncs = 0
  const error = () => {
    const code = outcome(++syncs)
    return code === undefined ? null : Object.assign(new Error(`${code}: it failed`), { code })
  }
  const fdatasync = (_fd: number, done: (error: NodeJS.ErrnoException | null) => void) => setImmediate(done, error())
  const fdatasyncSync = () => {
    const failure = error()
    if (failure) throw failure
  }
  return { syncs: () => syncs, fs: { ...fs, fdatasync, fdatasyncSync } as unknown as JournalFs }
}

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

test('a journal that nothing is written to makes no file', async t => {
  const { journal, files } = journalIn(t)
  t.equal(journal.acknowledged(), undefined)
  await journal.close(closed)
  t.strictSame(files(), [])
})

test('lines of one turn go out in one write, in order, and share an acknowledgement', async t => {
  const { writes, fs } = countingFs()
  const { journal, read } = journalIn(t, { fs })
  journal.append(line('1'))
  const first = journal.acknowledged()
  journal.append(line('2'))
  const second = journal.acknowledged()
  t.equal(first, second)
  t.equal(writes.length, 0)
  await first
  t.equal(read(), segment(1, [line('1'), line('2')]))
  t.equal(writes.length, 1)
  journal.append(line('3'))
  const third = journal.acknowledged()
  t.not(third, first)
  await third
  t.equal(read(), segment(1, [line('1'), line('2'), line('3')]))
  t.equal(writes.length, 2)
  await journal.close(closed)
})

test('a line is in the file when it is acknowledged', async t => {
  const { journal, read } = journalIn(t)
  for (let index = 0; index < 100; index += 1) {
    journal.append(line(`${index}`))
    await journal.acknowledged()
    t.ok(read().endsWith(`\n${seal(line(`${index}`))}`))
  }
  await journal.close(closed)
})

test('a producer that never leaves the microtask queue is written as it goes', async t => {
  const { writes, fs } = countingFs()
  const { journal } = journalIn(t, { fs })
  const long = line('x'.repeat(1000))
  let turns = 0
  setImmediate(() => (turns += 1))
  for (let index = 0; index < 2000; index += 1) {
    journal.append(long)
    await undefined
  }
  t.equal(turns, 0, 'the loop had no turn in all that time')
  t.ok(writes.length >= 7, `${writes.length} writes`)
  await journal.close(closed)
})

test('what a large line has pushed out is acknowledged at once', async t => {
  const { journal, read } = journalIn(t)
  journal.append(line('small'))
  const before = journal.acknowledged()
  journal.append(line('x'.repeat(300 * 1024)))
  t.equal(journal.acknowledged(), undefined)
  t.equal(read(), segment(1, [line('small'), line('x'.repeat(300 * 1024))]))
  await before
  await journal.close(closed)
})

test('a line that still grows ends when another follows, at the end of the turn, and when all is written', async t => {
  const { journal, read } = journalIn(t)
  /** A line that has grown by as many letters as it was added to. */
  const growing = (letter: string) => {
    const open = { text: letter, end: (seq: number) => line(`${seq}${open.text}`) }
    journal.begin(open)
    return open
  }
  const a = growing('a')
  const ack = journal.acknowledged()
  a.text += 'a'
  journal.append(line('2'))
  growing('b').text += 'b'
  t.equal(journal.next(), 4, 'it has ended')
  growing('c').text += 'c'
  t.equal(journal.acknowledged(), ack)
  await ack
  t.equal(read(), segment(1, ['1aa', '2', '3bb', '4cc'].map(line)))
  growing('d')
  journal.flush()
  t.ok(read().endsWith(seal(line('5d'))))
  growing('e')
  await journal.close(closed)
  t.ok(read().endsWith([line('5d'), line('6e'), closed(7)].map(seal).join('')))
  journal.begin(a)
  t.equal(journal.next(), 8, 'nothing is added any more')
})

test('the last line says that the journal is closed', async t => {
  const { journal, read } = journalIn(t)
  journal.append(line('1'))
  await journal.close(closed)
  t.equal(read(), segment(1, [line('1'), closed(2)]))
  await t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED' })
})

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

test('nobody has to listen to an acknowledgement, also if it is refused', async t => {
  const disk = smallDisk()
  disk.room = 0
  const { journal } = journalIn(t, { fs: disk.fs })
  journal.append(line('1'))
  journal.acknowledged()
  await nextTurn()
  await t.rejects(journal.close(closed))
})

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
