import { ConcurrentExecutor, type Executor, flow, SequentialExecutor, task } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { engineFor, history, thrownBy } from './fixtures/engine.js'

let ran: string[] = []
const step = task('step', async (name: string) => {
  ran.push(name)
  return name
})
/** Fails as often as it is told, counted by name. */
let failures = new Map<string, number>()
const flaky = task('flaky', async (name: string) => {
  ran.push(name)
  const left = failures.get(name) ?? 0
  failures.set(name, left - 1)
  if (left > 0) throw new Error(name)
  return name
})

for (const executor of [new ConcurrentExecutor(), new SequentialExecutor()] as Executor[]) {
  test(`a retry runs again what failed and takes over what had completed, attempt after attempt: ${executor.name}`, async t => {
    const engine = engineFor(t)
    ran = []
    failures = new Map([['c', 2]])
    const f = flow(
      'f',
      async () => {
        const a = await step('a')
        const b = step(`${a}b`)
        return [a, b, await flaky('c'), step('d')]
      },
      { retries: 2, executor },
    )
    const run = engine.run(f)
    t.strictSame(await run, ['a', 'ab', 'c', 'd'])
    t.strictSame(ran, ['a', 'ab', 'c', 'c', 'c', 'd'])
    t.strictSame(await history(engine, run), [
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
    const runs = await engine.taskRuns.list(run.id)
    t.strictSame(
      runs.map(({ run }) => `${run.taskName} ${run.state.name}`),
      [
        'step Completed',
        'step Completed',
        'flaky Failed',
        'step Cached',
        'step Cached',
        'flaky Failed',
        'step Cached',
        'step Cached',
        'flaky Completed',
        'step Completed',
      ],
    )
    for (const index of [3, 6]) t.match(runs[index]?.run.state, { cachedFrom: runs[0]?.run.id })
  })
}

test('equal calls answer equal calls, however the order varies', async t => {
  const engine = engineFor(t)
  let attempt = 0
  const counts = new Map<string, number>()
  const count = task('count', async (name: string) => {
    const times = (counts.get(name) ?? 0) + 1
    counts.set(name, times)
    return `${name}${times}`
  })
  const f = flow(
    'f',
    async () => {
      attempt += 1
      const names = attempt === 1 ? ['a', 'b', 'a'] : ['b', 'a', 'a', 'a', 'c']
      const values = await Promise.all(names.map(name => count(name)))
      if (attempt === 1) throw new Error('again')
      return values
    },
    { retries: 1 },
  )
  t.strictSame(await engine.run(f), ['b1', 'a1', 'a2', 'a3', 'c1'], 'the third a is one more than there were')
})

test('other captured values are another call', async t => {
  const engine = engineFor(t)
  let attempt = 0
  ran = []
  const f = flow(
    'f',
    async () => {
      attempt += 1
      await step.with({ captures: { attempt } })('captured')
      if (attempt === 1) throw new Error('again')
      return 'ok'
    },
    { retries: 1 },
  )
  await engine.run(f)
  t.strictSame(ran, ['captured', 'captured'])
})

test('what cannot be told apart is run again', async t => {
  const engine = engineFor(t)
  let attempt = 0
  let calls = 0
  const call = task('call', (f: () => number) => {
    calls += 1
    return f()
  })
  const f = flow(
    'f',
    async () => {
      attempt += 1
      await call(() => attempt)
      if (attempt === 1) throw new Error('again')
      return 'ok'
    },
    { retries: 1 },
  )
  await engine.run(f)
  t.equal(calls, 2)
})

test('a flow that fails by its aggregate is retried too', async t => {
  const engine = engineFor(t)
  ran = []
  failures = new Map([['x', 1]])
  const run = engine.run(flow('f', () => [step('s'), flaky('x')], { retries: 1 }))
  t.strictSame(await run, ['s', 'x'])
  t.strictSame(ran, ['s', 'x', 'x'])
})

test('retryDelayMs and retryIf are a flow’s too', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const asked: unknown[] = []
  let attempts = 0
  const f = flow(
    'f',
    () => {
      attempts += 1
      throw new Error(`attempt ${attempts}`)
    },
    {
      retries: 5,
      retryDelayMs: [1000, 2000],
      retryIf: (error, attempt) => {
        asked.push([(error as Error).message, attempt])
        return attempt < 3
      },
    },
  )
  const run = engine.run(f)
  const end = run.wait()
  await clock.advance(999)
  t.equal(run.state.name, 'AwaitingRetry')
  await clock.advance(2000)
  t.equal(attempts, 2)
  await clock.advance(1)
  t.match(await end, { type: 'FAILED', message: 'attempt 3' })
  t.strictSame(asked, [
    ['attempt 1', 1],
    ['attempt 2', 2],
    ['attempt 3', 3],
  ])
})

test('each attempt has a session of its own', async t => {
  const engine = engineFor(t)
  const sessions: string[] = []
  let started = 0
  const executor: Executor = {
    name: 'counted',
    async start() {
      const number = ++started
      sessions.push(`open ${number}`)
      const session = await new SequentialExecutor().start()
      return {
        where: session.where,
        submit: call => session.submit(call),
        async [Symbol.asyncDispose]() {
          sessions.push(`close ${number}`)
        },
      }
    },
  }
  failures = new Map([['x', 1]])
  await engine.run(flow('f', () => flaky('x'), { retries: 1, executor }))
  t.strictSame(sessions, ['open 1', 'close 1', 'open 2', 'close 2'])
})

test('a subflow is retried by its own policy, its parent sees its end', async t => {
  const engine = engineFor(t)
  failures = new Map([
    ['x', 1],
    ['y', 9],
  ])
  const sub = flow('sub', (name: string) => flaky(name), { retries: 1 })
  const run = engine.run(flow('f', async () => [await sub('x'), (await sub('y').wait()).name]))
  t.strictSame(await run, ['x', 'Failed'])
  const mirrors = await engine.taskRuns.list(run.id)
  t.strictSame(
    mirrors.map(({ states }) => states.map(({ name }) => name)),
    [
      ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Completed'],
      ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Failed'],
    ],
  )
})

test('a run that is cancelled while it waits for its retry is cancelled at once', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const f = flow('f', (): Promise<void> => Promise.reject(new Error('no')), { retries: 1, retryDelayMs: 1e9 })
  const run = engine.run(f)
  await clock.advance(1)
  t.equal((await run.cancel()).name, 'Cancelled')
  t.match(await thrownBy(() => run), { code: 'CANCELLED' })
})
