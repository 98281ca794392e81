import { test } from 'tap'
import { KnownCodes } from '../../lib/threads/known-codes.js'
import type { Code } from '../../lib/threads/protocol.js'

const code = (key: string): Code => ({ key, taskName: key, url: 'file:///tasks.js' })

test('a code has one number, as long as nobody forgets it', async t => {
  const codes = new KnownCodes()
  const first = codes.of(code('a'))
  t.equal(codes.of(code('a')), first)
  t.equal(codes.of(code('b')).number, 1)
  t.equal(codes.forget('a'), 0)
  t.equal(codes.forget('a'), undefined)
})

test('the number of a forgotten code is given to the next one: numbers stay small', async t => {
  const codes = new KnownCodes()
  for (const key of ['a', 'b', 'c']) codes.of(code(key))
  codes.forget('b')
  t.equal(codes.of(code('d')).number, 1)
  t.equal(codes.of(code('e')).number, 3)
})
