import {
  ConcurrentExecutor,
  createEngine,
  type Engine,
  type EngineEvent,
  flow,
  JsonStore,
  type Logger,
  MemoryStore,
  SequentialExecutor,
  task,
  taskContext,
} from 'mintaka'
import { simulatedClock } from 'mintaka/testing'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, silent, thrownBy, until } from './fixtures/engine.js'
import { slowStore, storeThat } from './fixtures/stores.js'

const one = task('one', () => 1)
const fail = task('fail', (): number => {
  throw new Error('no')
})

const describe = (event: EngineEvent): string => {
  switch (event.type) {
    case 'state-changed':
      return `${event.run.kind} ${event.from.name} → ${event.to.name}`
    case 'log':
      return `log ${event.entry.message}`
    case 'progress':
      return `progress ${event.fraction} ${event.note}`
    default:
      return event.type
  }
}

test('events tell everything that happens, in order', async t => {
  const engine = engineFor(t)
  const says = task('says', () => {
    taskContext().log.info('hello')
    taskContext().progress(0.5, 'half')
  })
  const events: string[] = []
  const reading = (async () => {
    for await (const event of engine.events()) events.push(describe(event))
  })()
  await engine.run(flow('f', () => says()))
  await engine.close()
  await reading
  t.strictSame(events, [
    'flow-run-created',
    'flow-run Pending → Running',
    'task-run-created',
    'task-run Pending → Running',
    'log hello',
    'progress 0.5 half',
    'task-run Running → Completed',
    'flow-run Running → Completed',
  ])
})

test('events begin with the call, and end with the signal, the loop or the engine', async t => {
  const engine = engineFor(t)
  const controller = new AbortController()
  const bySignal = engine.events({ signal: controller.signal })
  const byLoop = engine.events()
  const byEngine = engine.events()
  const f = flow('f', () => 1)
  await engine.run(f)
  t.match(await byLoop.next(), { done: false, value: { type: 'flow-run-created' } }, 'they waited for their reader')
  await byLoop.return?.()
  t.strictSame(await byLoop.next(), { done: true, value: undefined }, 'who has left is told nothing more')
  controller.abort()
  const seen: string[] = []
  for await (const event of bySignal) seen.push(describe(event))
  t.equal(seen.length, 3, 'what had happened is read to its end')
  const waiting = byEngine.next()
  await waiting
  await engine.close()
  let count = 1
  for await (const _ of byEngine) count += 1
  t.equal(count, 3)
  for await (const _ of engine.events()) t.fail('nothing happens on a closed engine')
  for await (const _ of engineFor(t).events({ signal: AbortSignal.abort() })) t.fail('its signal had fired')
})

test('two who wait for the next event of one iteration each get one', async t => {
  const engine = engineFor(t)
  const events = engine.events()
  const [first, second] = [events.next(), events.next()]
  await engine.run(flow('f', () => 1))
  t.match(await first, { value: { type: 'flow-run-created' } })
  t.match(await second, { value: { type: 'state-changed' } })
})

test('runs and logs can be read from the engine', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => [one(), one()], { version: 'v1', description: 'what it does' })
  const [first, second] = [engine.run(f), engine.run(flow('g', () => 2))]
  await Promise.all([first, second])
  t.strictSame(
    (await engine.flowRuns.list()).map(({ run }) => run.flowName),
    ['g', 'f'],
  )
  t.equal((await engine.flowRuns.list({ flowName: ['f'], state: ['completed'], limit: 5 })).length, 1)
  t.match((await engine.flowRuns.get(first.id))?.run, {
    id: first.id,
    name: first.name,
    flowName: 'f',
    version: 'v1',
    description: 'what it does',
    executor: 'concurrent',
    file: /engine\.ts$/,
  })
  t.equal((await engine.flowRuns.get(first.id))?.owner, engine.id)
  const tasks = await engine.taskRuns.list(first.id)
  t.equal(tasks.length, 2)
  t.equal((await engine.taskRuns.get(tasks[1]?.run.id as string))?.run.dynamicKey, 1)
  t.equal(await engine.flowRuns.get('nothing'), undefined)
  t.equal(await engine.taskRuns.get('nothing'), undefined)
  t.strictSame(await engine.logs('nothing'), [])
  t.match((await engine.flowRuns.get(second.id))?.run.version, /^[0-9a-f]{12}$/, 'else a hash of the file')
})

test('the results of persistResult: false are not kept, only that there were some', async t => {
  const engine = engineFor(t)
  const secret = task('secret', () => 'secret', { persistResult: false })
  const run = engine.run(flow('f', async () => ((await secret()) === 'secret' ? 'ok' : 'no')))
  t.equal(await run, 'ok')
  const [stored] = await engine.taskRuns.list(run.id)
  t.match(stored?.run.state, { type: 'COMPLETED', result: { notPersisted: String } })
  t.notMatch(JSON.stringify(stored), /"secret"\s*[,}]?\s*"?result/)
})

test('close waits for the runs there are, and takes no more', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const slow = task('slow', () => gate.promise)
  const sub = flow('sub', () => 'of a subflow')
  const run = engine.run(
    flow('f', async () => {
      await slow()
      return sub()
    }),
  )
  await atRest()
  const closing = engine.close()
  t.throws(() => engine.run(sub), { code: 'ENGINE_CLOSED' })
  t.throws(() => sub.with({ engine })(), { code: 'ENGINE_CLOSED' })
  let closed = false
  void closing.then(() => {
    closed = true
  })
  await atRest()
  t.notOk(closed)
  gate.resolve()
  await closing
  t.equal(run.state.name, 'Completed')
  t.equal(await run, 'of a subflow', 'a run that is let end may start what it needs')
  t.equal(engine.close(), engine.close(), 'closed twice is closed once')
})

test('what still runs after timeoutMs is cancelled; a second close may be less patient', async t => {
  for (const [first, second] of [
    [{ timeoutMs: 100 }, undefined],
    [undefined, { timeoutMs: 100 }],
    [{ timeoutMs: 1e9 }, { timeoutMs: 100 }],
  ]) {
    const clock = simulatedClock()
    const engine = createEngine({ store: new MemoryStore(), logger: silent, surroundings: clock })
    const run = engine.run(flow('f', () => new Promise(() => {})))
    const end = run.wait()
    await clock.advance(1)
    const closing = engine.close(first)
    if (second) void engine.close(second)
    await clock.advance(99)
    t.equal(run.state.name, 'Running')
    await clock.advance(1)
    await closing
    t.match(await end, { type: 'CANCELLED', message: /the engine is closing\.$/ })
  }
})

test('await using closes the engine', async t => {
  let closed = false
  class Closing extends MemoryStore {
    override async close() {
      closed = true
    }
  }
  {
    await using engine = createEngine({ store: new Closing(), logger: silent })
    t.equal(await engine.run(flow('f', () => one())), 1)
  }
  t.ok(closed)
})

test('a store that cannot be opened crashes the runs with what it said, and close is quiet', async t => {
  const cause = new Error('no disk')
  class Broken extends MemoryStore {
    override open(): Promise<void> {
      return Promise.reject(cause)
    }
  }
  const engine = createEngine({ store: new Broken(), logger: silent })
  const run = engine.run(flow('f', () => t.fail('it ran')))
  t.match(await run.wait(), { type: 'CRASHED', error: cause })
  await t.rejects(engine.flowRuns.list(), cause)
  await engine.close()
})

test('one idempotency key, one run: a live one, and a finished one', async t => {
  const store = new MemoryStore()
  const engine = engineFor(t, { store })
  let ran = 0
  const gate = deferred()
  const f = flow('f', async (n: number) => {
    ran += 1
    await gate.promise
    return n
  })
  const first = engine.run(f, 1, { idempotencyKey: 'k' })
  const second = engine.run(f.with({ idempotencyKey: 'k' }), 2)
  t.equal(second, first)
  gate.resolve()
  t.equal(await first, 1)
  const third = engine.run(f, 3, { idempotencyKey: 'k' })
  t.equal(third.id, first.id)
  t.equal(await third, 1)
  t.equal(ran, 1)
  t.equal((await engine.flowRuns.list()).length, 1)
  t.equal((await engine.flowRuns.get(first.id))?.run.idempotencyKey, 'k')
  t.equal(await engine.run(f, 4, { idempotencyKey: 'other' }), 4)
  const g = flow('g', () => 'g')
  t.equal(await engine.run(g, undefined, { idempotencyKey: 'k' }), 'g', 'a key belongs to a flow')
  const again = engineFor(t, { store })
  t.equal(again.run(f, 5, { idempotencyKey: 'k' }).id, first.id, 'the id is known at once, everywhere')
  t.equal(await again.run(f, 5, { idempotencyKey: 'k' }), 1)
})

test('one idempotency key: the end is the first one’s, whatever it was', async t => {
  const engine = engineFor(t)
  const boom = new Error('boom')
  let ran = 0
  const f = flow('f', (_: unknown) => {
    ran += 1
    throw boom
  })
  t.equal(await thrownBy(() => engine.run(f, 1, { idempotencyKey: 'k' })), boom)
  t.equal(await thrownBy(() => engine.run(f, 1, { idempotencyKey: 'k' })), boom)
  t.equal(ran, 1)
  const sub = flow('sub', (n: number) => n)
  const outer = flow('outer', async () => {
    const keyed = sub.with({ idempotencyKey: 'waits' })
    return [(await keyed(fail()).wait()).name, (await keyed(1).wait()).name]
  })
  t.strictSame(await engine.run(outer), ['NotReady', 'NotReady'])
})

test('a run that follows another engine’s passes a cancel on', async t => {
  const folder = t.testdir()
  const [engine, follower] = [0, 1].map(() => engineFor(t, { store: new JsonStore({ folder }) })) as [Engine, Engine]
  const begun = deferred()
  const f = flow('f', async () => {
    begun.resolve()
    await new Promise(() => {})
  })
  const run = engine.run(f, undefined, { idempotencyKey: 'k' })
  await begun.promise
  const following = follower.run(f, undefined, { idempotencyKey: 'k' })
  t.match(await following.cancel('not needed'), { type: 'CANCELLED', message: /not needed/ })
  t.equal((await run.wait()).name, 'Cancelled')
})

function collecting(): { lines: string[]; logger: Logger } {
  const lines: string[] = []
  const level = (name: string) => (message: string) => void lines.push(`${name} ${message}`)
  return { lines, logger: { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') } }
}

test('logLevel drops what is below it, and a flow may have its own', async t => {
  const { lines, logger } = collecting()
  const engine = engineFor(t, { logger, logLevel: 'error' })
  await engine.run(flow('f', () => one()))
  t.strictSame(lines, [])
  await engine.run(flow('f', () => fail())).wait()
  t.equal(lines.length, 2)
  t.ok(lines.every(line => line.startsWith('error ')))
  const all = collecting()
  const loud = engineFor(t, { logger: all.logger })
  await loud.run(flow('quiet', () => one(), { logLevel: 'error' }))
  t.strictSame(all.lines, [])
  await loud.run(flow('loud', () => one()))
  t.ok(all.lines.length > 0)
})

test('a logger keeps its this, as pino needs it', async t => {
  class Pino {
    readonly lines: string[] = []
    debug(message: string) {
      this.lines.push(message)
    }
    info(message: string) {
      this.lines.push(message)
    }
    warn(message: string) {
      this.lines.push(message)
    }
    error(message: string) {
      this.lines.push(message)
    }
  }
  const logger = new Pino()
  await engineFor(t, { logger }).run(flow('f', () => one()))
  t.match(logger.lines[0], /begins$/)
})

test('a logger that throws changes no run', async t => {
  const throws = () => {
    throw new Error('full disk')
  }
  const engine = engineFor(t, { logger: { debug: throws, info: throws, warn: throws, error: throws } })
  const says = task('says', () => {
    taskContext().log.error('hello')
    return 1
  })
  t.equal(await engine.run(flow('f', () => says())), 1)
  t.equal((await engine.run(flow('f', () => fail())).wait()).name, 'Failed')
})

for (const executor of [
  new ConcurrentExecutor(),
  new ConcurrentExecutor({ concurrency: 1 }),
  new SequentialExecutor(),
]) {
  test(`a store that takes its time changes no end: ${executor.name} ${executor instanceof ConcurrentExecutor ? executor.concurrency : ''}`, async t => {
    const engine = engineFor(t, { store: slowStore() })
    const double = task('double', async (x: number) => x * 2)
    const sub = flow('sub', (n: number) => double(n), { executor })
    let attempts = 0
    const flaky = task(
      'flaky',
      () => {
        attempts += 1
        if (attempts < 3) throw new Error('again')
        return attempts
      },
      { retries: 2 },
    )
    const run = engine.run(
      flow(
        'f',
        async () => {
          const waits = double(fail())
          return {
            chain: await double(double(sub(1))),
            flaky: await flaky(),
            waits: (await waits.wait()).name,
            cancelled: (await double(1).cancel()).name,
            cancelledSub: (await sub(1).cancel()).name,
            cancelledWaiting: (await double(double(1)).cancel()).name,
          }
        },
        { executor },
      ),
    )
    t.strictSame(await run, {
      chain: 8,
      flaky: 3,
      waits: 'NotReady',
      cancelled: 'Cancelled',
      cancelledSub: 'Cancelled',
      cancelledWaiting: 'Cancelled',
    })
  })
}

test('a cancel that comes while the end is being written changes nothing', async t => {
  const acks: (() => void)[] = []
  let slow = false
  const engine = engineFor(t, {
    store: storeThat(() => (slow ? new Promise<void>(resolve => void acks.push(resolve)) : undefined)),
  })
  const end = deferred()
  const run = engine.run(
    flow('f', async () => {
      const task = one()
      slow = true
      await until(() => task.state.name === 'Completed')
      const cancelled = task.cancel('too late')
      slow = false
      for (const ack of acks.splice(0)) ack()
      t.equal((await cancelled).name, 'Completed')
      t.strictSame(await history(engine, task), ['Pending', 'Running', 'Completed'])
      end.resolve()
      slow = true
      return 'ok'
    }),
  )
  await end.promise
  await until(() => run.state.name === 'Completed')
  const cancelled = run.cancel('too late')
  slow = false
  for (const ack of acks.splice(0)) ack()
  t.match(await cancelled, { name: 'Completed', result: 'ok' })
  t.strictSame(await history(engine, run), ['Pending', 'Running', 'Completed'])
})

test('a store that refuses what it is given crashes the runs, and the process lives', async t => {
  const full = new Error('disk full')
  let isFull = false
  const engine = engineFor(t, { store: storeThat(() => (isFull ? Promise.reject(full) : undefined)) })
  const run = engine.run(
    flow('f', async () => {
      isFull = true
      const state = await one().wait()
      t.match(state, { type: 'CRASHED', error: full })
      return 'not this'
    }),
  )
  t.match(await run.wait(), { type: 'CRASHED', error: full })
  const cancelled = engine.run(flow('f', () => new Promise(() => {})))
  t.match(await cancelled.cancel(), { type: 'CRASHED', error: full })
})
