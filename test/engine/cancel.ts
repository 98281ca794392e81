import { ConcurrentExecutor, flow, flowContext, type RunFuture, SequentialExecutor, task, taskContext } from 'mintaka'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const executors = [
  ['concurrent', new ConcurrentExecutor({ concurrency: 1 })],
  ['sequential', new SequentialExecutor()],
] as const

for (const [name, executor] of executors) {
  test(`a queued run is CANCELLED at once and never starts, a running one when its body has ended: on ${name}`, async t => {
    const engine = engineFor(t)
    const gate = deferred()
    const begun = deferred()
    const order: string[] = []
    const slow = task('slow', async () => {
      begun.resolve()
      await gate.promise
      order.push('slow ended')
      return 'dropped'
    })
    const next = task('next', (name: string) => void order.push(name))
    const run = engine.run(
      flow(
        'f',
        async () => {
          const [running, queued, last] = [slow(), next('queued'), next('last')]
          await begun.promise
          t.match(await queued.cancel('not wanted'), {
            type: 'CANCELLED',
            error: { code: 'CANCELLED', reason: 'not wanted' },
            message: /was cancelled: not wanted\.$/,
          })
          t.strictSame(await history(engine, queued), ['Pending', 'Cancelled'])
          const cancelled = running.cancel('enough')
          t.match(running.state, { type: 'RUNNING', name: 'Cancelling', message: /enough/ })
          gate.resolve()
          t.match(await cancelled, { type: 'CANCELLED', error: { reason: 'enough' } })
          t.match(await thrownBy(() => running), { code: 'CANCELLED', reason: 'enough' })
          t.strictSame(await history(engine, running), ['Pending', 'Running', 'Cancelling', 'Cancelled'])
          await last
          return 'ok'
        },
        { executor },
      ),
    )
    t.equal(await run, 'ok')
    t.strictSame(order, ['slow ended', 'last'])
  })
}

test('the body hears of it: signal, throwIfCancelled, and a finally that runs', async t => {
  const engine = engineFor(t)
  const heard: string[] = []
  const begun = deferred()
  const listening = task('listening', async () => {
    const { signal, throwIfCancelled } = taskContext()
    throwIfCancelled()
    begun.resolve()
    try {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    } catch (error) {
      heard.push((error as Error & { code: string }).code)
      try {
        throwIfCancelled()
      } catch (again) {
        heard.push((again as Error & { code: string }).code)
      }
    } finally {
      heard.push('finally')
    }
  })
  const run = engine.run(
    flow('f', async () => {
      const future = listening()
      await begun.promise
      return (await future.cancel()).name
    }),
  )
  t.equal(await run, 'Cancelled')
  t.strictSame(heard, ['CANCELLED', 'CANCELLED', 'finally'])
})

test('a body that throws or completes after it was cancelled is CANCELLED all the same, and not retried', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  let attempts = 0
  const stubborn = task(
    'stubborn',
    async (how: string) => {
      attempts += 1
      await gate.promise
      if (how === 'throws') throw new Error('own')
      return how
    },
    { retries: 3 },
  )
  const run = engine.run(
    flow('f', async () => {
      const runs = [stubborn('throws'), stubborn('returns')]
      await atRest()
      const ends = runs.map(run => run.cancel())
      gate.resolve()
      return (await Promise.all(ends)).map(({ name }) => name)
    }),
  )
  t.strictSame(await run, ['Cancelled', 'Cancelled'])
  t.equal(attempts, 2)
})

test('a run that waits for its inputs is CANCELLED at once', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const slow = task('slow', () => gate.promise.then(() => 1))
  const next = task('next', (x: number) => x)
  const run = engine.run(
    flow('f', async () => {
      const waiting = next(slow())
      t.equal((await waiting.cancel()).name, 'Cancelled')
      gate.resolve()
      return 'ok'
    }),
  )
  t.equal(await run, 'ok')
})

test('cancelling a flow run reaches its tasks, queued and running, and its subflows', async t => {
  const engine = engineFor(t)
  const begun = deferred()
  let running = 0
  const heeds = task('heeds', async () => {
    const { signal } = taskContext()
    if (++running === 3) begun.resolve()
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  })
  const never = task('never', () => t.fail('it ran'))
  const child = flow(
    'child',
    () => {
      heeds()
      never()
    },
    { executor: new ConcurrentExecutor({ concurrency: 1 }) },
  )
  const parent = flow('parent', () => {
    heeds()
    child()
  })
  const top = flow('top', () => {
    heeds()
    parent()
    return 'not this'
  })
  const run = engine.run(top.with({ name: 'amber-heron' }))
  await begun.promise
  const end = await run.cancel('all of it')
  t.match(end, {
    type: 'CANCELLED',
    error: { code: 'CANCELLED', reason: 'all of it' },
    message: "Flow run 'amber-heron' was cancelled: all of it.",
  })
  t.match(await thrownBy(() => run), { code: 'CANCELLED' })
  for (const { run: flowRun, states } of await engine.flowRuns.list()) {
    t.strictSame(
      states.map(({ name }) => name),
      ['Pending', 'Running', 'Cancelling', 'Cancelled'],
      flowRun.flowName,
    )
    for (const { run: taskRun } of await engine.taskRuns.list(flowRun.id)) {
      t.equal(taskRun.state.name, 'Cancelled', taskRun.taskName)
      t.match(taskRun.state.message, /all of it\.$/, 'no second full stop')
    }
  }
})

test('cancelling a flow run: its signal fires, its next call throws, its end does not wait for its body', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const begun = deferred<AbortSignal>()
  const late = deferred<unknown>()
  const one = task('one', () => 1)
  const f = flow('f', async () => {
    begun.resolve(flowContext().signal)
    await gate.promise
    late.resolve(await thrownBy(() => one()))
  })
  const run = engine.run(f)
  const signal = await begun.promise
  t.equal((await run.cancel()).name, 'Cancelled')
  t.ok(signal.aborted)
  t.match(signal.reason, { code: 'CANCELLED' })
  gate.resolve()
  t.match(await late.promise, { code: 'CANCELLED' })
})

test('a flow run that is cancelled before it begins never runs', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => t.fail('it ran'))
  const run = engine.run(f)
  t.equal((await run.cancel()).name, 'Cancelled')
  t.strictSame(await history(engine, run), ['Pending', 'Cancelled'])
})

test('a cancelled flow run is not retried', async t => {
  const engine = engineFor(t)
  const begun = deferred()
  const f = flow(
    'f',
    async () => {
      begun.resolve()
      await new Promise(() => {})
    },
    { retries: 3 },
  )
  const run = engine.run(f)
  await begun.promise
  t.equal((await run.cancel()).name, 'Cancelled')
})

test('the option signal cancels a task run, and a flow run', async t => {
  const engine = engineFor(t)
  const controller = new AbortController()
  const begun = deferred()
  const waits = task('waits', async () => {
    begun.resolve()
    const { signal } = taskContext()
    await new Promise(resolve => signal.addEventListener('abort', resolve))
  })
  const run = engine.run(
    flow('f', async () => {
      const future = waits.with({ signal: controller.signal })()
      await begun.promise
      controller.abort(new Error('by signal'))
      return future.wait()
    }),
  )
  t.match(await run.wait(), { type: 'CANCELLED', message: /by signal/ })

  const flowController = new AbortController()
  const started = deferred()
  const slow = flow('slow', async () => {
    started.resolve()
    await new Promise(() => {})
  })
  const second = engine.run(slow, undefined, { signal: flowController.signal })
  await started.promise
  flowController.abort()
  t.equal((await second.wait()).name, 'Cancelled')

  const third = engine.run(slow, undefined, { signal: AbortSignal.abort() })
  t.equal((await third.wait()).name, 'Cancelled')
  t.strictSame(await history(engine, third), ['Pending', 'Cancelled'], 'a signal that had fired already')
})

test('engine.cancel takes the id of a flow run, a nested one too', async t => {
  const engine = engineFor(t)
  const begun = deferred<string>()
  const child = flow('child', async () => {
    begun.resolve(flowContext().flowRunId)
    await new Promise(() => {})
  })
  const run = engine.run(flow('f', async () => (await child().wait()).name))
  await engine.cancel(await begun.promise, 'by id')
  t.equal(await run, 'Cancelled')
  await t.rejects(engine.cancel('nothing'), { code: 'NOT_FOUND' })
})

test('cancelled twice is cancelled once, for the first reason', async t => {
  const engine = engineFor(t)
  const begun = deferred()
  const run = engine.run(
    flow('f', async () => {
      begun.resolve()
      await new Promise(() => {})
    }),
  )
  await begun.promise
  const [first, second] = await Promise.all([run.cancel('first'), run.cancel('second')])
  t.equal(first, second)
  t.match(first, { error: { reason: 'first' } })
})

test('cancelling one run leaves the others alone', async t => {
  const engine = engineFor(t)
  const one = task('one', async (x: number) => x)
  const run = engine.run(
    flow('f', async () => {
      const runs: RunFuture<number>[] = one.map([1, 2, 3])
      await runs[1]?.cancel()
      return (await Promise.all(runs.map(run => run.wait()))).map(({ name }) => name)
    }),
  )
  t.strictSame(await run, ['Completed', 'Cancelled', 'Completed'])
})
