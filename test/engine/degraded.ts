import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import {
  ConcurrentExecutor,
  createEngine,
  type EngineEvent,
  type Executor,
  flow,
  flowContext,
  ParallelExecutor,
  SequentialExecutor,
  task,
} from 'mintaka'
import { type Test, test } from 'tap'
import { degradableStore, storeThat } from './fixtures/stores.js'

function engineOn(t: Test, { store, ...control }: ReturnType<typeof degradableStore>) {
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const engine = createEngine({ store, logger: quiet })
  t.teardown(() => engine.close({ timeoutMs: 0 }).catch(() => {}))
  return { engine, ...control }
}

/** What an engine announces of its store. */
function troublesOf(engine: ReturnType<typeof createEngine>) {
  const events: EngineEvent[] = []
  void (async () => {
    for await (const event of engine.events()) if (event.type.startsWith('store-')) events.push(event)
  })()
  return events
}

const executors: readonly Executor[] = [
  new SequentialExecutor(),
  new ConcurrentExecutor({ concurrency: 2 }),
  new ParallelExecutor({ threads: 1 }),
]

const twice = task('twice', (n: number) => n * 2)

for (const executor of executors)
  test(`${executor.name}: while the store is degraded no task begins, and what waits goes on when it is not`, async t => {
    const { engine, degrade, restore } = engineOn(t, degradableStore())
    const events = troublesOf(engine)
    const begun: string[] = []
    engine.use({ name: 'watch', after: ({ run, to }) => void (to.type === 'RUNNING' && begun.push(run.name)) })
    const run = engine.run(
      flow(
        'doubles',
        async () => {
          const one = await twice(1)
          degrade()
          return [one, twice(2), twice(3)]
        },
        { executor },
      ),
    )
    while (events.length === 0) await nextTurn()
    const before = begun.length
    await sleep(100)
    t.equal(begun.length, before, 'no task has begun')
    restore()
    t.strictSame(await run, [2, 4, 6])
    t.match(events, [{ type: 'store-degraded', reason: 'No room.' }, { type: 'store-restored' }])
    t.equal(events.length, 2)
  })

test('what runs when the store fails ends, and is acknowledged when it works again', async t => {
  const { engine, degrade, restore } = engineOn(t, degradableStore())
  let hasEnded = false
  const ends = task('ends', async () => {
    degrade()
    await nextTurn()
    hasEnded = true
    return 7
  })
  let result: unknown
  const run = engine.run(flow('f', () => ends())).then(value => (result = value))
  while (!hasEnded) await nextTurn()
  await sleep(50)
  t.equal(result, undefined)
  restore()
  await run
  t.equal(result, 7)
})

test('what is cancelled while it waits for the store never begins', async t => {
  const { engine, degrade, restore } = engineOn(t, degradableStore())
  let began = 0
  const begin = task('begin', () => void (began += 1))
  const future = engine.run(
    flow('f', async () => {
      degrade()
      const waiting = begin()
      await nextTurn()
      void waiting.cancel('enough')
      restore()
      return (await waiting.wait()).type
    }),
  )
  t.equal(await future, 'CANCELLED')
  t.equal(began, 0)
})

test('a flow that is called while the store is degraded begins when it is not', async t => {
  const { engine, degrade, restore } = engineOn(t, degradableStore())
  await engine.run(flow('first', () => {}))
  let began = false
  degrade()
  const run = engine.run(flow('second', () => void (began = true)))
  await sleep(50)
  t.equal(began, false)
  restore()
  await run
  t.equal(began, true)
})

for (const [what, close] of [
  ['after the time that it was given', { timeoutMs: 100 }],
  ['after five seconds', undefined],
] as const)
  test(`an engine that is closed gives a degraded store up ${what}, and says what is lost`, async t => {
    const { engine, degrade } = engineOn(t, degradableStore())
    const stray: unknown[] = []
    const note = (error: unknown) => stray.push(error)
    process.on('unhandledRejection', note)
    t.teardown(() => process.off('unhandledRejection', note))
    const begun = task('begun', async () => {
      degrade()
      return 1
    })
    const never = task('never', () => t.fail('it has begun'))
    const states: string[] = []
    const future = engine.run(
      flow(
        'f',
        async () => {
          const [one, two] = [begun(), never().wait()]
          const state = await one.wait()
          states.push(state.type, (await two).type)
          return one
        },
        { executor: new SequentialExecutor() },
      ),
    )
    engine.run(flow('unwatched', async () => void (await begun())))
    const start = performance.now()
    await sleep(20)
    await t.rejects(engine.close(close), { code: 'STORE_WRITE_FAILED', message: /7 lines could not be saved/ })
    const ms = performance.now() - start
    t.ok(close ? ms < 3000 : ms > 4900 && ms < 9000, `${ms} ms`)
    await t.rejects(future, { code: 'STORE_WRITE_FAILED' })
    t.equal(future.state.type, 'CRASHED')
    await sleep(20)
    t.strictSame(stray, [])
    await t.rejects(engine.close(), { code: 'STORE_WRITE_FAILED' })
  })

test('a closing engine whose store works again in time closes as ever', async t => {
  const { engine, degrade, restore } = engineOn(t, degradableStore())
  const begun = task('begun', () => degrade())
  const future = engine.run(flow('f', async () => begun()))
  await sleep(50)
  const closed = engine.close({ timeoutMs: 5000 })
  setTimeout(restore, 50)
  await closed
  await future
  t.equal(future.state.type, 'COMPLETED')
})

test('a store that refuses each write by itself is not waited for', async t => {
  let refuses = false
  const store = storeThat(() => (refuses ? Promise.reject(new Error('no room')) : undefined))
  const engine = createEngine({ store, logger: { debug() {}, info() {}, warn() {}, error() {} } })
  t.teardown(() => engine.close())
  const fails = task('fails', () => void (refuses = true))
  const future = engine.run(flow('f', async () => (await fails().wait()).type))
  await t.rejects(future, /no room/)
  t.equal(future.state.type, 'CRASHED')
})

test('a subflow waits as a flow does', async t => {
  const { engine, degrade, restore } = engineOn(t, degradableStore())
  const child = flow('child', () => flowContext().flowRunName)
  const run = engine.run(
    flow('parent', async () => {
      degrade()
      const called = child()
      await sleep(50)
      t.equal(called.state.type, 'PENDING')
      restore()
      return called
    }),
  )
  t.type(await run, 'string')
})

test('a store that is given up has not been restored, and the runs it takes along are one line in the log', async t => {
  const { store, degrade } = degradableStore()
  const lines: string[] = []
  const error = (message: string) => void lines.push(message)
  const engine = createEngine({ store, logger: { debug() {}, info() {}, warn() {}, error } })
  const events = troublesOf(engine)
  const begun = task('begun', () => degrade())
  const run = engine.run(
    flow('f', async () => {
      const first = begun().wait()
      await nextTurn()
      return Promise.all([first, ...Array.from({ length: 20 }, () => begun().wait())])
    }),
  )
  void run.wait()
  while (events.length === 0) await nextTurn()
  await t.rejects(engine.close({ timeoutMs: 50 }), { code: 'STORE_WRITE_FAILED' })
  await nextTurn()
  t.strictSame(
    events.map(({ type }) => type),
    ['store-degraded'],
  )
  const lost = lines.filter(line => /lost/.test(line))
  t.equal(lost.length, 1, lines.join('\n'))
  t.match(lost[0], /^\d+ runs? w(as|ere) lost: the store was given up before they had ended\.$/)
})
