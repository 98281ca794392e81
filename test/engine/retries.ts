import { ConcurrentExecutor, type Executor, exponential, flow, SequentialExecutor, task, taskContext } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const flaky = (failures: number) => {
  let attempt = 0
  return task('flaky', () => {
    attempt += 1
    if (attempt <= failures) throw new Error(`attempt ${attempt}`)
    return attempt
  })
}
const executors: [string, Executor][] = [
  ['sequential', new SequentialExecutor()],
  ['concurrent', new ConcurrentExecutor()],
  ['concurrent with a limit', new ConcurrentExecutor({ concurrency: 1 })],
]

for (const [name, executor] of executors) {
  test(`every attempt is in the history, on ${name}`, async t => {
    const engine = engineFor(t)
    const run = engine.run(
      flow('f', () => [flaky(2).with({ retries: 2 })(), flaky(9).with({ retries: 1 })()], { executor }),
    )
    await run.wait()
    const [first, second] = await engine.taskRuns.list(run.id)
    const names = (stored: typeof first) => stored?.states.map(({ name }) => name)
    t.strictSame(names(first), [
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
    t.strictSame(names(second), ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Failed'])
    t.match(first?.states[2], { message: 'attempt 1', attempt: 1 })
    t.match(first?.run, { runCount: 3 })
    t.match(second?.run, { runCount: 2, state: { message: 'attempt 2' } })
  })
}

test('without retries one failure is the end', async t => {
  const engine = engineFor(t)
  const run = engine.run(flow('f', async () => (await flaky(1)().wait()).name))
  t.equal(await run, 'Failed')
})

const delays = [
  ['a number', 100, [100, 100, 100]],
  ['a list whose last entry repeats', [10, 500], [10, 500, 500]],
  [
    'a function',
    (attempt: number, error: unknown) => attempt * 1000 + (error as Error).message.length,
    [1009, 2009, 3009],
  ],
  ['a function that gives no number', () => Number.NaN, [0, 0, 0]],
  ['exponential', exponential({ initialMs: 100, jitter: 0.5, random: () => 0 }), [50, 100, 200]],
  ['nothing', 0, [0, 0, 0]],
] as const
for (const [name, retryDelayMs, expected] of delays) {
  test(`the delay before a retry is ${name}`, async t => {
    const clock = simulatedClock(0)
    const engine = engineFor(t, { surroundings: clock })
    const times: number[] = []
    const fails = task(
      'fails',
      () => {
        times.push(clock.now())
        throw new Error('attempt x')
      },
      { retries: 3, retryDelayMs },
    )
    const run = engine.run(flow('f', async () => (await fails().wait()).name))
    await clock.advance(3_600_000)
    t.equal(await run, 'Failed')
    t.strictSame(
      times.slice(1).map((time, index) => time - (times[index] as number)),
      expected,
    )
  })
}

test('a retry after an hour is not tried a millisecond earlier', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const run = engine.run(flow('f', () => flaky(1).with({ retries: 1, retryDelayMs: 3_600_000 })()))
  await clock.advance(3_599_999)
  t.equal((await engine.taskRuns.list(run.id))[0]?.run.state.name, 'AwaitingRetry')
  await clock.advance(1)
  t.equal(await run, 2)
})

test('retryIf ends a run early, and is asked with error and attempt', async t => {
  const engine = engineFor(t)
  const asked: [string, number][] = []
  const run = engine.run(
    flow('f', () =>
      flaky(9).with({
        retries: 5,
        retryIf: (error, attempt) => {
          asked.push([(error as Error).message, attempt])
          return attempt < 2
        },
      })(),
    ),
  )
  t.match(await thrownBy(() => run), { message: 'attempt 2' })
  t.strictSame(asked, [
    ['attempt 1', 1],
    ['attempt 2', 2],
  ])
})

test('a retryIf that throws ends the run, and what it threw is told', async t => {
  const engine = engineFor(t)
  const bad = new Error('bad retryIf')
  const retryIf = () => {
    throw bad
  }
  const run = engine.run(flow('f', async () => flaky(9).with({ retries: 5, retryIf })().wait()))
  t.match(await run.wait(), { type: 'FAILED', error: bad })
})

test('the attempt is told to the task', async t => {
  const engine = engineFor(t)
  const attempts = task(
    'attempts',
    () => {
      const { attempt } = taskContext()
      if (attempt < 3) throw new Error('again')
      return attempt
    },
    { retries: 5 },
  )
  t.equal(await engine.run(flow('f', () => attempts())), 3)
})

test('during a retry delay the slot is free on concurrent, and kept on sequential', async t => {
  for (const [executor, expected] of [
    [new ConcurrentExecutor({ concurrency: 1 }), ['a1', 'b', 'a2']],
    [new SequentialExecutor(), ['a1', 'a2', 'b']],
  ] as const) {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const order: string[] = []
    const a = task(
      'a',
      () => {
        const { attempt } = taskContext()
        order.push(`a${attempt}`)
        if (attempt === 1) throw new Error('again')
      },
      { retries: 1, retryDelayMs: 1000 },
    )
    const b = task('b', () => void order.push('b'))
    const run = engine.run(flow('f', () => [a(), b()], { executor }))
    await clock.advance(1000)
    await run
    t.strictSame(order, expected, executor.name)
  }
})

test('an executor that fails is a crash, which is retried like a failure', async t => {
  const engine = engineFor(t)
  let submitted = 0
  const executor: Executor = {
    name: 'shaky',
    start: async () => ({
      where: 'here',
      submit(call) {
        submitted += 1
        if (submitted === 1) throw new Error('at once')
        if (submitted === 2) return Promise.reject(new Error('later'))
        return Promise.resolve().then(() => call.run())
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
  const one = task('one', () => 1)
  const run = engine.run(
    flow(
      'f',
      async () => {
        const retried = one.with({ retries: 2 })()
        t.equal(await retried, 1)
        t.strictSame(await history(engine, retried), [
          'Pending',
          'Running',
          'AwaitingRetry',
          'Retrying',
          'AwaitingRetry',
          'Retrying',
          'Completed',
        ])
        submitted = 0
        const crashed = one()
        t.match(await crashed.wait(), {
          type: 'CRASHED',
          error: { code: 'EXECUTOR_FAILED', cause: { message: 'at once' }, message: /executor 'shaky'.*at once/ },
        })
        return 'ok'
      },
      { executor },
    ),
  )
  t.equal(await run, 'ok')
})

test('retryIf can tell a crash from a failure', async t => {
  const engine = engineFor(t)
  const executor: Executor = {
    name: 'lost',
    start: async () => ({
      where: 'here',
      submit: () => Promise.reject(new Error('gone')),
      async [Symbol.asyncDispose]() {},
    }),
  }
  const one = task('one', () => 1, {
    retries: 9,
    retryIf: error => (error as { code?: string }).code !== 'EXECUTOR_FAILED',
  })
  const run = engine.run(flow('f', async () => history(engine, await settled(one())), { executor }))
  t.strictSame(await run, ['Pending', 'Running', 'Crashed'])
})
async function settled<T extends { wait(): Promise<unknown>; id: string }>(run: T): Promise<string> {
  await run.wait()
  return run.id
}

test('an executor that stops a run nobody wanted stopped has broken its contract', async t => {
  const engine = engineFor(t)
  const executor: Executor = {
    name: 'wilful',
    start: async () => ({
      where: 'here',
      submit: async () => ({ type: 'stopped' }) as const,
      async [Symbol.asyncDispose]() {},
    }),
  }
  const run = engine.run(flow('f', async () => task('one', () => 1)().wait(), { executor }))
  t.match(await run.wait(), { type: 'CRASHED', error: { code: 'EXECUTOR_FAILED', message: /'wilful' stopped/ } })
})

test('a run that is cancelled while it waits for its retry is cancelled at once', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const asked = deferred()
  const run = engine.run(
    flow('f', async () => {
      const waiting = flaky(9).with({ retries: 1, retryDelayMs: 1e9 })()
      await asked.promise
      t.equal(waiting.state.name, 'AwaitingRetry')
      t.equal((await waiting.cancel()).name, 'Cancelled')
      t.strictSame(await history(engine, waiting), ['Pending', 'Running', 'AwaitingRetry', 'Cancelled'])
      return 'ok'
    }),
  )
  await clock.advance(1)
  asked.resolve()
  t.equal(await run, 'ok')
})
