import * as fs from 'node:fs'
import { type Test, test } from 'tap'
import { isMintakaError } from '../../lib/core/errors.js'
import { Journal, type JournalFs, type JournalOptions } from '../../lib/store/journal.js'

const header = '{"h":{}}\n'
const closed = (seq: number) => `{"c":0,"q":${seq}}\n`

function journalIn(t: Test, options: Partial<JournalOptions> = {}) {
  const path = `${t.testdir()}/a.ndjson`
  const warnings: string[] = []
  const journal = new Journal({
    file: attempt => (attempt === 0 ? path : path.replace('a.', `a.${attempt + 1}.`)),
    header,
    durability: 'process',
    warn: message => warnings.push(message),
    ...options,
  })
  return { journal, path, warnings, read: () => fs.readFileSync(path, 'utf8') }
}

/** `node:fs`, whose writes are counted and cut as `limit` says: how many bytes of so many, or what is thrown. */
function countingFs(limit: (bytes: number) => number = bytes => bytes) {
  const writes: number[] = []
  const write = (fd: number, bytes: Buffer, offset: number, length: number, position: number) => {
    const count = fs.writeSync(fd, bytes, offset, limit(length), position)
    writes.push(count)
    return count
  }
  return { writes, fs: { ...fs, writeSync: write as typeof fs.writeSync } as JournalFs }
}

function noSpace(): never {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

test('a journal that nothing is written to makes no file', async t => {
  const { journal, path } = journalIn(t)
  t.equal(journal.acknowledged(), undefined)
  await journal.close(closed)
  t.notOk(fs.existsSync(path))
})

test('lines of one turn go out in one write, in order, and share an acknowledgement', async t => {
  const { writes, fs } = countingFs()
  const { journal, read } = journalIn(t, { fs })
  journal.append('1\n')
  const first = journal.acknowledged()
  journal.append('2\n')
  const second = journal.acknowledged()
  t.equal(first, second)
  t.equal(writes.length, 0)
  await first
  t.equal(read(), `${header}1\n2\n`)
  t.equal(writes.length, 1)
  journal.append('3\n')
  const third = journal.acknowledged()
  t.not(third, first)
  await third
  t.equal(read(), `${header}1\n2\n3\n`)
  t.equal(writes.length, 2)
  await journal.close(closed)
})

test('a line is in the file when it is acknowledged', async t => {
  const { journal, read } = journalIn(t)
  for (let index = 0; index < 100; index += 1) {
    journal.append(`${index}\n`)
    await journal.acknowledged()
    t.ok(read().endsWith(`\n${index}\n`))
  }
  await journal.close(closed)
})

test('a producer that never leaves the microtask queue is written as it goes', async t => {
  const { writes, fs } = countingFs()
  const { journal } = journalIn(t, { fs })
  const line = `${'x'.repeat(1023)}\n`
  let turns = 0
  setImmediate(() => (turns += 1))
  for (let index = 0; index < 2000; index += 1) {
    journal.append(line)
    await undefined
  }
  t.equal(turns, 0, 'the loop had no turn in all that time')
  t.ok(writes.length >= 7, `${writes.length} writes`)
  await journal.close(closed)
})

test('what a large line has pushed out is acknowledged at once', async t => {
  const { journal, read } = journalIn(t)
  journal.append('small\n')
  const before = journal.acknowledged()
  journal.append(`${'x'.repeat(300 * 1024)}\n`)
  t.equal(journal.acknowledged(), undefined)
  t.equal(read().length, header.length + 6 + 300 * 1024 + 1)
  await before
  await journal.close(closed)
})

test('a line that still grows ends when another follows, at the end of the turn, and when all is written', async t => {
  const { journal, read } = journalIn(t)
  /** A line that has grown by as many letters as it was added to. */
  const growing = (letter: string) => {
    const line = { text: letter, end: (seq: number) => `${seq}${line.text}\n` }
    journal.begin(line)
    return line
  }
  const a = growing('a')
  const ack = journal.acknowledged()
  a.text += 'a'
  journal.append('2\n')
  growing('b').text += 'b'
  t.equal(journal.next(), 4, 'it has ended')
  growing('c').text += 'c'
  t.equal(journal.acknowledged(), ack)
  await ack
  t.equal(read(), `${header}1aa\n2\n3bb\n4cc\n`)
  growing('d')
  journal.flush()
  t.match(read(), /\n5d\n$/)
  growing('e')
  await journal.close(closed)
  t.match(read(), /\n5d\n6e\n\{"c":0,"q":7\}\n$/)
  journal.begin(a)
  t.equal(journal.next(), 8, 'nothing is added any more')
})

test('the last line says that the journal is closed', async t => {
  const { journal, read } = journalIn(t)
  journal.append('1\n')
  await journal.close(closed)
  t.equal(read(), `${header}1\n{"c":0,"q":2}\n`)
  await t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED' })
})

test('a journal never writes into a file that is there already', async t => {
  const { journal, path } = journalIn(t)
  fs.writeFileSync(path, 'of another\n')
  journal.append('1\n')
  await journal.close(closed)
  t.equal(fs.readFileSync(path, 'utf8'), 'of another\n')
  t.match(journal.path, /a\.2\.ndjson$/)
  t.match(fs.readFileSync(journal.path!, 'utf8'), /^\{"h":.*\n1\n/)
})

test('a short write is carried on where it stopped', async t => {
  const { writes, fs } = countingFs(bytes => Math.min(bytes, 7))
  const { journal, read } = journalIn(t, { fs })
  for (let index = 0; index < 20; index += 1) journal.append(`line ${index} ünd 💥\n`)
  await journal.acknowledged()
  t.ok(writes.length > 20)
  t.equal(read(), header + Array.from({ length: 20 }, (_, index) => `line ${index} ünd 💥\n`).join(''))
  await journal.close(closed)
})

test('a write of nothing is a failure, not an endless loop', async t => {
  const { fs } = countingFs(() => 0)
  const { journal } = journalIn(t, { fs })
  journal.append('1\n')
  await t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED' })
  await t.rejects(journal.close(closed), { code: 'STORE_WRITE_FAILED' })
})

test('on a full disk nothing is acknowledged, nothing is lost, and no line is glued to a fragment', async t => {
  let room = Number.POSITIVE_INFINITY
  const { fs } = countingFs(bytes => {
    if (room === 0) noSpace()
    const count = Math.min(bytes, room)
    room -= count
    return count
  })
  const { journal, read, warnings } = journalIn(t, { fs })
  journal.append('one\n')
  await journal.acknowledged()
  room = 6
  journal.append('two\n')
  journal.append('three\n')
  const failed = journal.acknowledged()!
  await t.rejects(failed, { code: 'STORE_WRITE_FAILED', message: /a\.ndjson could not be written: ENOSPC/ })
  t.equal(read(), `${header}one\ntwo\nth`)
  journal.append('four\n')
  await t.rejects(journal.acknowledged()!, { code: 'STORE_WRITE_FAILED' })
  t.equal(warnings.length, 1, 'one outage, one warning')
  room = Number.POSITIVE_INFINITY
  journal.append('five\n')
  await journal.acknowledged()
  t.equal(read(), `${header}one\ntwo\nthree\nfour\nfive\n`)
  await journal.close(closed)
  t.match(read(), /five\n\{"c":0,"q":6\}\n$/)
})

test('a journal whose disk stays full closes with whole lines and says how many are lost', async t => {
  let room = header.length + 6
  const { fs } = countingFs(bytes => {
    if (room === 0) noSpace()
    const count = Math.min(bytes, room)
    room -= count
    return count
  })
  const { journal, read } = journalIn(t, { fs })
  journal.append('one\n')
  journal.append('two\n')
  await t.rejects(journal.close(closed), { code: 'STORE_WRITE_FAILED', message: /ENOSPC.* 2 lines could not be saved/ })
  t.equal(read(), `${header}one\n`)
})

test('nobody has to listen to an acknowledgement, also if it is refused', async t => {
  const { journal } = journalIn(t, { fs: countingFs(noSpace).fs })
  journal.append('1\n')
  journal.acknowledged()
  await new Promise(resolve => setImmediate(resolve))
  await t.rejects(journal.close(closed))
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
  const turn = () => new Promise(resolve => setImmediate(resolve))
  journal.append('1\n')
  journal.acknowledged()!.then(() => events.push('1'))
  await turn()
  t.equal(read(), `${header}1\n`)
  for (const line of ['2', '3']) {
    journal.append(`${line}\n`)
    journal.acknowledged()!.then(() => events.push(line))
    await turn()
  }
  t.strictSame(events, [])
  t.equal(pending.length, 1, 'one at a time')
  reached()
  await turn()
  t.strictSame(events, ['1'])
  reached()
  await turn()
  t.strictSame(events, ['1', '2', '3'])
  journal.append('4\n')
  const failed = journal.acknowledged()!
  await turn()
  reached(new Error('EIO'))
  await failed.catch(error => events.push(isMintakaError(error) ? error.code : 'another error'))
  t.equal(events.at(-1), 'STORE_WRITE_FAILED')
  const end = journal.close(closed)
  await turn()
  reached()
  await end
})
