import { test } from 'tap'
import { seal } from '../../../lib/store/lines/seal.js'
import { closed, countingFs, journalIn, line, nextTurn, segment, smallDisk } from '../fixtures/journals.js'

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

test('nobody has to listen to an acknowledgement, also if it is refused', async t => {
  const disk = smallDisk()
  disk.room = 0
  const { journal } = journalIn(t, { fs: disk.fs })
  journal.append(line('1'))
  journal.acknowledged()
  await nextTurn()
  await t.rejects(journal.close(closed))
})
