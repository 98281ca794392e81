import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ConcurrentExecutor, flow, flowContext, SequentialExecutor, task, taskContext } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const oneSlot = [
  ['concurrent with one slot', new ConcurrentExecutor({ concurrency: 1 })],
  ['sequential', new SequentialExecutor()],
] as const
const everywhere = [...oneSlot, ['concurrent', new ConcurrentExecutor()]] as const

for (const [name, executor] of everywhere) {
  test(`a task that takes too long is FAILED, TimedOut, at once: on ${name}`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const gate = deferred()
    let reason: unknown
    const slow = task('slow', async () => {
      const { signal } = taskContext()
      signal.addEventListener('abort', () => {
        reason = signal.reason
      })
      await gate.promise
      return 'too late'
    })
    const run = engine.run(flow('f', () => slow.with({ timeoutMs: 100, name: 'slow one' })(), { executor }))
    const state = run.wait()
    await clock.advance(99)
    t.equal(run.state.name, 'Running')
    await clock.advance(1)
    const [stored] = await engine.taskRuns.list(run.id)
    t.match(stored?.run.state, {
      type: 'FAILED',
      name: 'TimedOut',
      error: { code: 'TIMED_OUT', timeoutMs: 100 },
      message: "'slow one' took longer than its 100 ms.",
    })
    t.match(reason, { code: 'TIMED_OUT' }, 'its signal fired')
    gate.resolve()
    t.match(await state, { type: 'FAILED', message: '1 of 1 run failed' })
    await atRest()
    t.strictSame(
      await history(engine, stored?.run.id as string),
      ['Pending', 'Running', 'TimedOut'],
      'the late result is dropped',
    )
  })
}

for (const [name, executor] of oneSlot) {
  test(`a body that ran out of time keeps its slot until it ends: on ${name}`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const gate = deferred()
    const order: string[] = []
    const slow = task(
      'slow',
      async () => {
        order.push('slow begins')
        await gate.promise
        order.push('slow ends')
      },
      { timeoutMs: 100 },
    )
    const next = task('next', () => void order.push('next'))
    const run = engine.run(
      flow(
        'f',
        async () => {
          const [a, b] = [slow(), next()]
          t.equal((await a.wait()).name, 'TimedOut')
          order.push('timed out')
          await b
          return 'ok'
        },
        { executor },
      ),
    )
    await clock.advance(100)
    t.strictSame(order, ['slow begins', 'timed out'])
    gate.resolve()
    t.equal(await run, 'ok')
    t.strictSame(order, ['slow begins', 'timed out', 'slow ends', 'next'])
  })

  test(`the retry after a timeout waits for the body that has the slot: on ${name}`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const gate = deferred()
    let bodies = 0
    let most = 0
    const slow = task(
      'slow',
      async () => {
        bodies += 1
        most = Math.max(most, bodies)
        const { attempt } = taskContext()
        if (attempt === 1) await gate.promise
        bodies -= 1
        return attempt
      },
      { timeoutMs: 100, retries: 1 },
    )
    const run = engine.run(flow('f', () => slow(), { executor }))
    await clock.advance(1000)
    t.equal((await engine.taskRuns.list(run.id))[0]?.run.state.name, 'AwaitingRetry')
    gate.resolve()
    t.equal(await run, 2)
    t.equal(most, 1)
  })

  test(`a flow run ends though the body of a timed out task never does: on ${name}`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const never = task('never', () => new Promise<void>(() => {}), { timeoutMs: 100 })
    const run = engine.run(flow('f', async () => (await never().wait()).name, { executor }))
    await clock.advance(100)
    t.equal(run.state.name, 'Completed')
  })
}

test('a timeout is retried like a failure, each attempt with its own time', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const signals: boolean[] = []
  const slow = task(
    'slow',
    async () => {
      const { attempt, signal } = taskContext()
      signals.push(signal.aborted)
      if (attempt < 3) await new Promise(() => {})
      return attempt
    },
    { timeoutMs: 100, retries: 2, retryDelayMs: 10 },
  )
  const run = engine.run(flow('f', () => slow()))
  await clock.advance(1000)
  t.equal(await run, 3)
  t.strictSame(signals, [false, false, false])
  const [stored] = await engine.taskRuns.list(run.id)
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'AwaitingRetry', 'Retrying', 'Completed'],
  )
  t.match(stored?.states[2], { error: { code: 'TIMED_OUT' } })
})

test('the time of a task counts from its start, not from its call', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const gate = deferred()
  const first = task('first', () => gate.promise)
  const second = task('second', () => 'in time', { timeoutMs: 10 })
  const run = engine.run(
    flow(
      'f',
      () => {
        first()
        return second()
      },
      { executor: SequentialExecutor },
    ),
  )
  await clock.advance(1000)
  gate.resolve()
  t.equal(await run, 'in time')
})

test('throwIfCancelled tells a loop that its time is up', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const ended = deferred<unknown>()
  const loop = task(
    'loop',
    async () => {
      const { throwIfCancelled } = taskContext()
      try {
        for (;;) {
          throwIfCancelled()
          await atRest()
        }
      } catch (error) {
        ended.resolve(error)
        throw error
      }
    },
    { timeoutMs: 100 },
  )
  const run = engine.run(flow('f', async () => (await loop().wait()).name))
  await clock.advance(100)
  t.match(await ended.promise, { code: 'TIMED_OUT' })
  t.equal(await run, 'TimedOut')
})

test('a flow that takes too long: its signal fires, its tasks are cancelled, its next call throws, it is TimedOut', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const gate = deferred()
  const late = deferred<unknown[]>()
  let signal: AbortSignal | undefined
  let taskSignal: AbortSignal | undefined
  const slow = task('slow', async () => {
    taskSignal = taskContext().signal
    await new Promise(resolve => taskSignal?.addEventListener('abort', resolve))
  })
  const sub = flow('sub', () => 1)
  const f = flow(
    'f',
    async () => {
      signal = flowContext().signal
      slow()
      await gate.promise
      late.resolve([await thrownBy(() => slow()), await thrownBy(() => sub())])
    },
    { timeoutMs: 100 },
  )
  const run = engine.run(f, undefined, { name: 'amber-heron' })
  const end = run.wait()
  await clock.advance(100)
  t.match(await end, {
    type: 'FAILED',
    name: 'TimedOut',
    error: { code: 'TIMED_OUT' },
    message: "Flow run 'amber-heron' took longer than its 100 ms.",
  })
  t.ok(signal?.aborted)
  t.ok(taskSignal?.aborted)
  t.match(signal?.reason, { code: 'TIMED_OUT' })
  const [stored] = await engine.taskRuns.list(run.id)
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Running', 'Cancelling', 'Cancelled'],
  )
  gate.resolve()
  for (const error of await late.promise) t.match(error, { code: 'TIMED_OUT' })
  t.strictSame(await history(engine, run), ['Pending', 'Running', 'TimedOut'])
})

test('a flow run that ran out of time waits for the bodies of its tasks', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const gate = deferred()
  const stubborn = task('stubborn', () => gate.promise)
  const run = engine.run(flow('f', () => stubborn(), { timeoutMs: 100 }))
  const end = run.wait()
  await clock.advance(200)
  t.equal(run.state.name, 'Running')
  gate.resolve()
  t.equal((await end).name, 'TimedOut')
})

test("a subflow's timeout is the subflow's failure: its parent goes on", async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const sub = flow('sub', () => new Promise<number>(() => {}), { timeoutMs: 100 })
  const after = task('after', () => 'went on')
  const run = engine.run(
    flow('f', async () => {
      t.match(await thrownBy(() => sub()), { code: 'TIMED_OUT' })
      return after()
    }),
  )
  await clock.advance(100)
  t.equal(await run, 'went on')
})

test('a flow that timed out is retried, and the body that was left behind may start nothing', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const one = task('one', () => 1)
  const gate = deferred()
  const left = deferred<unknown>()
  let attempt = 0
  const f = flow(
    'f',
    async () => {
      attempt += 1
      if (attempt === 1) {
        await gate.promise
        left.resolve(await thrownBy(() => one()))
      }
      if (attempt === 2) {
        gate.resolve()
        await left.promise
      }
      return [attempt, await one()]
    },
    { timeoutMs: 100, retries: 1 },
  )
  const run = engine.run(f)
  await clock.advance(100)
  t.strictSame(await run, [2, 1])
  t.match(await left.promise, { code: 'FLOW_RUN_ENDED' })
})

test('no timer keeps the process alive after the end', async t => {
  const script = `
    import { createEngine, flow, MemoryStore, SequentialExecutor, task } from 'mintaka'
    const engine = createEngine({ store: new MemoryStore() })
    const one = task('one', () => 1, { timeoutMs: 60000 })
    const all = [SequentialExecutor, undefined].map(executor =>
      engine.run(flow('f', () => one(), { timeoutMs: 60000, ...(executor && { executor }) })))
    for (const run of all) {
      await run
      await run.wait({ timeoutMs: 60000 })
      await run.wait({ signal: AbortSignal.timeout(1) })
    }
    const { signal } = new AbortController()
    await all[0].wait({ timeoutMs: 60000, signal })
    console.log('done', process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length)`
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 })
  t.match((await child).stdout, /^done [01]\n$/)
})
