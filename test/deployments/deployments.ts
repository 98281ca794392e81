import { createEngine, deployment, flow, JsonStore, MemoryStore, type Store } from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { z } from 'zod'
import { storeThat } from '../engine/fixtures/stores.js'

const report = flow('report', (p: { year: number; d?: unknown }) => p.year, {
  parameters: z.object({ year: z.number(), d: z.unknown().optional() }),
})
const etl = flow('etl', () => 1)
const hourly = { intervalMs: 3_600_000 }

function set(t: { teardown(close: () => unknown): unknown }, store: Store = new MemoryStore()) {
  const clock = simulatedClock()
  const engine = createEngine({ store, surroundings: clock, logLevel: 'error' })
  t.teardown(() => engine.close())
  return { clock, engine, deployments: engine.deployments }
}

test('a definition is plain, frozen and complete; nothing is entered by it', async t => {
  const { deployments } = set(t)
  const daily = deployment('daily', report, { parameters: { year: 2026 }, tags: ['x'] })
  t.match(daily, { id: 'report/daily', name: 'daily', flow: report, overlap: 'skip', catchUp: 'last', tags: ['x'] })
  t.ok(Object.isFrozen(daily))
  t.match(daily.file, /deployments\.ts$/)
  t.strictSame(await deployments.list(), [])
})

test('a definition that makes no sense is refused where it stands', async t => {
  const define = (name: string, options: object, of: unknown = etl) =>
    deployment(name, of as typeof etl, options as object)
  const refusals: [() => unknown, string, RegExp][] = [
    [() => define('a/b', {}), 'INVALID_ARGUMENT', /no slash and is not empty: .*not 'a\/b'/],
    [() => define(' ', {}), 'INVALID_ARGUMENT', /not ' '/],
    [() => define('a', {}, () => 1), 'INVALID_ARGUMENT', /takes what flow\(…\) gave/],
    [() => define('a', { schedul: hourly }), 'INVALID_OPTION', /has no option 'schedul'/],
    [() => define('a', { schedule: { cron: '61 * * * *' } }), 'INVALID_OPTION', /61/],
    [() => define('a', { overlap: 'wait' }), 'INVALID_OPTION', /one of allow, skip, queue/],
    [() => define('a', { limits: { memoryBytes: 5 } }), 'INVALID_OPTION', /'memoryBytes' of limits of deployment 'a'/],
    [() => define('a', { limits: { timeoutMs: 0 } }), 'INVALID_OPTION', /above 0/],
  ]
  for (const [call, code, message] of refusals) t.throws(call, { code, message })
})

test('deployments are kept with their parameters, whatever those hold', async t => {
  const parameters = { year: 2026, d: { at: new Date(5), big: 5n, map: new Map([[1, undefined]]) } }
  for (const store of [new MemoryStore(), new JsonStore({ folder: t.testdir() })]) {
    const { deployments } = set(t, store)
    await deployments.create(deployment('daily', report, { parameters, schedule: hourly, description: 'd' }))
    await deployments.create(deployment('b', etl))
    const all = await deployments.list()
    t.strictSame(
      all.map(({ id }) => id),
      ['etl/b', 'report/daily'],
    )
    t.match(all[1], { flowName: 'report', schedule: hourly, description: 'd', paused: false, created: Date.UTC(2020) })
    t.strictSame(all[1]?.parameters, parameters)
    t.strictSame(await deployments.list({ flowName: ['report'] }), [all[1]])
    t.notOk('parameters' in (await deployments.get('etl/b')))
  }
})

test('parameters have to fit the schema of the flow', async t => {
  const { deployments } = set(t)
  const wrong = deployment('daily', report, { parameters: { year: 'x' } as unknown as { year: number } })
  await t.rejects(deployments.create(wrong), { code: 'INVALID_PARAMETERS', message: /flow 'report'.*year/ })
  await t.rejects(deployments.create(deployment('none', report)), { code: 'INVALID_PARAMETERS' })
  t.strictSame(await deployments.list(), [])
})

test('a later definition replaces an earlier one; the schedule counts from where it was unless it is another', async t => {
  const { clock, deployments } = set(t)
  const first = await deployments.create(deployment('daily', etl, { schedule: hourly, tags: ['old'] }))
  await clock.advance(1000)
  const second = await deployments.create(deployment('daily', etl, { schedule: hourly }))
  t.match(second, { created: first.created, updated: first.updated + 1000, scheduledFrom: first.created, tags: [] })
  await clock.advance(1000)
  const third = await deployments.create(deployment('daily', etl, { schedule: { cron: '* * * * *' } }))
  t.match(third, { created: first.created, scheduledFrom: first.created + 2000 })
})

test('a deployment rests while it is paused, and counts from when it is resumed', async t => {
  const { clock, deployments } = set(t)
  await deployments.create(deployment('daily', etl, { schedule: hourly }))
  t.equal((await deployments.pause('etl/daily')).paused, true)
  await clock.advance(1000)
  t.equal((await deployments.create(deployment('daily', etl, { schedule: hourly }))).paused, true, 'stays so')
  await clock.advance(1000)
  const now = clock.now()
  t.match(await deployments.resume('etl/daily'), { paused: false, updated: now, scheduledFrom: now })
  t.match(await deployments.resume('etl/daily'), { scheduledFrom: now })
  await clock.advance(1000)
  const again = await deployments.create(deployment('daily', etl, { schedule: hourly, paused: true }))
  t.match(again, { paused: true, scheduledFrom: now + 1000 })
})

test('runs are scheduled with parameters over those of the deployment, the earliest first', async t => {
  const { clock, deployments } = set(t)
  await deployments.create(deployment('daily', report, { parameters: { year: 1, d: 1 }, tags: ['x'] }))
  const later = await deployments.run('report/daily', { at: clock.now() + 5000, parameters: { year: 2 } })
  const now = await deployments.run('report/daily', { name: 'mine' })
  t.match(now, { name: 'mine', scheduledTime: clock.now(), parameters: { year: 1, d: 1 }, tags: ['x'] })
  t.strictSame(later.parameters, { year: 2, d: 1 })
  t.match(now.id, /^[0-9a-z]{16}$/)
  t.not(now.id, later.id)
  t.strictSame(
    (await deployments.scheduled()).map(({ id }) => id),
    [now.id, later.id],
  )
  t.strictSame(await deployments.scheduled({ deployment: 'etl/x' }), [])
})

test('what is deleted is gone, with its runs that nobody has begun', async t => {
  const { deployments } = set(t)
  await deployments.create(deployment('daily', etl))
  await deployments.create(deployment('other', etl))
  await deployments.run('etl/daily')
  const other = await deployments.run('etl/other')
  await deployments.delete('etl/daily')
  t.strictSame(
    (await deployments.list()).map(({ id }) => id),
    ['etl/other'],
  )
  t.match(await deployments.scheduled(), [{ id: other.id }])
})

test('an unknown deployment is not found, and the near ones are told', async t => {
  const { deployments } = set(t)
  await deployments.create(deployment('daily', etl))
  const calls = ['get', 'pause', 'resume', 'delete', 'run'] as const
  for (const call of calls)
    await t.rejects(async () => void (await deployments[call]('etl/dayly')), {
      code: 'NOT_FOUND',
      message: /'etl\/daily'\?/,
    })
  await t.rejects(deployments.get('daily'), {
    message: /the form flow-name\/deployment-name. Did you mean 'etl\/daily'\?/,
  })
})

test('a store without documents says so', async t => {
  const store = storeThat(() => undefined)
  const { deployments } = set(t, store)
  await t.rejects(deployments.list(), { code: 'INVALID_OPTION', message: /'wrapped' has none/ })
})
