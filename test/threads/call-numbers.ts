import { test } from 'tap'
import { after, between } from '../../lib/threads/call-numbers.js'

test('calls are counted for ever', async t => {
  const last = 0x0fffffff
  t.equal(after(1), 2)
  t.equal(after(last), 1)
  t.equal(between(5, 9), 4)
  t.equal(between(last, 2), 2, 'the last and the first')
})
