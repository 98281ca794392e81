/** Cancelling stops code, wherever it is at that moment, and touches nothing else. */
import { setTimeout as delay } from 'node:timers/promises'
import { flow, ParallelExecutor, type RunFuture, type SettledState } from 'mintaka'
import { t as tap } from 'tap'
import { Random, seedFromEnvironment } from '../fixtures/random.js'
import { type Act, act, beat } from './fixtures/acts.js'
import { readWitness, threads, until, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(300_000)

const patient = { idleTimeoutMs: 200 }
const executor = new ParallelExecutor({ threads: 2, cancelGraceMs: 30, ...patient })

/** Waits until its code runs, and the engine knows. */
const begun = (watch: Watch, future: RunFuture<unknown>) =>
  until(() => readWitness(watch.witness).has(future.id) && future.state.type === 'RUNNING')

for (const cancelGraceMs of [0, 100]) {
  story(
    `code that never asks is stopped after ${cancelGraceMs} ms of grace, and is silent from then on`,
    async (t, watch) => {
      const one = new ParallelExecutor({ threads: 1, cancelGraceMs, ...patient })
      const run = flow(
        'silence',
        async () => {
          const [beating] = watch.follow([beat(watch.witness)])
          if (!beating) return 'nothing'
          t.ok(await begun(watch, beating))
          const since = Date.now()
          const cancelled = beating.cancel('enough')
          t.equal(beating.state.name, 'Cancelling')
          const end = await cancelled
          t.match(end, { type: 'CANCELLED', error: { code: 'CANCELLED', reason: 'enough' } })
          t.ok(Date.now() - since >= cancelGraceMs - 2, 'it had its time of grace')
          const said = readWitness(watch.witness).get(beating.id)?.length
          await delay(50)
          t.equal(readWitness(watch.witness).get(beating.id)?.length, said)
          return act(watch.witness, 'nothing', 'next')
        },
        { executor: one },
      )
      t.equal(await watch.engine.run(run), 'next')
    },
  )
}

for (const how of [
  'spins for ever',
  'sleeps for ever',
  'waits for ever',
  'blocks for ever',
  'searches for ever',
] as const) {
  story(`a task that ${how} is stopped, and what waits behind it runs`, async (t, watch) => {
    const run = flow(
      'behind',
      async () => {
        const stuck = [act(watch.witness, how), act(watch.witness, how)]
        const queued = Array.from({ length: 50 }, (_, index) => act(watch.witness, 'nothing', index))
        watch.follow([...stuck, ...queued])
        for (const future of stuck) await begun(watch, future)
        const states = await Promise.all(stuck.map(future => future.cancel()))
        return [states.map(({ name }) => name), await Promise.all(queued)]
      },
      { executor },
    )
    t.strictSame(await watch.engine.run(run), [['Cancelled', 'Cancelled'], [...Array(50).keys()]])
  })
}

story('code that asks or listens stops by itself, and its thread goes on', async (t, watch) => {
  const one = new ParallelExecutor({ threads: 1, cancelGraceMs: 60_000, idleTimeoutMs: 5000 })
  const before = threads.started
  const run = flow(
    'polite',
    async () => {
      const names: string[] = []
      for (let time = 0; time < 5; time++) {
        for (const how of ['polls', 'listens'] as const) {
          const [future] = watch.follow([act(watch.witness, how)])
          if (!future) continue
          await begun(watch, future)
          names.push((await future.cancel()).name)
        }
      }
      return names
    },
    { executor: one },
  )
  t.strictSame(await watch.engine.run(run), Array(10).fill('Cancelled'))
  t.equal(threads.started - before, 1)
})

story('what is queued and cancelled is CANCELLED at once and never runs', async (t, watch) => {
  const run = flow(
    'queued',
    async () => {
      const stuck = [act(watch.witness, 'spins for ever'), act(watch.witness, 'spins for ever')]
      for (const future of stuck) await begun(watch, future)
      const queued = Array.from({ length: 300 }, (_, index) => act(watch.witness, 'nothing', index))
      watch.follow([...stuck, ...queued])
      const unwanted = queued.filter((_, index) => index % 3 === 0)
      const states = await Promise.all(unwanted.map(future => future.cancel()))
      t.ok(states.every(({ name }) => name === 'Cancelled'))
      t.ok(
        stuck.every(({ state }) => state.name === 'Running'),
        'while all threads are busy',
      )
      await Promise.all(stuck.map(future => future.cancel()))
      await Promise.all(queued.map(future => future.wait()))
      for (const { id } of unwanted) t.notOk(readWitness(watch.witness).has(id))
      return queued.filter(({ state }) => state.type === 'COMPLETED').length
    },
    { executor },
  )
  t.equal(await watch.engine.run(run), 200)
})

story('a task that is cancelled again and again, and after its end, ends once', async (t, watch) => {
  const run = flow(
    'again',
    async () => {
      const [future] = watch.follow([act(watch.witness, 'spins for ever')])
      if (!future) return 'nothing'
      await begun(watch, future)
      const states = await Promise.all([future.cancel('first'), future.cancel('second'), future.cancel()])
      t.equal(new Set(states).size, 1)
      t.equal(await future.cancel('late'), states[0])
      const [done] = watch.follow([act(watch.witness, 'nothing', 1)])
      await done
      return (await done?.cancel())?.name
    },
    { executor },
  )
  t.equal(await watch.engine.run(run), 'Completed')
})

story('cancelling a flow run stops its tasks and those of its subflows, running and queued', async (t, watch) => {
  const child = flow(
    'child',
    async () => {
      const futures = Array.from({ length: 40 }, (_, index) =>
        act(watch.witness, index < 2 ? 'spins for ever' : 'nothing', index),
      )
      await Promise.all(watch.follow(futures))
    },
    { executor: new ParallelExecutor({ threads: 1, cancelGraceMs: 30, ...patient }) },
  )
  const parent = flow(
    'parent',
    async () => {
      const inner = child()
      const futures = Array.from({ length: 40 }, (_, index) =>
        act(watch.witness, index < 2 ? 'sleeps for ever' : 'nothing', index),
      )
      await Promise.all([...watch.follow(futures), inner])
    },
    { executor },
  )
  const run = watch.engine.run(parent)
  await until(() => readWitness(watch.witness).size >= 3)
  t.equal((await run.cancel('all of it')).name, 'Cancelled')
  for (const { run: flowRun } of await watch.engine.flowRuns.list()) {
    t.equal(flowRun.state.name, 'Cancelled', flowRun.flowName)
    const states = (await watch.engine.taskRuns.list(flowRun.id)).map(({ run }) => run.state.type)
    t.ok(
      states.every(type => type === 'CANCELLED' || type === 'COMPLETED'),
      states.join(),
    )
  }
})

story('an engine that closes with a limit of time stops what never ends', async (t, watch) => {
  const run = watch.engine.run(
    flow('endless', () => watch.follow([act(watch.witness, 'spins for ever'), act(watch.witness, 'sleeps for ever')]), {
      executor,
    }),
  )
  await until(() => readWitness(watch.witness).size === 2)
  await watch.engine.close({ timeoutMs: 50 })
  t.equal(run.state.name, 'Cancelled')
})

const seed = seedFromEnvironment()
const mix: Readonly<Partial<Record<Act, number>>> = {
  nothing: 60,
  spins: 15,
  sleeps: 10,
  polls: 2,
  listens: 2,
  'spins for ever': 1,
  'sleeps for ever': 1,
  exits: 0.5,
  'fails in the background': 0.5,
}
story(`cancelled at any moment of its life, a call ends once and as it was (seed ${seed})`, async (t, watch) => {
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  const cancelled = new Set<string>()
  const whenever = async (future: RunFuture<unknown>, ms: number) => {
    await delay(ms)
    cancelled.add(future.id)
    return future.cancel()
  }
  const moments = flow(
    'moments',
    async () => {
      const ends: Promise<unknown>[] = []
      for (let index = 0; index < 1200; index++) {
        const how = random.pick(mix as Record<Act, number>)
        const task = random.next() < 0.05 ? act.with({ retries: 1 }) : act
        const [future] = watch.follow([task(watch.witness, how, index, how === 'exits' ? 0 : 1 + random.below(3))])
        if (!future) continue
        const mustBe = /ever|polls|listens/.test(how)
        if (mustBe)
          ends.push(until(() => future.state.type !== 'PENDING').then(() => whenever(future, random.next() * 5)))
        else if (random.next() < 0.3) ends.push(whenever(future, random.next() ** 3 * 400))
        ends.push(future.wait().then(state => checkEnd(how, index, state)))
        if (random.next() < 0.02) await delay(random.next() * 4)
      }
      await Promise.all(ends)
      return 'over'
    },
    { executor },
  )
  const wrong: string[] = []
  const checkEnd = (how: Act, index: number, state: SettledState) => {
    const honest = how === 'nothing' || how === 'spins' || how === 'sleeps'
    if (state.type === 'COMPLETED' && state.result !== index)
      wrong.push(`${index} has the value ${String(state.result)}`)
    if (honest && state.type !== 'COMPLETED' && state.type !== 'CANCELLED')
      wrong.push(`${index} ${how}: ${state.name} ${state.message}`)
  }
  t.equal(await watch.engine.run(moments), 'over')
  t.strictSame(wrong, [])
  const runs = await watch.engine.taskRuns.list((await watch.engine.flowRuns.list())[0]?.run.id ?? '')
  const byNobody = runs.filter(({ run }) => run.state.type === 'CANCELLED' && !cancelled.has(run.id))
  t.strictSame(
    byNobody.map(({ run }) => run.name),
    [],
    'nobody is cancelled by chance',
  )
})
