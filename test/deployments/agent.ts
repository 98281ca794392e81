import { Cron } from 'croner'
import { test } from 'tap'
import { nextTime } from '../../lib/cli/next-time.js'
import { Agent, type AgentEvent } from '../../lib/deployments/agent.js'
import { type DeploymentOptions, deployment } from '../../lib/deployments/deployment.js'
import { InProcessLauncher } from '../../lib/deployments/in-process.js'
import type { Launch, LaunchEnd } from '../../lib/deployments/launcher.js'
import { deploymentsOf } from '../../lib/deployments/of-engine.js'
import type { ScheduledRun } from '../../lib/deployments/record.js'
import { occurrencesOf } from '../../lib/deployments/schedule.js'
import { Engine } from '../../lib/engine/engine.js'
import { atLevel } from '../../lib/engine/logger.js'
import { flow, MemoryStore, type Schedule } from '../../lib/index.js'
import { simulatedClock } from '../../lib/testing/clock.js'

const minute = 60_000
const noon = Date.UTC(2026, 4, 5, 12)
type T = { teardown(close: () => unknown): unknown }

/** A simulated clock at noon, an engine, and agents on it; what they say and do is kept. */
function set(
  t: T,
  { at = noon, pollMs = minute, store = new MemoryStore() }: { at?: number; pollMs?: number; store?: MemoryStore } = {},
) {
  const clock = simulatedClock(at)
  const said: string[] = []
  const say = (message: string) => void said.push(message)
  const logger = atLevel({ debug() {}, info: say, warn: say, error: say }, 'debug')
  const surroundings = { ...clock, newId: () => `${clock.newId()}-of-${at}` } // those of a store are different
  const engine = new Engine({ store, logger, surroundings, maxFlowDepth: 10 })
  const deployments = deploymentsOf(engine)
  const agents: Agent[] = []
  const started = (launcher: ConstructorParameters<typeof Agent>[0]['launcher'], concurrency = 10) => {
    const events: AgentEvent[] = []
    const agent = new Agent({ engine, launcher, concurrency, pollMs, tell: event => void events.push(event) })
    agents.push(agent)
    return Object.assign(agent, { events })
  }
  t.teardown(async () => {
    for (const agent of agents) agent.force('kill')
    await engine.close({ timeoutMs: 0 })
  })
  return { clock, engine, store, deployments, started, said }
}

/** Runs that end when the test says so. */
function byHand(serves = (_: string) => true) {
  const runs: (ScheduledRun & { end(how?: LaunchEnd): void; stops: string[] })[] = []
  const launch = (run: ScheduledRun): Launch => {
    const stops: string[] = []
    let end = (_: LaunchEnd) => {}
    const ended = new Promise<LaunchEnd>(resolve => {
      end = resolve
    })
    const fail = () => end({ type: 'failed', error: new Error('by hand') })
    runs.push({ ...run, end: how => (how ? end(how) : fail()), stops })
    return { ended, stop: how => void stops.push(how) }
  }
  return { serves, launch, runs, times: () => runs.map(run => (run.scheduledTime - noon) / minute) }
}

const etl = flow('etl', () => 1)
const every = (minutes: number, options: DeploymentOptions<undefined> = {}) =>
  deployment('daily', etl, { schedule: { intervalMs: minutes * minute }, ...options })

test('a year of occurrences: each runs once, at its time, whatever the clocks of its place do', async t => {
  const { clock, engine, deployments, started } = set(t, { at: Date.UTC(2026, 0, 1), pollMs: 7 * 24 * 60 * minute })
  const schedules: Record<string, Schedule> = {
    'at half past two in Zurich': { cron: '30 2 * * *', timezone: 'Europe/Zurich' },
    'every twenty hours': { intervalMs: 20 * 60 * minute },
    'daily in New York': { intervalMs: 24 * 60 * minute, anchor: '2026-01-01T01:30:00', timezone: 'America/New_York' },
    'the second Friday': {
      rrule: 'FREQ=MONTHLY;BYDAY=2FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0',
      timezone: 'Australia/Lord_Howe',
    },
  }
  const begun = new Map<string, number[]>()
  const flows = Object.keys(schedules).map(name =>
    flow(name, () => void begun.set(name, [...(begun.get(name) ?? []), clock.now()])),
  )
  const all = flows.map(each =>
    deployment('year', each, { schedule: schedules[each.name], catchUp: 'all', overlap: 'allow' }),
  )
  for (const each of all) await deployments.create(each)
  started(new InProcessLauncher(engine, all))
  const from = clock.now() + 1
  await clock.advance(365 * 24 * 60 * minute)
  for (const [name, schedule] of Object.entries(schedules)) {
    const expected = occurrencesUntil(clock.now(), schedule, from)
    t.strictSame(begun.get(name), expected, name)
    const runs = await engine.flowRuns.list({ deployment: [`${name}/year`] })
    t.strictSame(runs.map(({ run }) => run.scheduledTime).reverse(), expected)
    t.ok(runs.every(({ run, states }) => run.state.type === 'COMPLETED' && states[0]?.name === 'Scheduled'))
  }
  t.strictSame(await deployments.scheduled(), [])
})

function occurrencesUntil(until: number, schedule: Schedule, from: number): number[] {
  const times: number[] = []
  for (const at of occurrencesOf(schedule).from(from)) {
    if (at > until) break
    times.push(at)
  }
  return times
}

test('runs begin when they are due, the earliest first, as many at once as there may be', async t => {
  const { clock, deployments, started } = set(t)
  await deployments.create(deployment('daily', etl))
  const launcher = byHand()
  for (const minutes of [3, 1, 2, 1]) await deployments.run('etl/daily', { at: noon + minutes * minute })
  started(launcher, 2)
  await clock.advance(minute - 1)
  t.strictSame(launcher.times(), [])
  await clock.advance(1)
  t.strictSame(launcher.times(), [1, 1])
  await clock.advance(5 * minute)
  t.equal(launcher.runs.length, 2, 'no slot is free')
  launcher.runs[1]?.end()
  await clock.advance(0)
  t.strictSame(launcher.times(), [1, 1, 2], 'at once when one is')
  launcher.runs[0]?.end()
  await clock.advance(0)
  t.strictSame(launcher.times(), [1, 1, 2, 3])
})

test('overlapping occurrences are left out, wait, or run', async t => {
  for (const [overlap, at3, after] of [
    ['skip', [1], [1, 4]],
    ['queue', [1], [1, 2]],
    ['allow', [1, 2, 3], [1, 2, 3, 4]],
  ] as const) {
    const { clock, deployments, started, said } = set(t)
    await deployments.create(every(1, { overlap }))
    const launcher = byHand()
    started(launcher)
    await clock.advance(3 * minute)
    t.strictSame(launcher.times(), at3, overlap)
    launcher.runs[0]?.end()
    await clock.advance(minute)
    t.strictSame(launcher.times(), after, overlap)
    t.equal(said.filter(line => line.includes('is left out')).length, overlap === 'skip' ? 2 : 0)
  }
})

test('what was missed is made up for as the deployment says', async t => {
  for (const [catchUp, expected, missed] of [
    ['none', [61], 60],
    ['last', [60, 61], 59],
    ['all', Array.from({ length: 61 }, (_, index) => index + 1), 0],
  ] as const) {
    const { clock, deployments, started, said } = set(t)
    await deployments.create(every(1, { catchUp, overlap: 'allow' }))
    await clock.advance(60 * minute + 45_000)
    const launcher = byHand()
    started(launcher, 100)
    await clock.advance(15_000)
    t.strictSame(launcher.times(), expected, catchUp)
    t.equal(said.filter(line => line.startsWith(`${missed} runs from`)).length, missed > 0 ? 1 : 0, said.join())
  }
})

test('a day of missed seconds is decided at once', async t => {
  const { clock, deployments, started, said } = set(t)
  await deployments.create(deployment('often', etl, { schedule: { intervalMs: 1000 } }))
  await clock.advance(24 * 60 * minute + 999)
  const launcher = byHand()
  started(launcher)
  await clock.advance(0)
  t.equal(launcher.runs.length, 1)
  t.equal(said.filter(line => line.includes('is left out')).length, 29, 'which are not older than half a minute')
  t.match(said.at(-1), /^86370 runs from 2026-05-05T12:00:01.000Z to .* were missed of deployment 'etl\/often'/)
})

test('more than there is room for waits to be decided', async t => {
  const { clock, deployments, started } = set(t)
  await deployments.create(every(1, { catchUp: 'all', overlap: 'allow' }))
  await clock.advance(1000 * minute)
  const launcher = byHand()
  started(launcher, 1)
  await clock.advance(10 * minute)
  const waiting = (await deployments.scheduled()).length
  t.ok(waiting > 150 && waiting <= 302, String(waiting))
})

test('a paused deployment rests, but what it is asked for runs', async t => {
  const { clock, deployments, started } = set(t)
  await deployments.create(every(1, { overlap: 'allow' }))
  const launcher = byHand()
  started(launcher)
  await deployments.pause('etl/daily')
  await clock.advance(2 * minute)
  t.strictSame(launcher.times(), [])
  await deployments.run('etl/daily')
  await clock.advance(minute)
  t.strictSame(launcher.times(), [2])
  await deployments.resume('etl/daily')
  await clock.advance(minute)
  t.strictSame(launcher.times(), [2, 4], 'what fell due meanwhile is not made up for')
})

test('a run that could not begin is a flow run all the same, with what went wrong', async t => {
  const { clock, engine, deployments, started } = set(t)
  await deployments.create(deployment('daily', etl, { tags: ['x'] }))
  const launcher = byHand()
  const { events } = started(launcher)
  const [one, other] = [await deployments.run('etl/daily', { name: 'one' }), await deployments.run('etl/daily')]
  await clock.advance(minute)
  launcher.runs.find(({ id }) => id === one.id)?.end({ type: 'failed', error: new Error('no file') })
  launcher.runs.find(({ id }) => id === other.id)?.end({ type: 'crashed', error: new Error('killed') })
  await clock.advance(0)
  const stored = await engine.flowRuns.get(one.id)
  t.match(stored?.run, { name: 'one', deployment: 'etl/daily', flowName: 'etl', tags: ['x'], runCount: 0 })
  t.match(stored?.states, [{ name: 'Scheduled' }, { name: 'Failed', error: { message: 'no file' } }])
  t.match((await engine.flowRuns.get(other.id))?.run.state, { type: 'CRASHED', message: 'killed' })
  t.strictSame(await deployments.scheduled(), [])
  t.strictSame(
    events.map(({ type }) => type),
    ['begun', 'begun', 'ended', 'ended'],
  )
})

test('of several agents one begins a run; the others take over what one that is gone had taken', async t => {
  const { clock, deployments, started, store } = set(t)
  await deployments.create(every(1, { overlap: 'allow' }))
  const launchers = [byHand(), byHand(), byHand()]
  const agents = launchers.map(launcher => started(launcher))
  await clock.advance(5 * minute)
  const times = () => launchers.flatMap(({ times }) => times()).sort((a, b) => a - b)
  t.strictSame(times(), [1, 2, 3, 4, 5])
  const first = launchers.findIndex(({ runs }) => runs.length > 0)
  const had = launchers[first]?.runs.length ?? 0
  agents[first]?.stop()
  await clock.advance(minute)
  t.strictSame(times(), [1, 2, 3, 4, 5, 6], 'one that waits for its runs still has them')
  await store.documents.exclusively('schedule', async () => {
    // As if its process had died: its lock is free, and what it had taken is where it was.
    const lost = { agent: 'a-dead-one', pid: 1, host: 'x' }
    for (const run of launchers[first]?.runs.slice(0, 1) ?? [])
      await store.documents.put('scheduled', run.id, { ...run, takenBy: lost })
  })
  await clock.advance(minute)
  t.equal(times().length, 8, 'the seventh, and the lost one again')
  t.equal(launchers[first]?.runs.length, had)
})

test('a deployment that is deleted meanwhile leaves no run behind', async t => {
  const { clock, engine, deployments, started, store } = set(t)
  await deployments.create(deployment('daily', etl))
  const run = await deployments.run('etl/daily')
  await store.documents.remove('deployments', 'etl/daily')
  started(byHand())
  await clock.advance(minute)
  t.match((await engine.flowRuns.get(run.id))?.run.state, { type: 'FAILED', message: /'etl\/daily' has been deleted/ })
  t.strictSame(await deployments.scheduled(), [])
})

test('a service begins what it serves and nothing else', async t => {
  const { clock, deployments, started } = set(t)
  await deployments.create(every(1))
  await deployments.create(deployment('other', etl, { schedule: { intervalMs: minute } }))
  const launcher = byHand(id => id === 'etl/other')
  started(launcher)
  await clock.advance(minute)
  t.match(launcher.runs, [{ deployment: 'etl/other' }])
  t.strictSame((await deployments.scheduled()).length, 1, 'nor does it decide about others')
})

test('documents that make no sense are left out, and said', async t => {
  const { clock, deployments, started, store, said } = set(t)
  const good = await deployments.create(every(1))
  await store.documents.put('deployments', 'a', { id: 5 })
  await store.documents.put('deployments', 'b', { ...good, id: 'etl/b', schedule: { cron: 'x' } })
  await store.documents.put('deployments', 'c', { ...good, id: 'etl/c', tags: 5 })
  await store.documents.put('scheduled', 'd', 'text')
  await store.documents.put('cursors', 'etl/daily', { decidedUntil: 'x' })
  const launcher = byHand()
  started(launcher)
  await clock.advance(2 * minute)
  t.match(launcher.runs, [{ deployment: 'etl/daily' }])
  t.equal(said.filter(line => line.includes("The schedule of deployment 'etl/b' cannot be used")).length, 1, 'once')
})

test('a schedule that fails rests, is told with its deployment, and does not keep the others from running', async t => {
  const { clock, deployments, started, store, said } = set(t)
  const good = await deployments.create(every(1))
  await store.documents.put('deployments', 'etl/bad', { ...good, id: 'etl/bad', schedule: { cron: '* * * * *' } })
  const { nextRun } = Cron.prototype
  t.intercept(Cron.prototype, 'nextRun', {
    value(this: Cron, from?: Date) {
      if (from) throw new Error('Invalid options: dtstart')
      return nextRun.call(this)
    },
  })
  const launcher = byHand()
  started(launcher)
  await clock.advance(2 * minute)
  t.match(launcher.runs, [{ deployment: 'etl/daily' }])
  t.strictSame(
    said.filter(line => line.includes('dtstart')),
    ["The schedule of deployment 'etl/bad' cannot be used: Invalid options: dtstart"],
  )
})

test('a schedule that was decided by a clock four months ahead goes on when the clock is right', async t => {
  const ahead = set(t, { at: noon + 120 * 24 * 60 * minute })
  const daily = every(1)
  await ahead.deployments.create(daily)
  ahead.started(byHand())
  await ahead.clock.advance(minute)
  const right = set(t, { store: ahead.store })
  await right.deployments.create(daily)
  const launcher = byHand()
  const agent = right.started(launcher)
  await right.clock.advance(minute + 1)
  t.strictSame(launcher.times(), [1])
  const [line, ...others] = right.said
  t.match(line, /^The schedule of deployment 'etl\/daily' would go on after 2026-09-02T12:01:00.000Z only/)
  t.strictSame(others, [], 'once')
  agent.force('kill')
  launcher.runs[0]?.end()
  await agent.ended
  const [record] = await right.deployments.list()
  const scheduled = await right.deployments.scheduled()
  t.equal(record && nextTime(record, scheduled, right.clock.now()), noon + 2 * minute, 'as deployment ls says')
})

test('a cursor that is ahead does not outlive pausing and resuming, nor another schedule', async t => {
  for (const [how, begun] of [
    ['resume', [1, 2]],
    ['create', [0.5, 1]],
  ] as const) {
    const { clock, deployments, started, store, said } = set(t)
    const { scheduledFrom } = await deployments.create(every(1, { overlap: 'allow' }))
    await store.documents.put('cursors', 'etl/daily', { decidedUntil: noon + 30_000_000, since: scheduledFrom })
    await deployments.pause('etl/daily')
    await clock.advance(1)
    if (how === 'resume') await deployments.resume('etl/daily')
    else await deployments.create(every(0.5, { overlap: 'allow', paused: false }))
    const launcher = byHand()
    started(launcher)
    await clock.advance(begun[1] * minute)
    t.strictSame(launcher.times(), begun, how)
    t.strictSame(said, [])
  }
})

test('two agents whose clocks are far apart do not contradict each other at every look', async t => {
  const ahead = set(t, { at: noon + 10 * minute })
  await ahead.deployments.create(every(1, { overlap: 'allow' }))
  ahead.started(byHand())
  const behind = set(t, { store: ahead.store })
  behind.started(byHand())
  for (let minutes = 0; minutes < 30; minutes += 1) {
    await ahead.clock.advance(minute)
    await behind.clock.advance(minute)
  }
  t.equal(behind.said.filter(line => line.includes('a clock was wrong')).length, 1)
})

test('an agent goes on when its store works again', async t => {
  const { clock, deployments, started, store, said } = set(t)
  await deployments.create(every(1, { overlap: 'allow' }))
  const launcher = byHand()
  started(launcher)
  await clock.advance(minute)
  const { create, put, remove } = store.documents
  const refuse = () => Promise.reject(new Error('no room'))
  Object.assign(store.documents, { create: refuse, put: refuse, remove: refuse })
  await clock.advance(minute)
  launcher.runs[0]?.end()
  await clock.advance(2 * minute)
  t.strictSame(launcher.times(), [1])
  Object.assign(store.documents, { create, put, remove })
  await clock.advance(minute)
  t.strictSame(launcher.times(), [1, 5], 'what was missed is made up for by the next')
  t.strictSame(
    said.filter(line => /again/.test(line)),
    ['The agent will try again: no room', 'The store can be used again'],
  )
  t.notOk(
    (await deployments.scheduled()).find(({ id }) => id === launcher.runs[0]?.id),
    'what had ended is settled',
  )
})

test('stopping waits for what has begun; forcing does not', async t => {
  const { clock, deployments, started } = set(t)
  await deployments.create(every(1, { overlap: 'allow' }))
  const launcher = byHand()
  const agent = started(launcher)
  let hasEnded = false
  void agent.ended.then(() => {
    hasEnded = true
  })
  await clock.advance(minute)
  agent.stop()
  await clock.advance(5 * minute)
  t.strictSame([launcher.runs.length, agent.running, hasEnded], [1, 1, false])
  agent.force('cancel')
  agent.force('kill')
  t.strictSame(launcher.runs[0]?.stops, ['cancel', 'kill'])
  launcher.runs[0]?.end()
  await clock.advance(0)
  t.ok(hasEnded)
  t.strictSame((await deployments.scheduled()).length, 0)
})
