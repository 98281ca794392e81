import { ConcurrentExecutor, type Executor, ParallelExecutor, SequentialExecutor } from 'mintaka'
import { executorSuite } from 'mintaka/testing'
import tap, { test } from 'tap'

tap.setTimeout(240_000)

test('SequentialExecutor', async t => executorSuite(t, () => new SequentialExecutor(), { overlaps: false }))
test('ConcurrentExecutor', async t => executorSuite(t, () => new ConcurrentExecutor()))
test('ConcurrentExecutor with a limit', async t => executorSuite(t, () => new ConcurrentExecutor({ concurrency: 2 })))
test('ConcurrentExecutor, strict', async t => executorSuite(t, () => new ConcurrentExecutor({ strict: true })))
test('ParallelExecutor', async t => executorSuite(t, () => new ParallelExecutor({ threads: 2 })))
test('a session elsewhere that returns nothing and says the end itself', async t => {
  executorSuite(t, () => sayingTheEnd(new ParallelExecutor({ threads: 2 })))
})

/** The same executor, whose session returns no promises. */
function sayingTheEnd(executor: Executor): Executor {
  return {
    name: executor.name,
    async start(surroundings) {
      const session = await executor.start(surroundings)
      return {
        where: session.where,
        submit(call) {
          void session.submit(call)?.then(
            outcome => call.ended(outcome),
            error => call.ended({ type: 'crashed', error }),
          )
          return undefined
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      }
    },
  }
}
