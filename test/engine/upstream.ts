import { allowFailure, flow, type TaskFuture, task } from 'mintaka'
import { test } from 'tap'
import { engineFor, history, thrownBy } from './fixtures/engine.js'

class OrderError extends Error {
  override name = 'OrderError'
  readonly code = 'E_ORDER'
  readonly order = { id: 7 }
}
const root = new OrderError('no such order', { cause: new Error('the cause') })
let ran: string[] = []
const fail = task('fail', async (): Promise<number> => {
  throw root
})
const pass = task('pass', (x: number) => {
  ran.push('pass')
  return x
})
const add = task('add', (a: number, b: number) => a + b)

const upstream = (...names: string[]) => ({
  type: 'PENDING',
  name: 'NotReady',
  error: { code: 'UPSTREAM_NOT_COMPLETED', cause: root },
  message: new RegExp(names.join('.*')),
})

test('NotReady cascades along a chain; the cause is always the root, and no function runs', async t => {
  const engine = engineFor(t)
  ran = []
  const run = engine.run(
    flow('f', async () => {
      const chain: TaskFuture<number>[] = [fail()]
      for (let link = 0; link < 5; link++) chain.push(pass(chain.at(-1) as TaskFuture<number>))
      const states = await Promise.all(chain.map(link => link.wait()))
      t.equal(states[0]?.name, 'Failed')
      for (let link = 1; link <= 5; link++) {
        t.match(states[link], { ...upstream("'pass-", "'(fail|pass)-"), upstreamId: chain[link - 1]?.id })
        t.match(await thrownBy(() => chain[link]), { code: 'UPSTREAM_NOT_COMPLETED', cause: root })
      }
      t.strictSame(await history(engine, chain[5] as TaskFuture<number>), ['Pending', 'NotReady'])
      return 'ok'
    }),
  )
  t.equal(await run, 'ok')
  t.strictSame(ran, [])
})

test('a diamond whose top failed is NotReady throughout', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const top = fail()
    const [left, right] = [pass(top), pass(top)]
    const bottom = add(left, right)
    return [left, right, bottom].map(run => run.wait()).length && (await bottom.wait()).name
  })
  t.equal(await engine.run(f), 'NotReady')
})

test('one that waits for a failed and a completed run waits for both to settle', async t => {
  const engine = engineFor(t)
  let settled = false
  const slow = task('slow', async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    settled = true
    return 1
  })
  const f = flow('f', async () => {
    await add(slow(), fail()).wait()
    return settled
  })
  t.equal(await engine.run(f), true)
})

test('a run that waits for a cancelled one is NotReady, with the cancellation as its cause', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => {
    const slow = task('slow', () => 1)()
    const next = pass(slow)
    await slow.cancel('enough')
    return next.wait()
  })
  const run = engine.run(flow('outer', async () => [(await f().wait()).type]))
  t.strictSame(await run, ['FAILED'])
})

for (const [kind, body] of [
  ['sync', () => dependants()],
  ['async', async () => dependants()],
  ['awaiting', async () => await dependants()],
  ['sync that returns an object', () => ({ sum: dependants() })],
  ['sync that returns nothing', () => void dependants()],
] as [string, () => unknown][]) {
  test(`what a flow throws is the task's own error, through dependants: a flow that is ${kind}`, async t => {
    const engine = engineFor(t)
    const thrown = await thrownBy(() => engine.run(flow('crunch', body)))
    t.equal(thrown, root)
    t.match(thrown, { name: 'OrderError', code: 'E_ORDER', order: { id: 7 }, cause: { message: 'the cause' } })
    const nested = await thrownBy(() => engine.run(flow('main', async () => ({ small: await flow('crunch', body)() }))))
    t.equal(nested, root, 'and through a subflow')
  })
}
const square = task('square', (x: number) => {
  if (x === 3) throw root
  return x * x
})
const sum = task('sum', (xs: number[]) => xs.reduce((a, b) => a + b, 0))
const dependants = () => sum(Array.from({ length: 5 }, (_, i) => square(i)))

test('a subflow whose parameters hold a failed future rests in NotReady, and never runs', async t => {
  const engine = engineFor(t)
  ran = []
  const sub = flow('sub', (p: { n: number }) => {
    ran.push('sub')
    return p.n
  })
  const run = engine.run(
    flow('f', async () => {
      const child = sub({ n: pass(fail()) })
      t.match(await child.wait(), upstream())
      t.strictSame(await history(engine, child), ['Pending', 'NotReady'])
      t.match(
        await sub
          .with({ waitFor: [fail()] })({ n: 1 })
          .wait(),
        { name: 'NotReady' },
      )
      t.match(await pass(child).wait(), { name: 'NotReady' })
      return 'ok'
    }),
  )
  t.equal(await run, 'ok')
  t.strictSame(ran, [])
  const mirrors = (await engine.taskRuns.list(run.id)).filter(({ run }) => run.childFlowRunId)
  t.strictSame(
    mirrors.map(({ states }) => states.map(({ name }) => name)),
    [
      ['Pending', 'NotReady'],
      ['Pending', 'NotReady'],
    ],
  )
})

test('allowFailure opts one argument out, the others still count', async t => {
  const engine = engineFor(t)
  const both = task('both', (state: { name: string }, x: number) => `${state.name} ${x}`)
  const f = flow('f', async () => [
    await both(allowFailure(fail()), 1),
    (await both(allowFailure(fail()), fail()).wait()).name,
    (await both(allowFailure(fail()), pass(fail())).wait()).name,
  ])
  t.strictSame(await engine.run(f), ['Failed 1', 'NotReady', 'NotReady'])
})
