import { Cancelled, Completed, Failed, flow, type RunFuture, type State, task } from 'mintaka'
import { test } from 'tap'
import { atRest, deferred, engineFor, thrownBy } from './fixtures/engine.js'

const ok = task('ok', (x: number) => x)
const boom = new Error('boom')
const bang = new Error('bang')
const fails = task('fails', async (): Promise<number> => {
  throw boom
})
const bangs = task('bangs', (): number => {
  throw bang
})
const waits = task('waits', (x: unknown) => x as number)
const dies = task('dies', () => Cancelled(new Error('by hand')) as never)

/** Starts a run that fails, and gives the value. */
function besides<T>(value: T): T {
  fails()
  return value
}

interface Row {
  readonly when: string
  readonly body: () => unknown
  readonly type: State['type']
  readonly result?: unknown
  readonly message?: string
  readonly error?: unknown
}

// The rows of the rule: what the body returns → the state of the run.
const rows: Row[] = [
  {
    when: 'it threw',
    body: () => {
      throw boom
    },
    type: 'FAILED',
    message: 'boom',
    error: boom,
  },
  {
    when: 'it threw what is no error',
    body: () => {
      throw 'text'
    },
    type: 'FAILED',
    message: 'text',
    error: 'text',
  },
  {
    when: 'it threw undefined',
    body: () => {
      throw undefined
    },
    type: 'FAILED',
    error: undefined,
  },
  { when: 'it rejected', body: async () => Promise.reject(boom), type: 'FAILED', message: 'boom', error: boom },

  {
    when: 'it returned Completed(…)',
    body: () => besides(Completed(5, 'm')),
    type: 'COMPLETED',
    result: 5,
    message: 'm',
  },
  {
    when: 'it returned Failed(…)',
    body: () => Failed(boom, 'by hand'),
    type: 'FAILED',
    message: 'by hand',
    error: boom,
  },
  { when: 'it returned Cancelled(…)', body: () => Cancelled(boom), type: 'CANCELLED', error: boom },
  { when: 'it returned the state of a run', body: async () => ok(3).wait(), type: 'COMPLETED', result: 3 },
  {
    when: 'it returned a failed state',
    body: async () => fails().wait(),
    type: 'FAILED',
    message: 'boom',
    error: boom,
  },
  {
    when: 'it returned a state that is not final',
    body: async () => waits(fails()).wait(),
    type: 'FAILED',
    message: '1 of 1 run is not final',
    error: boom,
  },

  { when: 'it returned one future', body: () => ok(1), type: 'COMPLETED', result: 1 },
  {
    when: 'it returned one future that failed: an aggregate over one',
    body: () => fails(),
    type: 'FAILED',
    message: '1 of 1 run failed',
    error: boom,
  },
  { when: 'an async body returned one future', body: async () => ok(1), type: 'COMPLETED', result: 1 },
  {
    when: 'an async body returned one future that failed: JavaScript has unwrapped it',
    body: async () => fails(),
    type: 'FAILED',
    message: 'boom',
    error: boom,
  },
  {
    when: 'an async body returned one future that waited for a failed one',
    body: async () => waits(fails()),
    type: 'FAILED',
    message: 'boom',
    error: boom,
  },

  { when: 'it returned a list of futures', body: () => [ok(1), ok(2)], type: 'COMPLETED', result: [1, 2] },
  {
    when: 'an async body returned a list of futures',
    body: async () => [ok(1), [ok(2)]],
    type: 'COMPLETED',
    result: [1, [2]],
  },
  {
    when: 'one in a list failed',
    body: () => [ok(1), fails()],
    type: 'FAILED',
    message: '1 of 2 runs failed',
    error: boom,
  },
  {
    when: 'what was returned held futures and values, nested',
    body: () => ({ a: ok(1), b: [ok(2), { c: 'c' }], m: new Map([['k', ok(3)]]), s: new Set([ok(4)]), n: null }),
    type: 'COMPLETED',
    result: { a: 1, b: [2, { c: 'c' }], m: new Map([['k', 3]]), s: new Set([4]), n: null },
  },
  {
    when: 'a value of a plain object failed',
    body: () => ({ deep: { deeper: [fails(), 'plain'] } }),
    type: 'FAILED',
    message: '1 of 1 run failed',
    error: boom,
  },
  {
    when: 'a list held states and futures',
    body: async () => [await ok(1).wait(), ok(2)],
    type: 'COMPLETED',
    result: [1, 2],
  },
  {
    when: 'a list held a failed state',
    body: async () => [await fails().wait(), ok(2)],
    type: 'FAILED',
    message: '1 of 2 runs failed',
    error: boom,
  },
  {
    when: 'a list held one that failed and one that waited for it',
    body: () => {
      const failed = fails()
      return [ok(1), failed, waits(failed)]
    },
    type: 'FAILED',
    message: '1 of 3 runs failed',
    error: boom,
  },
  {
    when: 'all in a list are not final',
    body: () => [waits(fails())],
    type: 'FAILED',
    message: '1 of 1 run is not final',
    error: boom,
  },
  {
    when: 'nothing failed, but something was cancelled',
    body: () => [ok(1), dies()],
    type: 'FAILED',
    message: '1 COMPLETED, 1 CANCELLED',
  },
  { when: 'it returned an empty list', body: () => besides([]), type: 'COMPLETED', result: [] },

  { when: 'it returned nothing and started nothing', body: () => {}, type: 'COMPLETED', result: undefined },
  {
    when: 'it returned nothing and all completed',
    body: () => void [ok(1), ok(2)],
    type: 'COMPLETED',
    result: undefined,
  },
  {
    when: 'it returned nothing and a run failed that it never looked at',
    body: () => void [ok(1), fails()],
    type: 'FAILED',
    message: '1 of 2 runs failed',
    error: boom,
  },
  {
    when: 'it returned nothing and a run failed that it handled',
    body: async () => {
      await fails().catch(() => {})
    },
    type: 'FAILED',
    message: '1 of 1 run failed',
    error: boom,
  },
  {
    when: 'it returned nothing and a subflow failed',
    body: () => void flow('sub', () => Promise.reject(boom))(),
    type: 'FAILED',
    message: '1 of 1 run failed',
    error: boom,
  },
  { when: 'it returned null', body: () => besides(null), type: 'COMPLETED', result: null },
  { when: 'it returned a value, whatever its runs did', body: () => besides('v'), type: 'COMPLETED', result: 'v' },
  {
    when: 'it returned data that looks like a state',
    body: () => ({ type: 'FAILED', name: 'Failed', error: 'data' }),
    type: 'COMPLETED',
    result: { type: 'FAILED', name: 'Failed', error: 'data' },
  },
]

for (const { when, body, type, result, message, error } of rows) {
  test(`the final state when ${when}`, async t => {
    const engine = engineFor(t)
    const run = engine.run(flow('f', body)) as RunFuture<unknown>
    const state = await run.wait()
    t.equal(state.type, type)
    if (message !== undefined) t.equal(state.message, message)
    if (state.type === 'COMPLETED') {
      t.strictSame(state.result, result)
      t.strictSame(await run, result)
    } else {
      const thrown = await thrownBy(() => run)
      t.equal(thrown, 'error' in state ? state.error : undefined)
      if (error !== undefined) t.equal(thrown, error)
    }
  })
}

test('several failures make an AggregateError of the roots, each once, in call order', async t => {
  const engine = engineFor(t)
  const thrown = await thrownBy(() =>
    engine.run(
      flow('f', () => {
        const [a, b] = [fails(), bangs()]
        return { later: waits(b), b, alsoLater: waits(a), again: fails() }
      }),
    ),
  )
  t.ok(thrown instanceof AggregateError)
  t.match(thrown, { message: '2 of 4 runs failed', errors: [boom, bang] })
  t.equal((thrown as AggregateError).errors.length, 2)
})

test('the state of a run that failed in several ways holds the same AggregateError', async t => {
  const engine = engineFor(t)
  const run = engine.run(flow('f', () => void [bangs(), fails()]))
  const state = await run.wait()
  t.match(state, { type: 'FAILED', message: '2 of 2 runs failed', error: { errors: [bang, boom] } })
})

test('a flow run ends after every run that it started, awaited or not', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const slow = task('slow', () => gate.promise)
  const child = flow('child', () => void slow())
  const run = engine.run(
    flow('f', () => {
      slow()
      child()
      return 'returned'
    }),
  )
  await atRest()
  t.equal(run.state.name, 'Running')
  gate.resolve()
  t.equal(await run, 'returned')
  const end = (await engine.flowRuns.get(run.id))?.run.endTime ?? 0
  for (const { run: task } of await engine.taskRuns.list(run.id)) t.ok((task.endTime ?? Infinity) <= end)
  for (const { run: flow } of await engine.flowRuns.list({ parentFlowRunId: run.id })) {
    t.ok((flow.endTime ?? Infinity) <= end)
  }
})

test('after a Promise.all that failed the other runs go on, and the flow run waits for them', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const seen: string[] = []
  const slow = task('slow', async () => {
    await gate.promise
    seen.push('slow')
  })
  const run = engine.run(flow('f', () => Promise.all([fails(), slow()])))
  await atRest()
  t.equal(run.state.name, 'Running')
  gate.resolve()
  t.equal(await thrownBy(() => run), boom)
  t.strictSame(seen, ['slow'])
})

test('a task ends in a state that it returned', async t => {
  const engine = engineFor(t)
  const states = task('states', (which: string) =>
    which === 'failed' ? Failed(boom) : which === 'cancelled' ? Cancelled(bang) : Completed('by hand', 'm'),
  )
  const f = flow('f', async () => {
    t.match(await states('completed').wait(), { type: 'COMPLETED', result: 'by hand', message: 'm' })
    t.match(await states('failed').wait(), { type: 'FAILED', error: boom })
    t.match(await states('cancelled').wait(), { type: 'CANCELLED', error: bang })
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
})

test('a future of another flow run is a future all the same', async t => {
  const engine = engineFor(t)
  const other = engine.run(flow('other', () => ok(7)))
  t.strictSame(await engine.run(flow('f', () => [other, ok(1)])), [7, 1])
  const failed = engine.run(flow('failed', () => fails()))
  t.equal(await thrownBy(() => engine.run(flow('f', () => [failed]))), boom)
})
