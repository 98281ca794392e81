import { test } from 'tap'
import { LogTail, lineReader } from '../../../lib/dask/clusters/log-tail.js'

test('lines come whole, however the text was cut', async t => {
  const lines: string[] = []
  const read = lineReader(line => lines.push(line), 100)
  for (const piece of ['on', 'e\ntw', 'o\r\n', '\nthr']) read(piece)
  t.strictSame(lines, ['one', 'two', ''])
})

test('of a line without end, its beginning is kept, and no more', async t => {
  const lines: string[] = []
  const read = lineReader(line => lines.push(line), 10)
  for (let piece = 0; piece < 1000; piece += 1) read('0123456')
  read('\nnext\n')
  t.strictSame(lines, ['0123456012', 'next'])
})

test('a tail is what was said last, of both streams', async t => {
  const tail = new LogTail()
  const [stdout, stderr] = [tail.reader(), tail.reader()]
  for (let number = 0; number < 1000; number += 1) stdout(`line ${number}\n`)
  stderr('half a ')
  stdout('out\n')
  stderr('line\n')
  const lines = tail.text().split('\n')
  t.equal(lines.length, 60)
  t.strictSame(lines.slice(-3), ['line 999', 'out', 'half a line'])
})
