import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { flow, MemoryStore, type RunFuture, SequentialExecutor, task } from 'mintaka'
import { type Test, test } from 'tap'
import { engineFor } from './fixtures/engine.js'
import { toldBy } from './fixtures/stats.js'

interface Message {
  readonly run: { readonly id: string; readonly name: string; readonly kind: string }
  readonly state: { readonly name: string; readonly attempt?: number }
  readonly error?: Error
}

/** What is published on some channels from now on, by the name of the channel. */
function listen(t: Test, ...names: string[]): [channel: string, message: Message][] {
  const heard: [string, Message][] = []
  for (const name of names) {
    const hear = (message: unknown) => void heard.push([name.replace('mintaka:', ''), message as Message])
    subscribe(name, hear)
    t.teardown(() => unsubscribe(name, hear))
  }
  return heard
}

const all = ['flow-run', 'task-run'].flatMap(kind => ['start', 'error', 'end'].map(what => `mintaka:${kind}:${what}`))
const shown = ([channel, { run, state }]: [string, Message]) => `${channel} ${run.name} ${state.name}`
const nameOf = (what: string) => ({ name: what })

test('every attempt has a start and an end, and between them an error if it went wrong', async t => {
  const heard = listen(t, ...all)
  let tries = 0
  const good = task('good', () => 1).with(nameOf('good'))
  const flaky = task(
    'flaky',
    () => {
      if (tries++ === 0) throw new Error('once')
      return 2
    },
    { retries: 1 },
  ).with(nameOf('flaky'))
  const engine = engineFor(t)
  const main = flow('main', async () => [await good(), await flaky()])
  await engine.run(main, undefined, { name: 'main' })
  t.strictSame(heard.map(shown), [
    'flow-run:start main Running',
    'task-run:start good Running',
    'task-run:end good Completed',
    'task-run:start flaky Running',
    'task-run:error flaky AwaitingRetry',
    'task-run:end flaky AwaitingRetry',
    'task-run:start flaky Retrying',
    'task-run:end flaky Completed',
    'flow-run:end main Completed',
  ])
  t.equal(heard[4]![1].error?.message, 'once')
  t.equal(heard[4]![1], heard[5]![1], 'the same message')
  t.equal(heard[3]![1].run, heard[7]![1].run, 'a run is the same object all its life')
})

test('a run that comes to rest without having run has an end alone', async t => {
  const heard = listen(t, ...all)
  const fail = task('fail', () => {
    throw new Error('no')
  }).with(nameOf('fail'))
  const add = task('add', (a: number, b: number) => a + b).with(nameOf('add'))
  const engine = engineFor(t)
  await engine
    .run(
      flow('main', () => add(fail(), 1)),
      undefined,
      { name: 'main' },
    )
    .wait()
  t.strictSame(heard.filter(([channel]) => channel.startsWith('task')).map(shown), [
    'task-run:start fail Running',
    'task-run:error fail Failed',
    'task-run:end fail Failed',
    'task-run:error add NotReady',
    'task-run:end add NotReady',
  ])
})

test('being asked to stop is neither a start nor an end', async t => {
  const heard = listen(t, ...all)
  const engine = engineFor(t)
  let isRunning = () => {}
  const running = new Promise<void>(resolve => (isRunning = resolve))
  let inner: RunFuture<unknown> | undefined
  const wait = task('wait', () => {
    isRunning()
    return new Promise(resolve => setTimeout(resolve, 5))
  }).with(nameOf('wait'))
  const run = engine.run(
    flow('main', () => (inner = wait())),
    undefined,
    { name: 'main' },
  )
  await running
  inner?.cancel()
  await run.wait()
  t.strictSame(heard.filter(([channel]) => channel.startsWith('task')).map(shown), [
    'task-run:start wait Running',
    'task-run:error wait Cancelled',
    'task-run:end wait Cancelled',
  ])
})

test('in process, a store that is entered at the start reaches the body, and nothing else', async t => {
  const spans = new AsyncLocalStorage<string>()
  const enter = (message: unknown) => spans.enterWith((message as Message).run.name)
  subscribe('mintaka:task-run:start', enter)
  t.teardown(() => unsubscribe('mintaka:task-run:start', enter))
  const tell = task('tell', async () => [spans.getStore(), await null, spans.getStore()])
  for (const executor of [undefined, new SequentialExecutor()]) {
    const engine = engineFor(t)
    const main = flow(
      'main',
      async () => [await tell.with(nameOf('a'))(), await tell.with(nameOf('b'))(), spans.getStore()],
      { executor },
    )
    t.strictSame(await engine.run(main), [['a', null, 'a'], ['b', null, 'b'], undefined])
    t.equal(spans.getStore(), undefined)
  }
})

test('nothing is made where nobody listens', async t => {
  for (const name of [...all, 'mintaka:executor:stats']) {
    t.equal(channel(name).hasSubscribers, false)
    t.intercept(channel(name), 'publish', { value: () => t.fail(`published on ${name}`) })
  }
  const engine = engineFor(t)
  await engine.run(flow('main', () => task('one', () => 1)(), { executor: toldBy([{ calls: 1 }]) }))
})

test('what an executor tells of a session is published, and kept with the flow run', async t => {
  const heard = listen(t, 'mintaka:executor:stats')
  const store = new MemoryStore()
  const engine = engineFor(t, { store })
  const one = task('one', () => 1)
  let attempts = 0
  const main = flow(
    'main',
    async () => {
      await one()
      if (attempts++ === 0) throw new Error('once')
    },
    {
      executor: toldBy([{ calls: 7 }, { calls: 8 }]),
      retries: 1,
    },
  )
  const run = engine.run(main)
  await run
  t.match(heard, [
    ['executor:stats', { flowRun: { id: run.id }, executor: 'telling', stats: { calls: 7 } }],
    ['executor:stats', { flowRun: { id: run.id }, executor: 'telling', stats: { calls: 8 } }],
  ])
  t.match((await engine.flowRuns.get(run.id))?.run.executorStats, { calls: 8 })
})

test('an executor that has nothing to tell, or cannot, costs the flow run nothing', async t => {
  const heard = listen(t, 'mintaka:executor:stats')
  for (const told of [undefined, new Error('no stats')]) {
    const engine = engineFor(t)
    const executor = toldBy([told])
    const run = engine.run(flow('main', () => task('one', () => 1)(), { executor }))
    t.equal(await run, 1)
    t.equal(executor.closed, 1)
    t.equal((await engine.flowRuns.get(run.id))?.run.executorStats, undefined)
  }
  t.strictSame(heard, [])
})
