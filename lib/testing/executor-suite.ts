import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  allowFailure,
  ConcurrentExecutor,
  createEngine,
  type Engine,
  type EngineEvent,
  type Executor,
  flow,
  isMintakaError,
  MemoryStore,
  tags,
} from 'mintaka'
import * as tasks from './executor-tasks.js'
import type { TestRunner } from './test-runner.js'

/** Options of {@link executorSuite}. */
export interface ExecutorSuiteOptions {
  /** Whether tasks that are ready run at the same time. Default true; false for executors with one slot. */
  readonly overlaps?: boolean
}

/**
 * What every executor promises, as tests: values and errors arrive as they were, each call runs once, edges hold,
 * attempts are counted, contexts are right, calls can be stopped, and sessions end before their flow run does.
 *
 * ```ts
 * import { test } from 'node:test'
 * executorSuite({ test }, () => new MyExecutor())
 * ```
 */
export function executorSuite(t: TestRunner, makeExecutor: () => Executor, options: ExecutorSuiteOptions = {}): void {
  const { overlaps = true } = options

  const test = (name: string, body: (bench: Bench) => Promise<void>) => {
    t.test(name, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mintaka-suite-'))
      const engine = createEngine({ store: new MemoryStore(), logger: silent })
      try {
        await body({ engine, executor: makeExecutor(), file: name => join(folder, name) })
      } finally {
        await engine.close({ timeoutMs: 5_000 })
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }

  test('a call gives what its function returned', async ({ engine, executor }) => {
    const run = flow('values', async () => [await tasks.add(2, 3), await tasks.later('now')], { executor })
    assert.deepEqual(await engine.run(run), [5, 'now later'])
  })

  test('what a session tells of itself adds up, if it tells', async ({ engine, executor }) => {
    const run = engine.run(flow('told', () => [1, 2, 3].map(n => tasks.add(n, n)), { executor }))
    await run
    const stats = (await engine.flowRuns.get(run.id))?.run.executorStats
    if (!stats) return
    assert.equal(stats.calls, 3)
    assert.ok(stats.threads >= 1 && stats.utilisation >= 0 && stats.utilisation <= 1)
    for (const { count, p50, p99, max } of [stats.queueWaitMs, stats.runTimeMs, stats.dispatchMs]) {
      assert.equal(count, 3)
      assert.ok(p50 >= 0 && p50 <= p99 && p99 <= max)
    }
  })

  test('values arrive as they were', async ({ engine, executor }) => {
    const shared = { inner: [1] }
    const values = [
      ...[undefined, null, true, -0, Number.NaN, Number.POSITIVE_INFINITY, 12n, 'text', '\u{1F980}'],
      ...[new Date(5), /a+/gi, new URL('https://example.org/a?b#c')],
      ...[new Map<unknown, unknown>([['a', { b: [1, undefined] }]]), new Set([1, 'two'])],
      ...[new Uint8Array([1, 2, 3]), new Float64Array([0.5]), new Uint8Array([9]).buffer],
      { nested: { list: [1, [2, [3]]] }, shared, again: shared },
    ]
    const run = flow('kinds', async () => ({ values: values.map(value => tasks.echo(value)) }), { executor })
    const arrived = (await engine.run(run)).values
    for (const [index, value] of values.entries()) assert.deepEqual(arrived[index], value, `value ${index}`)
  })

  test('an error arrives with name, message, code, fields, cause and errors', async ({ engine, executor }) => {
    const custom = await engine.run(flow('custom', () => tasks.failWith('custom'), { executor })).catch(error => error)
    assert.ok(custom instanceof Error)
    const { name, message, code, order, cause } = custom as tasks.OrderError
    assert.deepEqual([name, message, code, order], ['OrderError', 'no such order', 'E_ORDER', { id: 7 }])
    assert.ok(cause instanceof TypeError)
    assert.deepEqual([cause.message, cause.cause], ['the cause', 'the root'])
    assert.match(custom.stack ?? '', /executor-tasks\.[jt]s/)
    const both = await engine.run(flow('both', () => tasks.failWith('aggregate'), { executor })).catch(error => error)
    assert.ok(both instanceof AggregateError)
    assert.deepEqual(
      both.errors.map((error: Error) => [error.name, error.message]),
      [
        ['TypeError', 'one'],
        ['RangeError', 'two'],
      ],
    )
  })

  test('what is thrown need not be an error', async ({ engine, executor }) => {
    const run = flow(
      'thrown',
      async () => [await tasks.failWith('text').wait(), await tasks.failWith('undefined').wait()],
      {
        executor,
      },
    )
    const states: unknown[] = []
    const outer = flow('outer', async () => {
      const text = await tasks.failWith('text').wait()
      const nothing = await tasks.failWith('undefined').wait()
      for (const state of [text, nothing]) states.push([state.type, state.type === 'FAILED' && state.error])
      return 'seen'
    })
    assert.equal((await engine.run(run).wait()).type, 'FAILED')
    await engine.run(outer, undefined, { executor })
    assert.deepEqual(states, [
      ['FAILED', 'only text'],
      ['FAILED', undefined],
    ])
  })

  test('futures are arguments: a diamond of edges', async ({ engine, executor }) => {
    const diamond = flow('diamond', () => {
      const top = tasks.add(1, 1)
      const left = tasks.double(top)
      const right = tasks.add(top, 10)
      return tasks.sum([left, right])
    })
    assert.equal(await engine.run(diamond, undefined, { executor }), 16)
  })

  test('a chain of 200 edges ends', async ({ engine, executor }) => {
    const chain = flow('chain', () => {
      let last = tasks.add(0, 1)
      for (let link = 1; link < 200; link++) last = tasks.add(last, 1)
      return last
    })
    assert.equal(await engine.run(chain, undefined, { executor }), 200)
  })

  test('what waits for a failed run does not run, unless it allows the failure', async ({ engine, executor, file }) => {
    const seen = file('seen')
    const run = flow('upstream', async () => {
      const failed = tasks.failWith('custom')
      const waiting = tasks.witness.with({ waitFor: [failed] })(seen, 'ran')
      const allowing = tasks.typeOfState(allowFailure(failed))
      return [(await waiting.wait()).name, await allowing]
    })
    assert.deepEqual(await engine.run(run, undefined, { executor }), ['NotReady', 'FAILED'])
    assert.equal(existsSync(seen), false)
  })

  test('a failed attempt is followed by another, and each is counted', async ({ engine, executor }) => {
    const run = engine.run(flow('flaky', () => tasks.flaky.with({ retries: 2 })(3), { executor }))
    assert.equal(await run, 3)
    const [stored] = await engine.taskRuns.list(run.id)
    const names = stored?.states.map(state => state.name)
    assert.deepEqual(names, [
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
  })

  test('a task knows its run, its log and its progress reach home', async ({ engine, executor }) => {
    const heard: EngineEvent[] = []
    const events = engine.events()
    const listening = (async () => {
      for await (const event of events) heard.push(event)
    })()
    const run = engine.run(
      flow('context', () => tags(['outer'], () => tasks.context.with({ tags: ['own'] })()), { executor }),
    )
    const context = await run
    const [stored] = await engine.taskRuns.list(run.id)
    assert.deepEqual(context, {
      taskRunId: stored?.run.id,
      taskRunName: stored?.run.name,
      flowRunId: run.id,
      attempt: 1,
      tags: ['own', 'outer'],
    })
    const [line] = await engine.logs(run.id)
    assert.deepEqual(
      [line?.message, line?.level, line?.fields, line?.taskRunId],
      ['from the task', 'info', { answer: 42 }, stored?.run.id],
    )
    await events.return?.()
    await listening
    const progress = heard.find(event => event.type === 'progress')
    assert.deepEqual(progress?.type === 'progress' && [progress.fraction, progress.note], [0.5, 'half'])
  })

  test('a task that is called in a task runs in place', async ({ engine, executor }) => {
    const run = engine.run(flow('nested', () => tasks.nested(4), { executor }))
    assert.equal(await run, 13)
    assert.equal((await engine.taskRuns.list(run.id)).length, 1)
  })

  test('each of 1,000 calls runs once', async ({ engine, executor, file }) => {
    const seen = file('seen')
    const many = flow('many', () => {
      for (let index = 0; index < 1000; index++) void tasks.witness(seen, String(index))
    })
    await engine.run(many, undefined, { executor })
    const lines = readFileSync(seen, 'utf8').trimEnd().split('\n').map(Number)
    assert.deepEqual(
      lines.sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, index) => index),
    )
  })

  test(overlaps ? 'tasks that are ready overlap' : 'tasks run one after the other, in call order', async bench => {
    const { engine, executor, file } = bench
    if (overlaps) {
      const run = flow('meeting', async () => [tasks.meet(file('a'), file('b')), tasks.meet(file('b'), file('a'))])
      assert.deepEqual(await engine.run(run, undefined, { executor }), ['met', 'met'])
      return
    }
    const log = file('log')
    const ordered = flow('ordered', () => {
      for (const name of ['one', 'two', 'three']) void tasks.guarded(log, name, file('gate'))
    })
    const running = engine.run(ordered, undefined, { executor })
    await until(() => existsSync(log))
    writeFileSync(file('gate'), '')
    await running
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
    assert.deepEqual(lines, ['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends'])
  })

  test('a running task that heeds its signal is cancelled', async ({ engine, executor, file }) => {
    const run = engine.run(
      flow('stop', async () => {
        const future = tasks.untilStopped(file('began'))
        await until(() => existsSync(file('began')))
        const state = await future.cancel('enough')
        return [state.name, state.type === 'CANCELLED' && isMintakaError(state.error, 'CANCELLED')]
      }),
      undefined,
      { executor },
    )
    assert.deepEqual(await run, ['Cancelled', true])
    const [stored] = await engine.taskRuns.list(run.id)
    assert.deepEqual(
      stored?.states.map(state => state.name),
      ['Pending', 'Running', 'Cancelling', 'Cancelled'],
    )
  })

  test('a task that takes longer than its timeoutMs fails', async ({ engine, executor, file }) => {
    const run = flow('late', async () => {
      const state = await tasks.untilStopped.with({ timeoutMs: 50 })(file('began')).wait()
      return [state.name, state.type === 'FAILED' && isMintakaError(state.error, 'TIMED_OUT')]
    })
    assert.deepEqual(await engine.run(run, undefined, { executor }), ['TimedOut', true])
  })

  test('a task that is cancelled before its turn never starts', async ({ engine, executor, file }) => {
    const run = flow('queued', async () => {
      const first = tasks.untilStopped(file('began'))
      const queued = tasks.witness.with({ waitFor: [first] })(file('seen'), 'ran')
      await until(() => existsSync(file('began')))
      const state = await queued.cancel()
      await first.cancel()
      return state.name
    })
    assert.equal(await engine.run(run, undefined, { executor }), 'Cancelled')
    assert.equal(existsSync(file('seen')), false)
  })

  test('cancelling a flow run stops its tasks', async ({ engine, executor, file }) => {
    const run = engine.run(
      flow('whole', () => tasks.untilStopped(file('began'))),
      undefined,
      { executor },
    )
    await until(() => existsSync(file('began')))
    assert.equal((await run.cancel('over')).name, 'Cancelled')
    const [stored] = await engine.taskRuns.list(run.id)
    assert.equal(stored?.run.state.name, 'Cancelled')
  })

  test('flow runs that overlap can share one definition', async ({ engine, executor }) => {
    const part = flow('part', (n: number) => tasks.sum([tasks.add(n, 1), tasks.double(n)]), { executor })
    const whole = flow('whole', async () => Promise.all([1, 2, 3, 4, 5].map(n => part(n))), {
      executor: new ConcurrentExecutor(),
    })
    assert.deepEqual(await engine.run(whole), [4, 7, 10, 13, 16])
  })

  test('a subflow on the same definition does not wait for its parent', async ({ engine, executor }) => {
    const child = flow('child', (n: number) => tasks.double(n), { executor })
    const parent = flow('parent', async (n: number) => tasks.add(await tasks.double(n), await child(n)), { executor })
    assert.equal(await engine.run(parent, 5), 20)
  })

  test('the session is closed before the flow run ends', async ({ engine, executor }) => {
    const order: string[] = []
    const watched: Executor = {
      name: executor.name,
      async start(surroundings) {
        const session = await executor.start(surroundings)
        order.push('opened')
        return {
          where: session.where,
          submit: call => session.submit(call),
          ...(session.turn && { turn: () => (session.turn as NonNullable<typeof session.turn>)() }),
          async [Symbol.asyncDispose]() {
            await session[Symbol.asyncDispose]()
            order.push('closed')
          },
        }
      },
    }
    engine.use({ name: 'watch', after: ({ run, to }) => void (run.kind === 'flow-run' && order.push(to.name)) })
    await engine.run(
      flow('life', () => tasks.add(1, 1)),
      undefined,
      { executor: watched },
    )
    assert.deepEqual(order, ['opened', 'Running', 'closed', 'Completed'])
  })
}

/** What a test of the suite works with. */
interface Bench {
  readonly engine: Engine
  readonly executor: Executor
  /** A path in a folder of the test's own. */
  readonly file: (name: string) => string
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** For what happens elsewhere: a worker cannot tell the test, only the file system. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('what the test waited for did not happen within 20 s')
    await delay(2)
  }
}
