/** What ends a thread costs the task that ended it, and no other one anything. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Worker } from 'node:worker_threads'
import { flow, ParallelExecutor, type RunFuture, type State } from 'mintaka'
import { type Test, t as tap } from 'tap'
import { type Act, act } from './fixtures/acts.js'
import { threads, until, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(300_000)

const count = 1000
const culprit = 500
const limits = { maxOldGenerationSizeMb: 24 }
const executor = new ParallelExecutor({ threads: 2, resourceLimits: limits, cancelGraceMs: 100, idleTimeoutMs: 200 })

/** Runs a thousand honest tasks with one in their midst that is not, and gives what became of that one. */
async function amongAThousand(t: Test, watch: Watch, how: Act, number = 0): Promise<State> {
  const futures: RunFuture<unknown>[] = []
  const run = watch.engine.run(
    flow(
      'a thousand',
      async () => {
        for (let index = 0; index < count; index++) {
          const honest: Act = index % 50 === 0 ? 'sleeps' : 'nothing'
          futures.push(act(watch.witness, index === culprit ? how : honest, index, index === culprit ? number : 2))
        }
        await Promise.all(watch.follow(futures).map(future => future.wait()))
        return 'all of them have ended'
      },
      { executor },
    ),
  )
  t.equal(await run, 'all of them have ended')
  t.strictSame(touched(futures), [], 'the innocent ones are untouched')
  return futures[culprit]!.state
}

/** The innocent ones that have not got what they are owed, told in a line each. */
function touched(futures: readonly RunFuture<unknown>[]): string[] {
  return futures.flatMap(({ name, state }, index) => {
    if (index === culprit || (state.type === 'COMPLETED' && state.result === index)) return []
    return [`${name}: ${state.name} ${state.message}`]
  })
}

const ends: readonly [how: Act, number: number, what: object][] = [
  ['runs out of memory', 0, { message: "The worker running task 'act' ran out of memory" }],
  ['exits', 0, { exitCode: 0, message: /^The worker running task 'act' exited with code 0/ }],
  ['exits', 1, { exitCode: 1, message: /^The worker running task 'act' exited with code 1/ }],
  ['exits later', 7, { exitCode: 7, message: /^The worker running task 'act' exited with code 7/ }],
  ['reallyExits', 9, { exitCode: 9, message: /^The worker running task 'act' exited with code 9/ }],
]
for (const [how, number, what] of ends) {
  story(`of 1,000 tasks the one that ${how} (${number}) is CRASHED, and 999 are COMPLETED`, async (t, watch) => {
    t.match(await amongAThousand(t, watch, how, number), {
      type: 'CRASHED',
      error: { code: 'WORKER_LOST', task: 'act', ...what },
    })
  })
}

const failures: readonly [how: Act, error: object][] = [
  ['aborts', { code: 'ERR_WORKER_UNSUPPORTED_OPERATION' }],
  ['overflows its stack', { name: 'RangeError' }],
  ['fails in the background', { message: 'mine' }],
  ['fails 100 times in the background', { message: 'mine' }],
  ['returnsFunction', { code: 'NOT_SENDABLE', path: 'the result.rows[0].f' }],
]
for (const [how, error] of failures) {
  story(`of 1,000 tasks the one that ${how} has FAILED, and 999 are COMPLETED`, async (t, watch) => {
    t.match(await amongAThousand(t, watch, how), { type: 'FAILED', error })
  })
}

for (const [how, number] of [
  ['runs out of memory', 0],
  ['exits', 0],
] as const) {
  story(`a task whose every attempt ${how} is tried as often as it may be, and no oftener`, async (t, watch) => {
    const before = threads.started
    const run = watch.engine.run(
      flow(
        'again',
        () => watch.follow([act.with({ retries: 2 })(watch.witness, how, 0, number)]).map(future => future.wait()),
        { executor },
      ),
    )
    await run.wait()
    const [stored] = await watch.engine.taskRuns.list(run.id)
    t.strictSame(
      stored?.states.map(({ name }) => name),
      ['Pending', 'Running', 'AwaitingRetry', 'Retrying', 'AwaitingRetry', 'Retrying', 'Crashed'],
    )
    for (const state of stored?.states ?? []) {
      if ('error' in state) t.match(state.error, { code: 'WORKER_LOST', task: 'act' })
    }
    t.ok(threads.started - before <= 8, `${threads.started - before} threads were started for three attempts`)
  })
}

story('a task that exits twice and then does not completes at its third attempt', async (t, watch) => {
  const attempts = flow(
    'at last',
    async () => {
      const asked: number[] = []
      const retryIf = (error: unknown, attempt: number) => {
        asked.push(attempt)
        t.match(error, { code: 'WORKER_LOST' })
        return true
      }
      const [future] = watch.follow([act.with({ retries: 5, retryIf })(watch.witness, 'exits until attempt', 'ok', 3)])
      t.equal(await future, 'ok')
      return asked
    },
    { executor },
  )
  t.strictSame(await watch.engine.run(attempts), [1, 2])
})

story('all threads lost at once, again and again, cost those that ended them', async (t, watch) => {
  const futures: RunFuture<unknown>[] = []
  const storm = flow(
    'storm',
    async () => {
      for (let index = 0; index < 600; index++) {
        futures.push(act(watch.witness, index % 20 < 2 ? 'exits' : 'nothing', index, 3))
      }
      await Promise.all(watch.follow(futures).map(future => future.wait()))
      return 'over'
    },
    { executor },
  )
  const before = threads.started
  t.equal(await watch.engine.run(storm), 'over')
  const types = futures.map(({ state }) => state.type)
  t.equal(types.filter(type => type === 'CRASHED').length, 60)
  t.equal(types.filter(type => type === 'COMPLETED').length, 540)
  // Some more, if one had nothing to do for a while.
  t.ok(threads.started - before <= 80, `${threads.started - before} threads were started for 60 that were lost`)
})

story('what a task logged before it ended its thread is kept', async (t, watch) => {
  for (const how of ['exits', 'runs out of memory'] as const) {
    const run = watch.engine.run(
      flow('logs', () => watch.follow([act(watch.witness, `logs and ${how}`, 0, 500)])[0]?.wait(), { executor }),
    )
    await run.wait()
    const lines = (await watch.engine.logs(run.id)).filter(({ taskRunId }) => taskRunId)
    t.strictSame(
      lines.map(({ message }) => message).filter(message => message.startsWith('line')),
      Array.from({ length: 500 }, (_, index) => `line ${index}`),
      how,
    )
  }
})

story('memory outside the heap is not capped: Node counts only the heap', async (t, watch) => {
  const run = flow('buffers', () => act(watch.witness, 'allocates buffers', 'went through', 96), { executor })
  t.equal(await watch.engine.run(run), 'went through', `${limits.maxOldGenerationSizeMb} MB, says the limit`)
})

story('a task that closes the port of its thread costs nobody else anything', async (t, watch) => {
  const state = await amongAThousand(t, watch, 'closes its port')
  t.match(state.type, /COMPLETED|CRASHED/)
})

story('a thread whose port a task has closed takes no other task with it', async (t, watch) => {
  const one = new ParallelExecutor({ threads: 1 })
  const closes = flow(
    'closes',
    async () => {
      const [first, ...rest] = watch.follow([
        act(watch.witness, 'closes its port'),
        ...Array.from({ length: 20 }, (_, index) => act(watch.witness, 'nothing', index)),
      ])
      await first?.wait()
      return Promise.all(rest)
    },
    { executor: one },
  )
  t.equal((await watch.engine.run(closes)).length, 20)
  await one.close()
})

story('a thread that somebody else ends costs the task that ran on it', async (t, watch) => {
  const futures: RunFuture<unknown>[] = []
  const ended = flow(
    'ended',
    async () => {
      for (let index = 0; index < 200; index++)
        futures.push(act(watch.witness, index === 0 ? 'sleeps' : 'spins', index, index === 0 ? 1e6 : 1))
      watch.follow(futures)
      await futures[1]
      await until(() => futures[0]?.state.type === 'RUNNING')
      // Not those that are started in their place.
      for (const worker of [...threads.live.keys()]) await worker.terminate()
      await Promise.all(futures.map(future => future.wait()))
      return 'over'
    },
    { executor },
  )
  t.equal(await watch.engine.run(ended), 'over')
  const states = futures.map(({ state }) => state)
  t.match(states[0], { type: 'CRASHED', error: { code: 'WORKER_LOST' } })
  const crashed = states.filter(({ type }) => type === 'CRASHED').length
  t.ok(crashed <= 2, `${crashed} of 2 threads ran something`)
  t.equal(states.filter(({ type }) => type === 'COMPLETED').length, 200 - crashed)
})

story('threads that are ended as they start leave their calls to the one that lives', async (t, watch) => {
  let killed = 0
  const kill = (message: unknown) => {
    killed++
    setImmediate(() => void (message as { worker: Worker }).worker.terminate())
  }
  const alone = flow(
    'alone',
    async () => {
      await Promise.all(watch.follow([act(watch.witness, 'nothing')]))
      subscribe('worker_threads', kill)
      const futures = Array.from({ length: 400 }, (_, index) => act(watch.witness, 'spins', index, 2))
      return Promise.all(watch.follow(futures)).finally(() => unsubscribe('worker_threads', kill))
    },
    { executor: new ParallelExecutor({ threads: 2, idleTimeoutMs: 500 }) },
  )
  t.strictSame(await watch.engine.run(alone), [...Array(400).keys()])
  t.ok(killed > 0 && killed <= 100, `${killed} threads were ended as they started`)
})
