import { type Call, type Executor, flow, type Outcome, task } from 'mintaka'
import { test } from 'tap'
import { engineFor, history, until } from './fixtures/engine.js'

const increment = task('increment', (value: number) => value + 1)

/** An executor whose session carries nothing out: `tell` is told of every call when `submit` has returned. */
function elsewhere(tell: (call: Call) => void): Executor {
  return {
    name: 'elsewhere',
    start: async () => ({
      where: 'elsewhere',
      submit(call) {
        setImmediate(tell, call)
        return undefined
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
}

const answerTo = (call: Call): Outcome => ({ type: 'returned', value: (call.args[0] as number) + 1 })

test('a session that returns nothing says how its calls end', async t => {
  const engine = engineFor(t)
  const executor = elsewhere(call => {
    call.started()
    call.ended(answerTo(call))
  })
  const run = engine.run(flow('many', () => Array.from({ length: 1000 }, (_, index) => increment(index)), { executor }))
  const values = await run
  t.strictSame(
    values,
    Array.from({ length: 1000 }, (_, index) => index + 1),
  )
  const runs = await engine.taskRuns.list(run.id)
  t.ok(runs.every(({ states }) => states.map(({ name }) => name).join() === 'Pending,Running,Completed'))
})

test('many calls end in one go, in the order in which they are told', async t => {
  const engine = engineFor(t)
  const waiting: Call[] = []
  const order: number[] = []
  const executor = elsewhere(call => {
    if (waiting.push(call) < 3) return
    for (const call of waiting.reverse()) {
      call.started(5)
      call.ended(answerTo(call))
    }
  })
  const f = flow('f', async () => {
    const note = (value: number) => void order.push(value)
    await Promise.all([increment(1).then(note), increment(2).then(note), increment(3).then(note)])
  })
  await engine.run(f, undefined, { executor })
  t.strictSame(order, [4, 3, 2])
})

test('a call ends once: what is said later is not heard', async t => {
  const engine = engineFor(t)
  const executor = elsewhere(call => {
    call.started()
    call.ended(answerTo(call))
    call.ended({ type: 'threw', error: new Error('a second end') })
    call.started()
  })
  const f = flow('f', async () => {
    const future = increment(1)
    t.equal(await future, 2)
    return history(engine, future)
  })
  t.strictSame(await engine.run(f, undefined, { executor }), ['Pending', 'Running', 'Completed'])
})

test('a failed attempt is followed by another call; the first one is not heard any more', async t => {
  const engine = engineFor(t)
  const calls: Call[] = []
  const executor = elsewhere(call => {
    calls.push(call)
    call.started()
    call.ended(call.attempt === 1 ? { type: 'threw', error: new Error('flaky') } : answerTo(call))
    calls[0]?.ended({ type: 'threw', error: new Error('again') })
    calls[0]?.started()
  })
  const f = flow('f', async () => {
    const future = increment.with({ retries: 1 })(1)
    t.equal(await future, 2)
    return history(engine, future)
  })
  const names = ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'Completed']
  t.strictSame(await engine.run(f, undefined, { executor }), names)
  t.strictSame(
    calls.map(({ attempt }) => attempt),
    [1, 2],
  )
})

test('a call that never began can end: its run was RUNNING for no time', async t => {
  const engine = engineFor(t)
  const executor = elsewhere(call => call.ended({ type: 'crashed', error: new Error('no worker') }))
  const f = flow('f', async () => {
    const future = increment(1)
    t.match(await future.wait(), { type: 'CRASHED', error: { message: 'no worker' } })
    return history(engine, future)
  })
  t.strictSame(await engine.run(f, undefined, { executor }), ['Pending', 'Running', 'Crashed'])
})

test('a call that is cancelled is told so, and ends stopped', async t => {
  const engine = engineFor(t)
  const executor = elsewhere(call => {
    call.started()
    call.whenStopped(() => setImmediate(() => call.ended({ type: 'stopped' })))
  })
  const f = flow('f', async () => {
    const future = increment(1)
    await until(() => future.state.type === 'RUNNING')
    t.equal((await future.cancel('enough')).name, 'Cancelled')
    return history(engine, future)
  })
  t.strictSame(await engine.run(f, undefined, { executor }), ['Pending', 'Running', 'Cancelling', 'Cancelled'])
})
