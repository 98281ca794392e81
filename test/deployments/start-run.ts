import { test } from 'tap'
import { resumeFlow } from '../../lib/create-engine.js'
import type { ScheduledRun } from '../../lib/deployments/record.js'
import { startRun } from '../../lib/deployments/start-run.js'
import { Engine } from '../../lib/engine/engine.js'
import { idFromKey } from '../../lib/engine/id-from-key.js'
import { atLevel } from '../../lib/engine/logger.js'
import { flow, JsonStore, MemoryStore, type Store } from '../../lib/index.js'
import { simulatedClock } from '../../lib/testing/clock.js'
import { silent } from '../engine/fixtures/engine.js'

const logger = atLevel(silent, 'debug')

const noon = Date.UTC(2026, 0, 1, 12)
const etl = flow('etl', (p: { n: number }) => p.n, { tags: ['flow'] })
const scheduled = (some: Partial<ScheduledRun> = {}): ScheduledRun => ({
  id: idFromKey(['etl', 'key']),
  name: 'calm-owl',
  deployment: 'etl/daily',
  flowName: 'etl',
  scheduledTime: noon,
  idempotencyKey: 'key',
  parameters: { n: 7 },
  tags: ['own'],
  created: noon,
  ...some,
})

function engineAt(t: { teardown(close: () => unknown): unknown }, at: number, store: Store = new MemoryStore()) {
  const engine = new Engine({ store, logger, surroundings: simulatedClock(at), maxFlowDepth: 10 })
  t.teardown(() => engine.close())
  return engine
}

test('a run of a deployment is Scheduled, Pending, Running; it tells its deployment and when it was to begin', async t => {
  const folder = t.testdir()
  const engine = engineAt(t, noon + 5000, new JsonStore({ folder }))
  const run = startRun(engine, etl, scheduled())
  t.equal(run.id, scheduled().id)
  t.equal(await run.future, 7)
  const stored = await engine.flowRuns.get(run.id)
  t.match(stored?.run, { name: 'calm-owl', deployment: 'etl/daily', scheduledTime: noon, tags: ['flow', 'own'] })
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Scheduled', 'Pending', 'Running', 'Completed'],
  )
  t.strictSame(stored?.parameters, { n: 7 })
  await engine.close()
  const later = engineAt(t, noon + 6000, new JsonStore({ folder }))
  const listed = await later.flowRuns.list({ deployment: ['etl/daily'] })
  t.match(listed, [{ run: { deployment: 'etl/daily', scheduledTime: noon } }], 'also from the history')
  t.strictSame(await later.flowRuns.list({ deployment: ['etl/other'] }), [])
})

test('what continues a run of a deployment is one too, and begins at once', async t => {
  const engine = engineAt(t, noon)
  let fails = true
  const shaky = flow('etl', () => {
    if (fails) throw new Error('no')
    return 1
  })
  const first = startRun(engine, shaky, scheduled())
  t.equal((await first.future.wait())?.type, 'FAILED')
  fails = false
  const second = resumeFlow(engine, first.id, shaky)
  t.equal(await second, 1)
  const stored = await engine.flowRuns.get(second.id)
  t.match(stored?.run, { deployment: 'etl/daily', scheduledTime: undefined, continues: first.id })
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Running', 'Completed'],
  )
})

test('one that begins more than five seconds behind its time is Late', async t => {
  const engine = engineAt(t, noon + 5001)
  const run = startRun(engine, etl, scheduled())
  await run.future
  const stored = await engine.flowRuns.get(run.id)
  t.match(stored?.states[0], { type: 'SCHEDULED', name: 'Late', scheduledTime: noon })
})

test('one that is begun before its time waits for it, and can be cancelled meanwhile', async t => {
  const surroundings = simulatedClock(noon - 1000)
  const engine = new Engine({ store: new MemoryStore(), logger, surroundings, maxFlowDepth: 10 })
  const run = startRun(engine, etl, scheduled())
  const other = startRun(engine, etl, scheduled({ idempotencyKey: 'other' }))
  await surroundings.advance(999)
  t.match([run.state, other.state], [{ name: 'Scheduled' }, { name: 'Scheduled' }])
  other.cancel('not today')
  await surroundings.advance(1)
  t.match([run.state, other.state], [{ name: 'Completed' }, { name: 'Cancelled' }])
  await engine.close()
})

test('it is begun once, however often', async t => {
  const engine = engineAt(t, noon)
  const [one, other] = [startRun(engine, etl, scheduled()), startRun(engine, etl, scheduled())]
  t.equal(one, other)
  await one.future
  t.equal(await startRun(engine, etl, scheduled({ parameters: { n: 8 } })).future, 7)
})

test('the shorter of two time limits holds', async t => {
  const surroundings = simulatedClock(noon)
  const engine = new Engine({ store: new MemoryStore(), logger, surroundings, maxFlowDepth: 10 })
  const slow = flow('slow', () => new Promise(() => {}), { timeoutMs: 500 })
  const [one, other] = [
    startRun(engine, slow, scheduled({ idempotencyKey: 'one' }), { timeoutMs: 100 }),
    startRun(engine, slow, scheduled({ idempotencyKey: 'other' }), { timeoutMs: 1000 }),
  ]
  await surroundings.advance(100)
  t.match([one.state, other.state], [{ name: 'TimedOut' }, { name: 'Running' }])
  await surroundings.advance(400)
  t.match(other.state, { name: 'TimedOut' })
  await engine.close()
})
