import { createEngine, deployment, flow, JsonStore, MemoryStore, serve } from 'mintaka'
import { test } from 'tap'
import { engineFor, silent } from '../engine/fixtures/engine.js'

const etl = flow('etl', () => 1)

test('a scheduled run that has not begun is cancelled, and never begins', async t => {
  for (const store of [new MemoryStore(), new JsonStore({ folder: t.testdir() })]) {
    const engine = engineFor(t, { store })
    await engine.deployments.create(deployment('daily', etl))
    const [run, other] = [await engine.deployments.run('etl/daily'), await engine.deployments.run('etl/daily')]
    await engine.cancel(run.id, 'not today')
    t.match(await engine.deployments.scheduled(), [{ id: other.id }])
    const stored = await engine.flowRuns.get(run.id)
    t.match(stored?.states, [{ name: 'Scheduled' }, { name: 'Cancelled', message: /was cancelled: not today/ }])
    t.match(stored?.run, { name: run.name, deployment: 'etl/daily', runCount: 0, executor: 'none' })
    const service = await serve([deployment('daily', etl)], { engine })
    while ((await engine.deployments.scheduled()).length > 0) await new Promise(resolve => setTimeout(resolve, 10))
    await service.stop()
    t.equal((await engine.flowRuns.get(run.id))?.run.state.type, 'CANCELLED')
    t.equal((await engine.flowRuns.get(other.id))?.run.state.type, 'COMPLETED')
  }
})

test('one that has begun is cancelled as any flow run; what is not there is not found', async t => {
  const engine = createEngine({ store: new MemoryStore(), logger: silent })
  t.teardown(() => engine.close({ timeoutMs: 0 }))
  const daily = deployment(
    'daily',
    flow('endless', () => new Promise(() => {})),
  )
  const service = await serve([daily], { engine })
  const run = await engine.deployments.run('endless/daily')
  const running = async () => (await engine.flowRuns.get(run.id))?.run.state.type === 'RUNNING'
  while (!(await running())) await new Promise(resolve => setTimeout(resolve, 10))
  await engine.cancel(run.id, 'enough')
  while ((await engine.deployments.scheduled()).length > 0) await new Promise(resolve => setTimeout(resolve, 10))
  t.match((await engine.flowRuns.get(run.id))?.run.state, { type: 'CANCELLED', message: /enough/ })
  await service.stop()
  await t.rejects(engine.cancel('nothing'), { code: 'NOT_FOUND' })
})
