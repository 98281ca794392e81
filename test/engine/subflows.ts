import {
  ConcurrentExecutor,
  type Executor,
  type ExecutorSession,
  type Flow,
  flow,
  SequentialExecutor,
  task,
  taskContext,
} from 'mintaka'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const one = task('one', () => 1)

test('a subflow run is mirrored by a task run of its parent: same states, and the id of the child', async t => {
  const engine = engineFor(t)
  const good = flow('good', () => one())
  const bad = flow('bad', (): number => {
    throw new Error('no')
  })
  const run = engine.run(flow('f', async () => [await good(), (await bad().wait()).name]))
  await run
  const mirrors = await engine.taskRuns.list(run.id)
  t.strictSame(
    mirrors.map(({ run }) => run.taskName),
    ['good', 'bad'],
  )
  for (const { run: mirror, states } of mirrors) {
    const child = await engine.flowRuns.get(mirror.childFlowRunId as string)
    t.match(child?.run, { parentFlowRunId: run.id, parentTaskRunId: mirror.id, flowName: mirror.taskName })
    t.strictSame(
      states.map(({ name }) => name),
      child?.states.map(({ name }) => name),
    )
    t.match(mirror, {
      startTime: child?.run.startTime,
      endTime: child?.run.endTime,
      runCount: 1,
      name: new RegExp(`^${mirror.taskName}-[0-9a-f]{8}-0$`),
    })
  }
  t.equal((await engine.flowRuns.list({ parentFlowRunId: run.id })).length, 2)
})

/** An executor that says what is asked of it. */
function telling(name: string, lines: string[], inner: Executor = new ConcurrentExecutor()): Executor {
  return {
    name,
    async start(surroundings): Promise<ExecutorSession> {
      lines.push(`${name} starts`)
      const session = await inner.start(surroundings)
      return {
        where: session.where,
        submit(call) {
          lines.push(`${name} runs ${call.task.name}`)
          return session.submit(call)
        },
        async [Symbol.asyncDispose]() {
          lines.push(`${name} closes`)
          await session[Symbol.asyncDispose]()
        },
      }
    },
  }
}

test('a subflow uses its own executor, and the default one if it names none: never its parent’s', async t => {
  const engine = engineFor(t)
  const lines: string[] = []
  const plain = flow('plain', () => one())
  const own = flow('own', () => one(), { executor: telling('own', lines) })
  const run = engine.run(
    flow('f', async () => [await plain(), await own(), await own.with({ executor: telling('per call', lines) })()], {
      executor: telling('parent', lines),
    }),
  )
  await run
  t.strictSame(lines, [
    'parent starts',
    'own starts',
    'own runs one',
    'own closes',
    'per call starts',
    'per call runs one',
    'per call closes',
    'parent closes',
  ])
  const executors = (await engine.flowRuns.list()).map(({ run }) => run.executor)
  t.strictSame(executors.sort(), ['concurrent', 'own', 'parent', 'per call'])
})

test('flow runs that overlap share one definition, each with a session of its own', async t => {
  const engine = engineFor(t)
  const lines: string[] = []
  const shared = telling('shared', lines)
  const gate = deferred()
  const waits = task('waits', () => gate.promise)
  const f = flow('f', () => waits(), { executor: shared })
  const runs = [engine.run(f), engine.run(f), engine.run(f)]
  await atRest()
  t.strictSame(lines.sort(), [
    ...['shared runs waits', 'shared runs waits', 'shared runs waits'],
    ...['shared starts', 'shared starts', 'shared starts'],
  ])
  gate.resolve()
  await Promise.all(runs)
  t.equal(lines.filter(line => line === 'shared closes').length, 3)
})

test('subflows that are not awaited run at the same time', async t => {
  const engine = engineFor(t)
  const [both, began] = [deferred(), { count: 0 }]
  const meets = task('meets', async () => {
    began.count += 1
    if (began.count === 2) both.resolve()
    await both.promise
  })
  const sub = flow('sub', () => meets())
  await engine.run(flow('f', () => [sub(), sub()]))
  t.equal(began.count, 2)
})

test('on sequential, tasks and subflows take turns in call order', async t => {
  const engine = engineFor(t)
  const order: string[] = []
  const note = task('note', async (text: string) => {
    order.push(`${text} begins`)
    await atRest()
    order.push(`${text} ends`)
  })
  const sub = flow('sub', (name: string) => {
    note(`${name}1`)
    note(`${name}2`)
  })
  const f = flow(
    'f',
    () => {
      note('a')
      sub('b')
      note('c')
      sub('d')
    },
    { executor: SequentialExecutor },
  )
  await engine.run(f)
  const places = (text: string) => [order.indexOf(`${text} begins`), order.indexOf(`${text} ends`)] as const
  const before = (first: string, second: string) =>
    t.ok(places(first)[1] < places(second)[0], `${first} before ${second}`)
  for (const number of ['1', '2']) {
    before('a', `b${number}`)
    before(`b${number}`, 'c')
    before('c', `d${number}`)
  }
})

test('futures in the parameters of a subflow arrive as values', async t => {
  const engine = engineFor(t)
  const sub = flow('sub', (p: { list: number[]; map: Map<string, number> }) => p)
  const f = flow('f', async () => {
    const list = [one(), 2]
    const future = sub({ list, map: new Map([['k', one() as unknown as number]]) })
    list.push(3)
    return future
  })
  t.strictSame(await engine.run(f), { list: [1, 2], map: new Map([['k', 1]]) })
})

test('the future of a subflow is an argument like that of a task', async t => {
  const engine = engineFor(t)
  const add = task('add', (a: number, b: number) => a + b)
  const sub = flow('sub', () => one())
  t.equal(await engine.run(flow('f', () => add(sub(), sub()))), 2)
})

test('a subflow of another engine is refused', async t => {
  const [engine, other] = [engineFor(t), engineFor(t)]
  const foreign = flow('foreign', () => 1, { engine: other })
  const native = flow('native', () => 1, { engine })
  const f = flow('f', async () => [
    await thrownBy(() => foreign()),
    await thrownBy(() => native.with({ engine: other })()),
    await thrownBy(() => other.run(native)),
    await native(),
    await engine.run(native),
  ])
  const [first, second, third, ...values] = await engine.run(f)
  for (const error of [first, second, third]) t.match(error, { code: 'OTHER_ENGINE' })
  t.strictSame(values, [1, 1])
  t.equal((await other.flowRuns.list()).length, 0)
})

test('what engine.run starts in a flow is a subflow', async t => {
  const engine = engineFor(t)
  const sub = flow('sub', () => 1)
  const run = engine.run(flow('f', () => engine.run(sub)))
  t.equal(await run, 1)
  t.equal((await engine.taskRuns.list(run.id)).length, 1)
})

test('flows are nested as deep as the engine says, and no deeper: the error prints the chain', async t => {
  const engine = engineFor(t, { maxFlowDepth: 4 })
  const ping: Flow<[n: number], Promise<number>> = flow(
    'ping',
    async (n: number): Promise<number> => (n === 0 ? 0 : await pong(n - 1)),
  )
  const pong: Flow<[n: number], Promise<number>> = flow(
    'pong',
    async (n: number): Promise<number> => (n === 0 ? 0 : await ping(n - 1)),
  )
  t.equal(await engine.run(ping, 3), 0)
  t.match(await thrownBy(() => engine.run(ping, 4)), {
    code: 'FLOW_DEPTH',
    chain: ['ping', 'pong', 'ping', 'pong', 'ping'],
    message:
      'Flows are nested 5 deep, and 4 is the limit: ping → pong → ping → pong → ping. End the recursion, or raise maxFlowDepth of createEngine.',
  })
})

test('recursion without end is stopped at 100 flows, with the chain in short', async t => {
  const engine = engineFor(t)
  const endless: Flow<[], Promise<number>> = flow('endless', async (): Promise<number> => await endless())
  const thrown = await thrownBy(() => engine.run(endless))
  t.match(thrown, { code: 'FLOW_DEPTH', message: /101 deep, and 100 is the limit: endless → .*→ … → / })
  const runs = await engine.flowRuns.list()
  t.equal(runs.length, 100)
  t.ok(runs.every(({ run }) => run.state.name === 'Failed'))
})

test('a subflow that is never looked at is waited for, and counts', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const sub = flow('sub', async () => {
    await gate.promise
    throw new Error('late')
  })
  const run = engine.run(flow('f', () => void sub()))
  await atRest()
  t.equal(run.state.name, 'Running')
  gate.resolve()
  t.match(await run.wait(), { type: 'FAILED', message: '1 of 1 run failed', error: { message: 'late' } })
})

test('an executor that cannot start crashes its flow run, with what it said as the cause', async t => {
  const engine = engineFor(t)
  const cause = new Error('no cluster')
  const executor: Executor = { name: 'broken', start: () => Promise.reject(cause) }
  const sub = flow('sub', () => t.fail('it ran'), { executor })
  const run = engine.run(flow('f', async () => sub().wait()))
  t.match(await run.wait(), {
    type: 'CRASHED',
    error: {
      code: 'EXECUTOR_FAILED',
      cause,
      message: "The executor 'broken' of flow 'sub' could not start: no cluster",
    },
  })
})

test('an executor that cannot shut down is told of, and changes nothing', async t => {
  const errors: string[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }
  const engine = engineFor(t, { logger })
  const executor: Executor = {
    name: 'sticky',
    start: async () => ({
      where: 'here',
      submit: call => Promise.resolve().then(() => call.run()),
      [Symbol.asyncDispose]: () => Promise.reject(new Error('stuck')),
    }),
  }
  t.equal(await engine.run(flow('f', () => one(), { executor })), 1)
  t.match(errors, ["Executor 'sticky' could not shut down cleanly"])
})

test('the lines of the log come in Orion’s order', async t => {
  const lines: string[] = []
  const level = (name: string) => (message: string) => void lines.push(`${name} ${message}`)
  const logger = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }
  const engine = engineFor(t, { logger })
  const say = (text: string) => lines.push(text)
  const a = task('a', () => void say('user a'))
  const b = task('b', () => {
    say('user b')
    if (taskContext().attempt === 1) throw new Error('no')
  })
  const child = flow('child', () => b(), { executor: new ConcurrentExecutor() })
  const main = flow(
    'main',
    () => {
      a()
      child.with({ name: 'calm-child' })()
      a()
    },
    { executor: SequentialExecutor },
  )
  await engine.run(main.with({ name: 'calm-main' })).wait()
  t.strictSame(
    lines.map(line => line.replaceAll(/-[0-9a-f]{8}-/g, '-…-')),
    [
      "info Flow run 'calm-main' of flow 'main' begins",
      "info Executor 'sequential' starts",
      "info Task run 'a-…-0' submitted",
      'user a',
      "info Task run 'a-…-0' finished in state Completed",
      "info Flow run 'calm-child' of flow 'child' begins",
      "info Executor 'concurrent' starts",
      "info Task run 'b-…-0' submitted",
      'user b',
      "error Task run 'b-…-0' finished in state Failed: no",
      "info Executor 'concurrent' shuts down",
      "error Flow run 'calm-child' finished in state Failed: 1 of 1 run failed",
      "info Task run 'a-…-1' submitted",
      'user a',
      "info Task run 'a-…-1' finished in state Completed",
      "info Executor 'sequential' shuts down",
      "error Flow run 'calm-main' finished in state Failed: 1 of 3 runs failed",
    ],
  )
})

test('the history of a subflow run that was cancelled by its future', async t => {
  const engine = engineFor(t)
  const begun = deferred()
  const sub = flow('sub', async () => {
    begun.resolve()
    await new Promise(() => {})
  })
  const f = flow('f', async () => {
    const child = sub()
    await begun.promise
    await child.cancel()
    return history(engine, child)
  })
  t.strictSame(await engine.run(f), ['Pending', 'Running', 'Cancelling', 'Cancelled'])
})
