import { test } from 'tap'
import { allowFailure, isFuture } from '../../lib/core/future.js'
import { runInPlace } from '../../lib/core/in-place.js'

const add = (a: number, b: number) => a + b

test('what is synchronous has settled at once', async t => {
  const future = runInPlace('add', add, [1, 2])
  t.match(future.state, { type: 'COMPLETED', name: 'Completed', result: 3 })
  t.ok(isFuture(future))
  t.match(future, { kind: 'task-run', name: 'add', id: /^in-place-\d+$/ })
  t.equal(await future, 3)
  t.equal(await future.result(), 3)
  t.equal((await future.wait()).type, 'COMPLETED')
  t.match(JSON.stringify(future), /"state":"Completed"/)
})

test('what is asynchronous runs, then settles', async t => {
  const future = runInPlace('later', async (x: number) => x + 1, [1])
  t.equal(future.state.name, 'Running')
  t.equal(await future, 2)
  t.equal(future.state.name, 'Completed')
  t.equal(await future.finally(() => {}), 2)
})

test('a failure that nobody looks at is no unhandled rejection', async t => {
  let unhandled = 0
  const count = () => unhandled++
  process.on('unhandledRejection', count)
  t.teardown(() => process.off('unhandledRejection', count))
  const error = new Error('no')
  const sync = runInPlace('fails', () => {
    throw error
  }, [])
  const async = runInPlace('fails later', async () => {
    throw error
  }, [])
  t.equal((await async.wait()).name, 'Failed')
  await new Promise(resolve => setImmediate(resolve))
  t.equal(unhandled, 0)
  t.match(sync.state, { type: 'FAILED', error })
  await t.rejects(sync, error)
  t.equal(await async.catch(caught => caught), error)
})

test('futures among the arguments are waited for, at any depth', async t => {
  const one = runInPlace('one', () => 1, [])
  const two = runInPlace('two', async () => 2, [])
  const now = runInPlace('now', (list: number[]) => list, [[one, 5]])
  t.match(now.state, { result: [1, 5] }, 'settled ones are there at once')
  const later = runInPlace('later', (value: unknown) => value, [{ list: [one, two], map: new Map([['k', two]]) }])
  t.equal(later.state.type, 'PENDING')
  t.strictSame(await later, { list: [1, 2], map: new Map([['k', 2]]) })
})

test('what waits for a failure does not run, and throws the root', async t => {
  const root = new Error('root')
  const failed = runInPlace('failed', async () => {
    throw root
  }, [])
  let ran = false
  const next = runInPlace('next', () => {
    ran = true
  }, [failed])
  const last = runInPlace('last', () => {
    ran = true
  }, [[next]])
  t.equal((await last.wait()).name, 'NotReady')
  await t.rejects(last, {
    code: 'UPSTREAM_NOT_COMPLETED',
    cause: root,
    message: /'last' did not run: 'next'.* is NotReady/,
  })
  t.notOk(ran)
  const allowed = runInPlace('allowed', (state: { name: string }) => state.name, [allowFailure(failed)])
  t.equal(await allowed, 'Failed')
})

test('wait() gives up when time runs out or its signal fires', async t => {
  const never = runInPlace('never', () => new Promise(() => {}), [])
  t.equal(await never.wait({ timeoutMs: 1 }), undefined)
  t.equal(await never.wait({ signal: AbortSignal.abort() }), undefined)
  const controller = new AbortController()
  const waiting = never.wait({ signal: controller.signal })
  controller.abort()
  t.equal(await waiting, undefined)
  const done = runInPlace('done', () => 1, [])
  t.match(await done.cancel(), { type: 'COMPLETED' }, 'what has settled stays as it is')
})

test('a wait() that its signal ended leaves no timer behind', async t => {
  const never = runInPlace('never', () => new Promise(() => {}), [])
  const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  const before = timers()
  await never.wait({ timeoutMs: 60_000, signal: AbortSignal.abort() })
  const controller = new AbortController()
  const waiting = never.wait({ timeoutMs: 60_000, signal: controller.signal })
  controller.abort()
  t.equal(await waiting, undefined)
  t.equal(timers(), before)
  const done = runInPlace('done', async () => 1, [])
  t.match(await done.wait({ timeoutMs: Number.POSITIVE_INFINITY }), { result: 1 }, 'for ever is no time at all')
})
