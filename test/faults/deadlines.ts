/** Deadlines hold for code that never asks, and nobody else pays for it. */
import { flow, ParallelExecutor, type RunFuture } from 'mintaka'
import { t as tap } from 'tap'
import { type Act, act } from './fixtures/acts.js'
import { readWitness, until, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(300_000)

const timeoutMs = 60
const cancelGraceMs = 40
const executor = new ParallelExecutor({ threads: 2, cancelGraceMs, idleTimeoutMs: 200 })

// `bench/deadlines.ts` measures it; here the machine may be busy with other tests.
const lateMs = 1500

const endless: readonly Act[] = [
  'spins for ever',
  'sleeps for ever',
  'waits for ever',
  'blocks for ever',
  'searches for ever',
]

/** How long each attempt went on after it had begun, in the words of the tasks and of the store. */
async function timesOf(watch: Watch, flowRunId: string, futures: readonly RunFuture<unknown>[]): Promise<number[]> {
  const ids = new Set(futures.map(({ id }) => id))
  const witness = readWitness(watch.witness)
  const stored = (await watch.engine.taskRuns.list(flowRunId)).filter(({ run }) => ids.has(run.id))
  return stored.map(({ run: { id, startTime = 0 }, states }) => {
    // The deadline may pass while a new thread still loads the code.
    const begun = witness.get(id)?.[0]?.at ?? startTime
    return (states.at(-1)?.timestamp ?? Number.NaN) - begun
  })
}

story(
  '1,000 tasks with deadlines, some of which never end: those end in time, the others as if alone',
  async (t, watch) => {
    const timed = act.with({ timeoutMs })
    const patient = act.with({ timeoutMs: 60_000 })
    const futures: RunFuture<unknown>[] = []
    const guilty: RunFuture<unknown>[] = []
    const run = watch.engine.run(
      flow(
        'mixed',
        async () => {
          for (let index = 0; index < 1000; index++) {
            const how = index % 40 === 20 ? endless[((index / 40) % endless.length) | 0] : undefined
            if (how) guilty.push(timed(watch.witness, how, index))
            else if (index % 10 === 0) futures[index] = patient(watch.witness, 'sleeps', index, 2)
            else if (index % 3 === 0) futures[index] = patient(watch.witness, 'spins', index, 1)
            else futures[index] = act(watch.witness, 'nothing', index)
          }
          watch.follow([...guilty, ...Object.values(futures)])
          await Promise.all([...guilty, ...Object.values(futures)].map(future => future.wait()))
          return 'over'
        },
        { executor },
      ),
    )
    t.equal(await run, 'over')
    for (const future of guilty) t.match(future.state, { name: 'TimedOut', error: { code: 'TIMED_OUT', timeoutMs } })
    const wrong = Object.entries(futures).filter(
      ([index, { state }]) => state.type !== 'COMPLETED' || state.result !== Number(index),
    )
    t.strictSame(
      wrong.map(([, { name, state }]) => `${name}: ${state.name} ${state.message}`),
      [],
    )
    const times = (await timesOf(watch, run.id, guilty)).sort((a, b) => a - b)
    const late = times.map(ms => ms - timeoutMs - cancelGraceMs)
    t.comment(`${times.length} ended after ${late.map(Math.round).join(', ')} ms more than they had`)
    t.equal(times.length, 25)
    t.ok(
      times.every(ms => ms >= timeoutMs - 5),
      'none before its time',
    )
    t.ok((late.at(-1) ?? Number.NaN) < lateMs, `the last was ${late.at(-1)} ms late`)
  },
)

story('a deadline counts from the start of the attempt, not from the call', async (t, watch) => {
  const one = new ParallelExecutor({ threads: 1, cancelGraceMs, idleTimeoutMs: 200 })
  const run = flow(
    'in a row',
    () =>
      watch.follow(
        Array.from({ length: 20 }, (_, index) => act.with({ timeoutMs: 2000 })(watch.witness, 'sleeps', index, 150)),
      ),
    { executor: one },
  )
  t.strictSame(await watch.engine.run(run), [...Array(20).keys()])
})

story('a timeout is retried, each attempt with its own time, and then no more', async (t, watch) => {
  const run = watch.engine.run(
    flow(
      'again',
      () => watch.follow([act.with({ timeoutMs: 500, retries: 2 })(watch.witness, 'spins for ever')])[0]?.wait(),
      { executor },
    ),
  )
  await run.wait()
  const [stored] = await watch.engine.taskRuns.list(run.id)
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'AwaitingRetry', 'Retrying', 'TimedOut'],
  )
  const begun = readWitness(watch.witness)
    .get(stored?.run.id ?? '')
    ?.map(({ attempt }) => attempt)
  t.strictSame(begun, [1, 2, 3])
})

story('a call with a deadline that has calls behind it holds up none of them', async (t, watch) => {
  const one = new ParallelExecutor({ threads: 1, cancelGraceMs: 0, idleTimeoutMs: 200 })
  const run = flow(
    'behind',
    async () => {
      const before = Array.from({ length: 300 }, (_, index) => act(watch.witness, 'nothing', index))
      const stuck = act.with({ timeoutMs: 20 })(watch.witness, 'spins for ever')
      const after = Array.from({ length: 300 }, (_, index) => act(watch.witness, 'nothing', index))
      watch.follow([...before, stuck, ...after])
      t.equal((await stuck.wait()).name, 'TimedOut')
      return Promise.all([...before, ...after])
    },
    { executor: one },
  )
  const numbers = [...Array(300).keys()]
  t.strictSame(await watch.engine.run(run), [...numbers, ...numbers])
})

story('code that ends in its time of grace has timed out all the same, and its thread goes on', async (t, watch) => {
  const one = new ParallelExecutor({ threads: 1, cancelGraceMs: 60_000, idleTimeoutMs: 200 })
  const run = flow(
    'grace',
    async () => {
      const [late, polite] = watch.follow([
        act.with({ timeoutMs: 30 })(watch.witness, 'sleeps', 'dropped', 120),
        act.with({ timeoutMs: 30 })(watch.witness, 'polls'),
      ])
      return [(await late?.wait())?.name, (await polite?.wait())?.name, await act(watch.witness, 'nothing', 'next')]
    },
    { executor: one },
  )
  t.strictSame(await watch.engine.run(run), ['TimedOut', 'TimedOut', 'next'])
})

story('what blocks outside JavaScript is out of time when it lets go: nothing can end it before', async (t, watch) => {
  const began = performance.now()
  const run = flow(
    'outside',
    async () => {
      const [blocked] = watch.follow([act.with({ timeoutMs: 20 })(watch.witness, 'blocks in another process', 0, 700)])
      return (await blocked?.wait())?.name
    },
    { executor },
  )
  t.equal(await watch.engine.run(run), 'TimedOut')
  t.ok(performance.now() - began >= 690, 'its state tells the truth: the code had ended')
})

story('a flow that runs out of time takes its tasks with it, and says so when they have stopped', async (t, watch) => {
  const futures: RunFuture<unknown>[] = []
  const run = watch.engine.run(
    flow(
      'too long',
      async () => {
        const stuck = [act(watch.witness, 'spins for ever'), act(watch.witness, 'spins for ever')]
        await until(() => stuck.every(({ state }) => state.type !== 'PENDING'))
        futures.push(...stuck, ...Array.from({ length: 28 }, (_, index) => act(watch.witness, 'nothing', index)))
        await Promise.all(watch.follow(futures))
      },
      { executor, timeoutMs: 1500 },
    ),
  )
  t.match(await run.wait(), { name: 'TimedOut' })
  t.strictSame(new Set(futures.map(({ state }) => state.name)), new Set(['Cancelled']))
})
