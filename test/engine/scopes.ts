import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Annotations,
  annotate,
  ConcurrentExecutor,
  type Executor,
  flow,
  flowContext,
  SequentialExecutor,
  tags,
  task,
  taskContext,
} from 'mintaka'
import { test } from 'tap'
import { deferred, engineFor } from './fixtures/engine.js'

const executors: [string, Executor][] = [
  ['sequential', new SequentialExecutor()],
  ['concurrent', new ConcurrentExecutor()],
  ['concurrent with a limit', new ConcurrentExecutor({ concurrency: 3 })],
  ['strict concurrent', new ConcurrentExecutor({ strict: true })],
  ['strict sequential', new SequentialExecutor({ strict: true })],
]

const tick = () => new Promise(resolve => setImmediate(resolve))
const one = task('one', () => 1)
const tagged = task('tagged', () => [...taskContext().tags], { tags: ['own', 'a'] })

test('tags nest, unite, reach subflows and go across await; each name counts once', async t => {
  const engine = engineFor(t)
  const sub = flow('sub', () => tagged())
  const f = flow('f', async () => {
    const bare = await tagged()
    const outer = await tags(['a', 'b'], async () => {
      await tick()
      const here = await tagged()
      const inner = await tags(['c', 'a'], () => tagged())
      return [here, inner, await sub()]
    })
    return [bare, ...outer, await tagged()]
  })
  t.strictSame(await engine.run(f), [
    ['own', 'a'],
    ['own', 'a', 'b'],
    ['own', 'a', 'b', 'c'],
    ['own', 'a', 'b'],
    ['own', 'a'],
  ])
})

test('tags around a flow call are on its run, and reach its tasks', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => tagged(), { tags: ['of the flow'] })
  const run = tags(['around'], () => engine.run(f))
  t.strictSame(await run, ['own', 'a', 'around'])
  t.strictSame((await engine.flowRuns.get(run.id))?.run.tags, ['of the flow', 'around'])
})

/** Runs calls at once, and notes their annotations. */
function noting(seen: (Annotations | undefined)[]): Executor {
  return {
    name: 'noting',
    start: async () => ({
      where: 'here',
      submit(call) {
        seen.push(call.annotations)
        queueMicrotask(() => void call.run())
        return undefined
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
}

test('annotations nest, inner over outer, a task’s own over those of a scope, and reach subflows', async t => {
  const engine = engineFor(t)
  const seen: (Annotations | undefined)[] = []
  const executor = noting(seen)
  const sub = flow('sub', () => one(), { executor })
  const f = flow(
    'f',
    async () => {
      await one()
      await annotate({ priority: 1, resources: { GPU: 1 } }, async () => {
        await tick()
        await one()
        await annotate({ priority: 2, resources: { memory: 5 } }, () => one())
        await one.with({ annotations: { priority: 9 } })()
        await sub()
      })
      await one()
    },
    { executor },
  )
  await engine.run(f)
  t.strictSame(seen, [
    undefined,
    { priority: 1, resources: { GPU: 1 } },
    { priority: 2, resources: { GPU: 1, memory: 5 } },
    { priority: 9, resources: { GPU: 1 } },
    { priority: 1, resources: { GPU: 1 } },
    undefined,
  ])
})

test('a misspelt annotation is refused at once: in a scope, a task, a with', async t => {
  const wrong = { prio: 1 } as Annotations
  const refused = { code: 'INVALID_ANNOTATION', message: /There is no annotation 'prio'/ }
  t.throws(() => annotate(wrong, () => t.fail('it ran')), refused)
  t.throws(() => task('wrong', () => 1, { annotations: wrong }), refused)
  t.throws(() => one.with({ annotations: wrong }), refused)
})

test('scopes give what their body gives, and let through what it throws', async t => {
  t.equal(
    tags(['a'], () => 5),
    5,
  )
  t.equal(
    annotate({ priority: 1 }, () => 'v'),
    'v',
  )
  const boom = new Error('boom')
  t.throws(
    () =>
      tags(['a'], () => {
        throw boom
      }),
    boom,
  )
})

for (const [name, executor] of executors) {
  test(`50 flows of 50 tasks each know who they are: on ${name}`, async t => {
    const engine = engineFor(t)
    const who = task('who', async (flow: number, index: number) => {
      const before = taskContext()
      await tick()
      const { taskRunId, taskRunName, flowRunId, attempt, tags: names } = taskContext()
      return {
        flow,
        index,
        taskRunId,
        taskRunName,
        flowRunId,
        attempt,
        same: before.taskRunId === taskRunId,
        names: [...names],
      }
    })
    const f = flow(
      'f',
      async (flow: number) => {
        const calls = Array.from({ length: 50 }, (_, index) => tags([`${flow}-${index}`], () => who(flow, index)))
        const before = flowContext()
        const found = await Promise.all(calls)
        const { flowRunId, flowRunName } = flowContext()
        const right = found.every(
          (one, index) =>
            one.same &&
            one.flow === flow &&
            one.index === index &&
            one.flowRunId === flowRunId &&
            one.taskRunId === calls[index]?.id &&
            one.taskRunName === calls[index]?.name &&
            one.names.join() === `${flow}-${index}` &&
            one.attempt === 1,
        )
        return right && before.flowRunName === flowRunName ? 'right' : found
      },
      { executor },
    )
    const runs = Array.from({ length: 50 }, (_, index) => engine.run(f, index, { name: `flow ${index}` }))
    t.strictSame(
      await Promise.all(runs),
      Array.from({ length: 50 }, () => 'right'),
    )
  })

  if (name.startsWith('strict')) continue // a task that reads a variable around it is refused there
  test(`the user's own AsyncLocalStorage is that of the call, though another call freed the slot: on ${name}`, async t => {
    const engine = engineFor(t)
    const storage = new AsyncLocalStorage<string>()
    const gate = deferred()
    const slow = task('slow', () => gate.promise)
    const read = task('read', async () => {
      const before = storage.getStore()
      await tick()
      return [before, storage.getStore()]
    })
    const f = flow(
      'f',
      async () => {
        const blocking = [1, 2, 3].map(index => storage.run(`blocking ${index}`, () => slow()))
        const calls = [1, 2, 3, 4, 5].map(index => storage.run(`call ${index}`, () => read()))
        setImmediate(() => gate.resolve())
        await Promise.all(blocking)
        return { values: await Promise.all(calls), body: storage.getStore() }
      },
      { executor },
    )
    const { values, body } = await storage.run('around the flow', () => engine.run(f))
    t.strictSame(
      values,
      [1, 2, 3, 4, 5].map(index => [`call ${index}`, `call ${index}`]),
    )
    t.equal(body, 'around the flow')
  })
}

test('outside a run there is no context', async t => {
  const engine = engineFor(t)
  t.throws(taskContext, { code: 'OUTSIDE_RUN', message: /outside a task/ })
  t.throws(flowContext, { code: 'OUTSIDE_RUN', message: /outside a flow/ })
  const codeOf = (call: () => unknown) => {
    try {
      call()
      return 'none'
    } catch (error) {
      return (error as { code: string; message: string }).code
    }
  }
  const inTask = task('in a task', () => codeOf(flowContext))
  t.strictSame(await engine.run(flow('f', () => [inTask(), codeOf(taskContext), codeOf(flowContext)])), [
    'OUTSIDE_RUN',
    'OUTSIDE_RUN',
    'none',
  ])
})

test('what a task and a flow log is kept with their runs', async t => {
  const lines: string[] = []
  const log = (level: string) => (message: string, fields?: object) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const engine = engineFor(t, { logger })
  const logs = task('logs', () => {
    const { log, progress } = taskContext()
    log.info('from the task', { answer: 42 })
    progress(0.5, 'half')
    return taskContext().taskRunId
  })
  const run = engine.run(
    flow('f', async () => {
      flowContext().log.warn('from the flow')
      return logs()
    }),
  )
  const taskRunId = await run
  t.match(await engine.logs(run.id), [
    { flowRunId: run.id, taskRunId: undefined, level: 'warn', message: 'from the flow' },
    { flowRunId: run.id, taskRunId, level: 'info', message: 'from the task', fields: { answer: 42 } },
  ])
  t.ok(lines.includes(`info from the task ${JSON.stringify({ answer: 42, run: taskRunId })}`))
  t.ok(lines.includes(`warn from the flow ${JSON.stringify({ run: run.id })}`))
})
