import { availableParallelism } from 'node:os'
import { test } from 'tap'
import { defaultThreads, quotaIn } from '../../lib/threads/thread-count.js'

test('as many threads as the process may use processors, one at least', async t => {
  t.equal(
    defaultThreads({}, () => undefined),
    availableParallelism(),
  )
  t.equal(
    defaultThreads({}, () => 0.5),
    1,
  )
  t.equal(
    defaultThreads({}, () => 1e9),
    availableParallelism(),
  )
  t.ok(defaultThreads() >= 1)
})

test('MINTAKA_THREADS has the last word, if it makes sense', async t => {
  t.equal(defaultThreads({ MINTAKA_THREADS: '7' }), 7)
  for (const text of ['', '0', '-1', '1.5', 'many']) {
    t.equal(
      defaultThreads({ MINTAKA_THREADS: text }, () => undefined),
      availableParallelism(),
      text,
    )
  }
})

test('the quota of a control group is a number of processors', async t => {
  t.equal(quotaIn('200000 100000\n'), 2)
  t.equal(quotaIn('150000 100000'), 1.5)
  t.equal(quotaIn('max 100000'), undefined)
  t.equal(quotaIn(''), undefined)
})
