import { test } from 'tap'
import { form, Results, slotTextBytes } from '../../lib/threads/results.js'

const pair = () => {
  const memory = new SharedArrayBuffer(Results.bytes)
  return [new Results(memory, 0), new Results(memory, 0)] as const
}

test('small results are kept exactly', async t => {
  const [pool, thread] = pair()
  const lone = '\ud800'
  for (const value of [
    1,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 60,
    null,
    undefined,
    true,
    false,
    '',
    'é€😀',
    'x'.repeat(slotTextBytes),
  ]) {
    t.ok(thread.keep(5, value))
    t.strictSame(pool.of(5), value)
    if (typeof value === 'number') t.ok(Object.is(pool.of(5), value))
  }
  for (const value of [lone, 'x'.repeat(slotTextBytes + 1), '€'.repeat(slotTextBytes / 2), {}, [], 1n]) {
    t.notOk(thread.keep(5, value))
  }
  t.ok(thread.keepJson(5, '{"a":[1,"é"]}'))
  t.strictSame(pool.of(5), { a: [1, 'é'] })
  thread.keepForm(5, form.posted)
  t.equal(pool.formOf(5), form.posted)
})
