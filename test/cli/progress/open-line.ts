import { test } from 'tap'
import { OpenLine } from '../../../lib/cli/progress/open-line.js'

const shown = (line: OpenLine, columns = 20) => line.lines(columns).map(({ text }) => text)

test('a line is given when it is whole; until then it is shown', async t => {
  const line = new OpenLine()
  t.strictSame(shown(line), [])
  t.equal(line.take('one\ntwo\nth'), 'one\ntwo\n')
  t.strictSame(shown(line), ['th'])
  t.equal(line.take('ree'), '')
  t.strictSame(shown(line), ['three'])
  t.equal(line.take('\n'), 'three\n')
  t.strictSame(shown(line), [])
})

test('of a line that is too long its end is shown; what was written over itself, as it is last', async t => {
  const line = new OpenLine()
  line.take(`${'.'.repeat(50)}end`)
  t.match(shown(line)[0], /^\.{6}end$/)
  line.take('\r50 %\r51 %')
  t.strictSame(shown(line), ['51 %'])
  line.take('\r')
  t.strictSame(shown(line), ['51 %'])
  line.take('\u001b[1G\u001b[2K\u001b[32m⠋\u001b[39m spins')
  t.strictSame(shown(line), ['⠋ spins'])
  t.match(line.take('\n'), /^\.{50}end\r50 %\r51 %\r/, 'it is given as it was written')
})

test('a line that never ends is ended, and does not grow without end', async t => {
  const line = new OpenLine()
  let given = ''
  for (let dot = 0; dot < 10_000; dot++) given += line.take('.')
  t.match(given, /^\.{4097}\n\.{4097}\n$/)
  t.equal(line.end(), '.'.repeat(10_000 - 2 * 4097))
  t.equal(line.end(), '')
})
