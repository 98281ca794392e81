import { test } from 'tap'
import type { Submission } from '../../../lib/executors/dask/submission.js'
import { hear } from '../../../lib/executors/dask/worker-events.js'

test('what is no event of a worker is passed over', async t => {
  const heard: unknown[] = []
  const told =
    (what: string) =>
    (...args: unknown[]) =>
      void heard.push([what, ...args])
  const call = { log: told('log'), printed: told('printed'), progress: told('progress') }
  const submission = { call, started: told('started'), stopped: told('stopped') } as unknown as Submission
  const open = new Map([['key', submission]])
  const strange = [null, 7, [], ['started', 'key'], ['started', 'key', 'now'], ['log', 'key', 'loud', 'text', null, 1]]
  hear(
    [...strange, ['printed', 'key', 'info', 5, 1], ['progress', 'key', 'half'], ['else', 'key'], ['stopped', 'other']],
    open,
  )
  hear('text', open)
  t.strictSame(heard, [])
  hear([['printed', 'key', 'info', 'text', 1]], open)
  t.strictSame(heard, [['printed', 'info', 'text', 1]])
})
