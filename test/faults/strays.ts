/** What a task leaves behind, and what fails of it afterwards, is no other task's fault. */
import { flow, ParallelExecutor, type RunFuture } from 'mintaka'
import { t as tap } from 'tap'
import { act, leave, waysToFailLater } from './fixtures/acts.js'
import { threads, until, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(300_000)

const one = () => new ParallelExecutor({ threads: 1, cancelGraceMs: 100, idleTimeoutMs: 500 })
const left = /left running in a worker failed after the task had ended/
const warned = (watch: Watch) => watch.warnings.filter(({ message }) => left.test(message)).length

/** Waits until the failure has been told, while `work` goes on. */
async function whileItFails(watch: Watch, work: (index: number) => RunFuture<unknown>): Promise<unknown[]> {
  const values: unknown[] = []
  const end = performance.now() + 10_000
  while (warned(watch) === 0 && performance.now() < end) values.push(await work(values.length))
  return values
}

for (const how of waysToFailLater) {
  story(`a failure of what is left behind (${how}) while a neighbour computes`, async (t, watch) => {
    const run = flow(
      'computes',
      async () => {
        const futures = [leave(watch.witness, how, 5, 'left'), act(watch.witness, 'spins', 'right', 60)]
        const values = await Promise.all(watch.follow(futures))
        await until(() => warned(watch) > 0)
        return [...values, await act(watch.witness, 'nothing', 'after')]
      },
      { executor: one() },
    )
    t.strictSame(await watch.engine.run(run), ['left', 'right', 'after'])
    t.match(watch.warnings[0]?.fields, { error: { message: 'left behind' } })
    t.equal(warned(watch), 1, 'told once')
  })

  story(`a failure of what is left behind (${how}) while a neighbour waits`, async (t, watch) => {
    const run = flow(
      'waits',
      async () => {
        const futures = [leave(watch.witness, how, 5, 'left'), act(watch.witness, 'sleeps', 'right', 60)]
        const values = await Promise.all(watch.follow(futures))
        await until(() => warned(watch) > 0)
        return values
      },
      { executor: one() },
    )
    t.strictSame(await watch.engine.run(run), ['left', 'right'])
    t.equal(warned(watch), 1, 'told once')
  })

  story(`a failure of what is left behind (${how}) while nothing runs, and what comes next`, async (t, watch) => {
    const run = flow(
      'idle',
      async () => {
        const values = [await watch.follow([leave(watch.witness, how, 20, 'left')])[0]]
        await until(() => warned(watch) > 0)
        return [...values, await watch.follow([act(watch.witness, 'nothing', 'next')])[0]]
      },
      { executor: one() },
    )
    t.strictSame(await watch.engine.run(run), ['left', 'next'])
    t.equal(warned(watch), 1, 'told once')
  })

  story(`a failure of what is left behind (${how}) among small calls, in a batch and between two`, async (t, watch) => {
    const run = flow(
      'among',
      async () => {
        const early = Array.from({ length: 200 }, (_, index) => act(watch.witness, 'nothing', index))
        const leaving = leave(watch.witness, how, 1, 'left')
        const late = Array.from({ length: 200 }, (_, index) => act(watch.witness, 'spins', index, 0.2))
        const values = await Promise.all(watch.follow([...early, leaving, ...late]))
        const more = await whileItFails(watch, index => act(watch.witness, 'nothing', index))
        return values.length === 401 && values[200] === 'left' && more.every((value, index) => value === index)
      },
      { executor: one() },
    )
    t.equal(await watch.engine.run(run), true)
    t.equal(warned(watch), 1, 'told once')
  })
}

story('whatever forty tasks leave behind, forty others have their values', async (t, watch) => {
  const executor = new ParallelExecutor({ threads: 2, cancelGraceMs: 100, idleTimeoutMs: 500 })
  const run = flow(
    'forty',
    async () => {
      const leaving = Array.from({ length: 40 }, (_, index) =>
        leave(watch.witness, waysToFailLater[index % waysToFailLater.length] ?? '', index % 7, `left ${index}`),
      )
      const honest = Array.from({ length: 40 }, (_, index) =>
        act(watch.witness, index % 2 ? 'sleeps' : 'spins', index, 4),
      )
      return Promise.all(watch.follow([...leaving, ...honest]))
    },
    { executor },
  )
  const numbers = [...Array(40).keys()]
  t.strictSame(await watch.engine.run(run), [...numbers.map(index => `left ${index}`), ...numbers])
})

story(
  'a task whose background fails while it runs has failed by that, and is not retried unless it may be',
  async (t, watch) => {
    const run = watch.engine.run(
      flow(
        'mine',
        async () => {
          const futures = watch.follow([
            act(watch.witness, 'fails in the background'),
            act.with({ retries: 1 })(watch.witness, 'fails 100 times in the background'),
          ])
          const states = await Promise.all(futures.map(future => future.wait()))
          return states.map(state => state.type)
        },
        { executor: one() },
      ),
    )
    t.strictSame(await run, ['FAILED', 'FAILED'])
    const [first, second] = await watch.engine.taskRuns.list(run.id)
    t.match(first?.run.state, { error: { message: 'mine' } })
    t.equal(second?.states.filter(({ name }) => name === 'Retrying').length, 1)
  },
)

story('a thread with something left behind ends with its flow run', async (t, watch) => {
  const run = flow('left', () => watch.follow([leave(watch.witness, 'timer', 1e6, 'left')])[0], { executor: one() })
  t.equal(await watch.engine.run(run), 'left')
  const before = performance.now()
  await until(() => threads.live.size === 0)
  t.ok(performance.now() - before < 10_000)
})
