import { execFile } from 'node:child_process'
import { inspect, promisify } from 'node:util'
import { type Call, flow, type RunFuture, task } from 'mintaka'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const one = task('one', () => 1)
const boom = Object.assign(new TypeError('boom'), { code: 'E_BOOM', order: 7 })
const fail = task('fail', async (): Promise<number> => {
  throw boom
})

test('await gives the value, or throws the very error that was thrown', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    t.equal(await one(), 1)
    t.equal(await thrownBy(() => fail()), boom)
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
  t.equal(await thrownBy(() => engine.run(flow('g', () => fail()))), boom)
})

test('a future is a promise: then, catch, finally, result, Promise.all', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const [a, b] = [one(), fail()]
    t.equal(await a.then(x => x + 1), 2)
    t.equal(await a.result(), 1)
    t.equal(await b.catch(error => error), boom)
    t.equal(await b.then(null, error => error), boom)
    let ended = 0
    t.equal(await a.finally(() => void ended++), 1)
    await t.rejects(
      b.finally(() => void ended++),
      boom,
    )
    t.equal(ended, 2)
    t.strictSame(await Promise.all([a, one(), 5]), [1, 1, 5])
    t.equal(await Promise.race([a, new Promise(() => {})]), 1)
    await t.rejects(Promise.all([one(), fail()]), boom)
    t.match(await Promise.allSettled([a, b]), [{ status: 'fulfilled' }, { status: 'rejected', reason: boom }])
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
})

test('state is where the run stands now', async t => {
  const engine = engineFor(t)
  const [begun, gate] = [deferred(), deferred()]
  const slow = task('slow', async () => {
    begun.resolve()
    await gate.promise
    return 5
  })
  const run = engine.run(
    flow('f', async () => {
      const future = slow()
      t.equal(future.state.name, 'Pending')
      await begun.promise
      t.match(future.state, { type: 'RUNNING', attempt: 1 })
      gate.resolve()
      await future
      t.match(future.state, { type: 'COMPLETED', result: 5 })
      return 'ok'
    }),
  )
  t.equal(await run, 'ok')
})

test('wait gives the settled state and never throws', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    t.match(await fail().wait(), { type: 'FAILED', name: 'Failed', error: boom, message: 'boom' })
    t.match(await one().wait(), { type: 'COMPLETED', result: 1 })
    t.match(
      await one
        .with({ waitFor: [fail()] })()
        .wait(),
      { type: 'PENDING', name: 'NotReady' },
    )
    return 'ok'
  })
  t.match(await engine.run(f).wait(), { type: 'COMPLETED', result: 'ok' })
})

test('wait gives up when its time runs out or its signal fires, and the run goes on', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const run = engine.run(
    flow('f', async () => {
      await gate.promise
      return 'end'
    }),
  )
  t.equal(await run.wait({ timeoutMs: 1 }), undefined)
  t.equal(await run.wait({ signal: AbortSignal.abort() }), undefined)
  const controller = new AbortController()
  const waiting = run.wait({ signal: controller.signal, timeoutMs: 60_000 })
  controller.abort()
  t.equal(await waiting, undefined)
  gate.resolve()
  t.match(await run.wait({ timeoutMs: Number.POSITIVE_INFINITY }), { result: 'end' }, 'for ever is no time at all')
  t.match(await run.wait({ signal: AbortSignal.abort() }), { result: 'end' }, 'it has settled')
})

test('wait leaves no timer and no listener behind', async t => {
  const engine = engineFor(t)
  const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  const gate = deferred()
  const run = engine.run(flow('f', () => gate.promise))
  await atRest()
  const before = timers()
  const controller = new AbortController()
  const waits = Array.from({ length: 20 }, () => run.wait({ timeoutMs: 60_000, signal: controller.signal }))
  t.equal(timers(), before + 20)
  gate.resolve()
  await Promise.all(waits)
  t.ok(timers() <= before)
})

test('one signal for many runs and many waits draws no warning', async t => {
  const engine = engineFor(t)
  const warnings: Error[] = []
  const warn = (warning: Error) => warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const { signal } = new AbortController()
  const f = flow('f', () => {
    const runs = Array.from({ length: 50 }, () => one.with({ signal })())
    return { runs, waits: runs.map(run => run.wait({ signal })).length }
  })
  await engine.run(f.with({ signal }))
  await atRest()
  t.strictSame(warnings, [])
})

test('a future is readable in logs and as JSON', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const run = one.with({ name: 'first' })()
    await run
    t.equal(inspect(run), `TaskFuture { first (${run.id}) Completed }`)
    t.strictSame(JSON.parse(JSON.stringify(run)), { id: run.id, name: 'first', state: 'Completed' })
    t.equal(Object.prototype.toString.call(run), '[object RunFuture]')
    return 'ok'
  })
  const run = engine.run(f.with({ name: 'amber-heron' }))
  await run
  t.equal(inspect(run), `FlowFuture { amber-heron (${run.id}) Completed }`)
})

test('a future that was awaited late still has its end', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const [a, b] = [one(), fail()]
    await Promise.all([a.wait(), b.wait()])
    await atRest()
    t.equal(await a, 1)
    t.equal(await thrownBy(() => b), boom)
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
})

test('what has settled stays as it is, whatever is asked of it', async t => {
  const engine = engineFor(t)
  const ends: RunFuture<unknown>[] = []
  const run = engine.run(
    flow('f', async () => {
      ends.push(one(), fail())
      await Promise.all(ends.map(end => end.wait()))
      t.strictSame(
        (await Promise.all(ends.map(end => end.cancel('too late')))).map(({ name }) => name),
        ['Completed', 'Failed'],
      )
      return 'ok'
    }),
  )
  await run
  t.equal((await run.cancel('too late')).name, 'Completed')
  await engine.cancel(run.id, 'too late')
  t.equal(run.state.name, 'Completed')
  t.strictSame(await history(engine, run), ['Pending', 'Running', 'Completed'])
})

const script = new URL('fixtures/watched.mjs', import.meta.url)
const rows: [string, number][] = [
  ['nobody watches a task run', 0],
  ['nobody watches a subflow run', 0],
  ['nobody watches', 1],
  ['await later', 1],
  ['then', 0],
  ['catch', 0],
  ['wait', 0],
  ['result', 0],
  ['cancel', 0],
  ['engine.cancel by id', 0],
  ['close after a timeout', 0],
]
for (const [name, unhandled] of rows) {
  test(`unhandled rejections of a failure when the case is '${name}': ${unhandled}`, async t => {
    const { stdout } = await promisify(execFile)(process.execPath, [script.pathname, name])
    const counts = JSON.parse(stdout) as { unhandled: string[]; uncaught: string[] }
    t.equal(counts.unhandled.length, unhandled)
    t.strictSame(counts.uncaught, [])
  })
}

test('the future of a call is a promise as it is; that of map becomes one when it is asked', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const [called, mapped] = [one(), task('echo', (x: number) => x).map([5])[0] as RunFuture<number>]
    t.ok(called instanceof Promise)
    t.equal(Promise.resolve(called), called, 'nothing is wrapped around it')
    t.equal(called.then(() => 0).constructor, Promise)
    t.notOk('state' in called.then(() => 0), 'what its then gives is no future')
    t.equal(await mapped, 5)
    t.strictSame(await Promise.all([called, mapped]), [1, 5])
    t.equal(called.result(), called)
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
})

test('a result whose then throws harms nobody who does not await it', async t => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const engine = engineFor(t)
  const result = Object.defineProperty({}, 'then', {
    get() {
      throw boom
    },
  })
  const executor = {
    name: 'elsewhere',
    start: async () => ({
      where: 'elsewhere' as const,
      submit(call: Call) {
        setImmediate(() => call.ended({ type: 'returned', value: result }))
        return undefined
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
  const f = flow('f', async () => (await one().wait()).type, { executor })
  t.equal(await engine.run(f), 'COMPLETED')
  await atRest()
  t.strictSame(unhandled, [])
})
