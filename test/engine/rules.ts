import { Cancelled, Completed, Failed, flow, type Rule, SequentialExecutor, type Transition, task } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { engineFor, history, thrownBy } from './fixtures/engine.js'

const one = task('one', () => 1)
const boom = new Error('boom')
const fail = task('fail', () => {
  throw boom
})
const isTask = ({ run }: Transition, name: string) => run.kind === 'task-run' && run.taskName === name
const isFlow = ({ run }: Transition) => run.kind === 'flow-run'

test("a user's rule is asked about every transition of every run, after ours", async t => {
  const engine = engineFor(t)
  const asked: string[] = []
  engine.use({
    name: 'watch',
    decide: ({ run, from, to }) => {
      asked.push(`${run.kind === 'flow-run' ? run.flowName : run.taskName}: ${from.name} → ${to.name}`)
      return undefined
    },
  })
  await engine.run(
    flow('f', async () => {
      await one()
      await fail.with({ retries: 1 })().wait()
      return 'ok'
    }),
  )
  t.strictSame(asked, [
    'f: Pending → Running',
    'one: Pending → Running',
    'one: Running → Completed',
    'fail: Pending → Running',
    'fail: Running → AwaitingRetry',
    'fail: AwaitingRetry → Retrying',
    'fail: Retrying → Failed',
    'f: Running → Completed',
  ])
})

test('REJECT: another state is written, and the run adopts it', async t => {
  const engine = engineFor(t)
  const ran: string[] = []
  const runs = task('runs', () => void ran.push('runs'))
  engine.use({
    name: 'no new work',
    decide: transition =>
      isTask(transition, 'runs') && transition.to.type === 'RUNNING'
        ? { type: 'REJECT', state: Cancelled(new Error('not today')) }
        : undefined,
  })
  engine.use({
    name: 'positive results only',
    decide: ({ run, to }) =>
      run.kind === 'task-run' && to.type === 'COMPLETED' && to.result === 1
        ? { type: 'REJECT', state: Failed(boom) }
        : undefined,
  })
  const run = engine.run(
    flow('f', async () => {
      const [refused, bad] = [runs(), one()]
      t.match(await refused.wait(), { type: 'CANCELLED', message: 'not today' })
      t.strictSame(await history(engine, refused), ['Pending', 'Cancelled'])
      t.equal(await thrownBy(() => bad), boom)
      t.strictSame(await history(engine, bad), ['Pending', 'Running', 'Failed'])
      return 'ok'
    }),
  )
  t.equal(await run, 'ok')
  t.strictSame(ran, [])
})

test('REJECT of a flow run', async t => {
  const engine = engineFor(t)
  engine.use({
    name: 'instead',
    decide: transition =>
      isFlow(transition) && transition.to.type === 'RUNNING'
        ? { type: 'REJECT', state: Completed('instead') }
        : undefined,
  })
  const run = engine.run(flow('f', () => t.fail('it ran')))
  t.equal(await run, 'instead')
  t.strictSame(await history(engine, run), ['Pending', 'Completed'])
})

for (const [name, isMine] of [
  ['a task run', (transition: Transition) => isTask(transition, 'one')],
  ['a flow run', isFlow],
] as const) {
  test(`WAIT: nothing is written, and ${name} asks again when it is time`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    const until = clock.now() + 1000
    let asked = 0
    engine.use({
      name: 'office hours',
      decide: transition => {
        if (!isMine(transition) || transition.to.type !== 'RUNNING') return undefined
        asked += 1
        return transition.now < until ? { type: 'WAIT', until } : { type: 'ACCEPT' }
      },
    })
    const run = engine.run(flow('f', () => one()))
    await clock.advance(999)
    t.equal(asked, 1)
    await clock.advance(1)
    t.equal(await run, 1)
    t.equal(asked, 2)
    const [stored] = await engine.taskRuns.list(run.id)
    t.strictSame(
      stored?.states.map(({ name }) => name),
      ['Pending', 'Running', 'Completed'],
    )
  })

  test(`WAIT: ${name} that waits can be cancelled`, async t => {
    const clock = simulatedClock()
    const engine = engineFor(t, { surroundings: clock })
    engine.use({
      name: 'never',
      decide: transition =>
        isMine(transition) && transition.to.type === 'RUNNING' ? { type: 'WAIT', until: clock.now() + 1e9 } : undefined,
    })
    const run = engine.run(flow('f', () => one()))
    await clock.advance(5)
    t.equal((await run.cancel()).name, 'Cancelled')
  })

  test(`ABORT: nothing is written of ${name}, its future throws ABORTED`, async t => {
    const engine = engineFor(t)
    engine.use({
      name: 'stop',
      decide: transition =>
        isMine(transition) && transition.to.type === 'RUNNING' ? { type: 'ABORT', reason: 'not here' } : undefined,
    })
    const run = engine.run(flow('f', () => one()))
    t.match(await thrownBy(() => run), { code: 'ABORTED', message: /^A rule stopped '.*': not here\.$/ })
    const aborted = name === 'a flow run' ? run.id : ((await engine.taskRuns.list(run.id))[0]?.run.id as string)
    t.strictSame(await history(engine, aborted), ['Pending'])
    await run.cancel('too late')
    t.strictSame(await history(engine, aborted), ['Pending'], 'a cancel writes nothing either')
  })
}

test('WAIT on the end of a run lets it wait there', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const until = clock.now() + 1000
  engine.use({
    name: 'later',
    decide: ({ to, now }) => (to.type === 'COMPLETED' && now < until ? { type: 'WAIT', until } : undefined),
  })
  const run = engine.run(flow('f', () => one(), { executor: SequentialExecutor }))
  await clock.advance(999)
  t.equal(run.state.name, 'Running')
  await clock.advance(1)
  t.equal(await run, 1)
})

test('WAIT until a time that has passed lets go of the process all the same', async t => {
  const engine = engineFor(t)
  let asked = 0
  engine.use({
    name: 'again and again',
    decide: ({ to, now }) => (to.type === 'RUNNING' && ++asked % 5 > 0 ? { type: 'WAIT', until: now - 1 } : undefined),
  })
  t.equal(await engine.run(flow('f', () => one())), 1)
  t.equal(asked, 10)
})

test('ABORT of an end: the run stays where it was in the store, dependants rest', async t => {
  const engine = engineFor(t)
  const double = task('double', (x: number) => x * 2)
  engine.use({
    name: 'stop',
    decide: transition =>
      isTask(transition, 'one') && transition.to.type === 'COMPLETED' ? { type: 'ABORT', reason: 'no' } : undefined,
  })
  const f = flow('f', async () => {
    const aborted = one()
    const next = double(aborted)
    t.match(await aborted.wait(), { type: 'PENDING', name: 'NotReady', error: { code: 'ABORTED' } })
    t.strictSame(await history(engine, aborted), ['Pending', 'Running'])
    t.match(await next.wait(), { name: 'NotReady', error: { cause: { code: 'ABORTED' } } })
    return 'ok'
  })
  t.equal(await engine.run(f), 'ok')
})

for (const [kind, isMine] of [
  ['a task run', (transition: Transition) => isTask(transition, 'one')],
  ['a flow run', isFlow],
] as const) {
  test(`a rule that throws crashes ${kind}, and is named`, async t => {
    const engine = engineFor(t)
    engine.use({
      name: 'bad rule',
      decide: transition => {
        if (isMine(transition)) throw boom
        return undefined
      },
    })
    const run = engine.run(flow('f', () => one()))
    t.match(await thrownBy(() => run), { code: 'RULE_FAILED', rule: 'bad rule', cause: boom })
  })

  test(`a verdict that would leave ${kind} nowhere crashes it`, async t => {
    const engine = engineFor(t)
    engine.use({
      name: 'nowhere',
      decide: transition => (isMine(transition) ? { type: 'REJECT', state: transition.from } : undefined),
    })
    const run = engine.run(flow('f', () => one()))
    t.match(await thrownBy(() => run), { code: 'RULE_FAILED', rule: 'nowhere' })
  })
}

test('an after-hook is told of what was written, and what it throws is logged and changes nothing', async t => {
  const errors: string[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }
  const engine = engineFor(t, { logger })
  const told: string[] = []
  const hook: Rule = {
    name: 'hook',
    after: ({ run, from, to }) => {
      told.push(`${run.kind}: ${from.name} → ${to.name}`)
      throw boom
    },
  }
  engine.use(hook)
  t.equal(await engine.run(flow('f', () => one())), 1)
  t.strictSame(told, [
    'flow-run: Pending → Running',
    'task-run: Pending → Running',
    'task-run: Running → Completed',
    'flow-run: Running → Completed',
  ])
  t.equal(errors.length, 4)
  t.match(errors[1], /^The rule 'hook' threw after 'one-.*-0' became Running$/)
})

test('a rule has a name and at least one function', async t => {
  const engine = engineFor(t)
  for (const rule of [{ name: 'nothing' }, { decide: () => undefined }]) {
    t.throws(() => engine.use(rule as unknown as Rule), { code: 'INVALID_ARGUMENT' })
  }
})
