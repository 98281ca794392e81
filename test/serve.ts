import { createEngine, deployment, flow, JsonStore, MemoryStore, serve } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { engineFor, silent } from './engine/fixtures/engine.js'

const minute = 60_000
const everyMinute = { schedule: { intervalMs: minute } }

test('a service enters its deployments and runs them when they are due, until it is stopped', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const seen: unknown[] = []
  const etl = flow('etl', (p: { n: number }) => void seen.push(p.n))
  const service = await serve([deployment('often', etl, { ...everyMinute, parameters: { n: 1 } })], { engine })
  t.match(await engine.deployments.list(), [{ id: 'etl/often' }])
  await clock.advance(2 * minute)
  await engine.deployments.run('etl/often', { parameters: { n: 2 } })
  await clock.advance(1000)
  t.strictSame(seen, [1, 1, 2])
  const runs = await engine.flowRuns.list({ deployment: ['etl/often'], state: ['Completed'] })
  t.equal(runs.length, 3)
  const stopping = service.stop()
  await clock.advance(0)
  await stopping
  await clock.advance(5 * minute)
  t.equal(seen.length, 3)
  t.match(await engine.deployments.list(), [{ id: 'etl/often' }], 'they stay')
})

test('an engine that is closed serves nothing, and says so', async t => {
  const engine = createEngine({ store: new MemoryStore(), logger: silent })
  await engine.close()
  const etl = flow('etl', () => 1)
  await t.rejects(serve([deployment('often', etl, everyMinute)], { engine }), {
    code: 'ENGINE_CLOSED',
    message: 'serve() was called on an engine that is closed.',
  })
})

test('a signal stops it; what runs is waited for, or cancelled after a time', async t => {
  const clock = simulatedClock()
  const engine = engineFor(t, { surroundings: clock })
  const endless = flow('endless', () => new Promise(() => {}))
  const controller = new AbortController()
  const service = await serve([deployment('often', endless, everyMinute)], { engine, signal: controller.signal })
  await clock.advance(minute)
  controller.abort()
  await clock.advance(5 * minute)
  const [run] = await engine.flowRuns.list()
  t.equal(run?.run.state.name, 'Running')
  const stopped = service.stop({ timeoutMs: 100 })
  await clock.advance(100)
  await stopped
  await service.ended
  t.match((await engine.flowRuns.list())[0]?.run.state, { type: 'CANCELLED', message: /its service stops/ })
  const late = await serve([deployment('often', endless, everyMinute)], { engine, signal: AbortSignal.abort() })
  await late.ended
})

test('processes that serve the same share the runs; each happens once', async t => {
  const folder = t.testdir()
  const seen: string[] = []
  const services = await Promise.all(
    ['a', 'b'].map(async name => {
      const engine = createEngine({ store: new JsonStore({ folder }), logger: silent })
      const etl = flow('etl', (n: number) => void seen.push(`${n}`))
      const service = await serve([deployment('asked', etl, { overlap: 'allow', parameters: 0 })], {
        engine,
        concurrency: 2,
      })
      return { engine, service, name }
    }),
  )
  const [first] = services
  for (let n = 0; n < 10; n++) await first?.engine.deployments.run('etl/asked', { parameters: n })
  while ((await first?.engine.deployments.scheduled())?.length) await new Promise(resolve => setTimeout(resolve, 20))
  t.strictSame(seen.sort(), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  for (const { engine, service } of services) {
    await service.stop()
    await engine.close()
  }
})

test('a service ends with its engine', async t => {
  const engine = createEngine({ store: new MemoryStore(), logger: silent })
  const service = await serve(
    [
      deployment(
        'often',
        flow('etl', () => 1),
        everyMinute,
      ),
    ],
    { engine },
  )
  await engine.close()
  await service.ended
  t.pass('by itself')
})

test('what makes no sense is refused', async t => {
  const engine = engineFor(t)
  const etl = deployment(
    'a',
    flow('etl', () => 1),
  )
  const serveAny = serve as (deployments: unknown, options?: unknown) => Promise<unknown>
  await t.rejects(serveAny(etl), { code: 'INVALID_ARGUMENT', message: /takes a list/ })
  await t.rejects(serveAny([flow('x', () => 1)]), { code: 'INVALID_ARGUMENT' })
  await t.rejects(serveAny([etl, etl], { engine }), { code: 'INVALID_ARGUMENT', message: /'etl\/a' twice/ })
  await t.rejects(serveAny([etl], { engine: {} }), { code: 'INVALID_OPTION', message: /what createEngine\(\) gave/ })
  await t.rejects(serveAny([etl], { concurency: 1 }), { code: 'INVALID_OPTION', message: /no option 'concurency'/ })
})
