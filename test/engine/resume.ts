import {
  ConcurrentExecutor,
  createEngine,
  type Engine,
  type Executor,
  type Flow,
  flow,
  JsonStore,
  MemoryStore,
  type ResumeOptions,
  SequentialExecutor,
  task,
} from 'mintaka'
import { type Test, test } from 'tap'
import { engineFor, history, silent, thrownBy } from './fixtures/engine.js'

let ran: unknown[] = []
let broken = new Set<unknown>()

const step = task('step', async (value: unknown) => {
  ran.push(value)
  if (broken.has(value)) throw new Error(`broken: ${String(value)}`)
  return value
})
const join = task('join', (values: readonly unknown[]) => {
  ran.push('join')
  return values.join('+')
})

function afresh(...what: unknown[]) {
  ran = []
  broken = new Set(what)
}

/** Runs a flow that fails, mends what was broken, and resumes it. */
async function failed(engine: Engine, failing: Flow<[], unknown>): Promise<string> {
  const run = engine.run(failing)
  await run.wait()
  ran = []
  broken = new Set()
  return run.id
}

async function taskRuns(engine: Engine, id: string): Promise<string[]> {
  const runs = await engine.taskRuns.list(id)
  return runs.map(({ run }) => `${run.name.replace(/-\w+-/, ' ')} ${run.state.name}`)
}

const engines: Record<string, (t: Test) => Engine> = {
  memory: t => engineFor(t),
  json: t => engineFor(t, { store: new JsonStore({ folder: t.testdir() }) }),
}

for (const [kind, makeEngine] of Object.entries(engines))
  for (const executor of [
    new ConcurrentExecutor(),
    new ConcurrentExecutor({ concurrency: 1 }),
    new SequentialExecutor(),
  ])
    test(`a failed run is continued from what its tasks have completed: ${kind}, ${executor.name}`, async t => {
      const engine = makeEngine(t)
      const job = flow(
        'job',
        async (p: { names: string[] }) => {
          const firsts = p.names.map(name => step(name))
          const joined = await join(firsts)
          return [joined, await step('c'), await step('d')]
        },
        { executor },
      )
      afresh('c')
      const run = engine.run(job, { names: ['a', 'b', 'a'] })
      t.match(await run.wait(), { type: 'FAILED', message: 'broken: c' })
      afresh()
      const resumed = engine.resume(run.id, job)
      t.equal(resumed.kind, 'flow-run')
      t.strictSame(await resumed, ['a+b+a', 'c', 'd'])
      t.strictSame(ran, ['c', 'd'])
      t.strictSame(await taskRuns(engine, resumed.id), [
        'step 0 Cached',
        'step 1 Cached',
        'step 2 Cached',
        'join 0 Cached',
        'step 3 Completed',
        'step 4 Completed',
      ])
      const before = await engine.taskRuns.list(run.id)
      const [first] = await engine.taskRuns.list(resumed.id)
      t.match(first?.run.state, { cachedFrom: before[0]?.run.id })
      const stored = await engine.flowRuns.get(resumed.id)
      t.equal(stored?.run.continues, run.id)
      t.match(stored?.run.divergence, {
        diverged: false,
        notAskedFor: [],
        notKnown: [{ taskName: 'step', count: 1, examples: [{ inputs: '"d"' }] }],
        ranAgain: [{ taskName: 'step', count: 1, examples: [{ inputs: '"c"' }] }],
        reused: [
          { taskName: 'step', count: 3 },
          { taskName: 'join', count: 1 },
        ],
      })
      t.strictSame(await history(engine, run), ['Pending', 'Running', 'Failed'], 'the old run stays as it was')
    })

test('the flow is found by its name and file, and called with what it was called with', async t => {
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
  const found = flow('found', async (p: { when: Date; n: bigint }) => {
    await step('x')
    return [p.when, p.n]
  })
  afresh('x')
  const run = engine.run(found, { when: new Date(5), n: 7n })
  await run.wait()
  afresh()
  t.strictSame(await engine.resume(run.id), [new Date(5), 7n])
})

test('chains of resumes take over what any of them has done, once', async t => {
  const engine = engineFor(t)
  const chain = flow('chain', async () => {
    for (const value of [1, 2, 3, 4, 5]) await step(value)
    return ran
  })
  afresh(3)
  const first = engine.run(chain)
  await first.wait()
  afresh(4)
  const second = engine.resume(first.id, chain)
  await second.wait()
  t.strictSame(ran, [3, 4])
  afresh(1, 2)
  const third = engine.resume(second.id, chain)
  t.strictSame(await third, [4, 5])
  const runs = await engine.taskRuns.list(third.id)
  const origins = runs.map(({ run: { state } }) => state.type === 'COMPLETED' && state.cachedFrom?.split('-')[0])
  t.strictSame(origins, [first.id, first.id, second.id, undefined, undefined])
})

test('a run that died early leaves what it had not asked for yet to the next one', async t => {
  const engine = engineFor(t)
  let stopsAfter = Number.POSITIVE_INFINITY
  const chain = flow('chain', async () => {
    for (const value of [1, 2, 3]) {
      if (value > stopsAfter) throw new Error('early')
      await step(value)
    }
    await step('end')
    return 'done'
  })
  afresh('end')
  const first = engine.run(chain)
  await first.wait()
  stopsAfter = 1
  const second = engine.resume(first.id, chain)
  await second.wait()
  stopsAfter = Number.POSITIVE_INFINITY
  afresh()
  const third = engine.resume(second.id, chain)
  t.equal(await third, 'done')
  t.strictSame(ran, ['end'])
  t.equal((await engine.flowRuns.get(third.id))?.run.divergence?.diverged, false)
})

test('who resumes a run that was continued already gets what that one has done, too', async t => {
  const engine = engineFor(t)
  const chain = flow('chain', async () => {
    for (const value of [1, 2, 3]) await step(value)
    return 'done'
  })
  afresh(2)
  const first = engine.run(chain)
  await first.wait()
  afresh(3)
  const second = engine.resume(first.id, chain)
  await second.wait()
  afresh()
  const third = engine.resume(first.id, chain)
  t.equal(await third, 'done')
  t.strictSame(ran, [3])
  t.equal((await engine.flowRuns.get(third.id))?.run.continues, second.id)
  t.match(await thrownBy(() => engine.resume(first.id, chain)), {
    code: 'NOT_RESUMABLE',
    message: /continued by flow run .* has completed/,
  })
})

test('a flow’s own retries and resuming go together', async t => {
  const engine = engineFor(t)
  const twice = flow(
    'twice',
    async () => {
      await Promise.all(['a', 'a', 'b'].map(name => step(name)))
      await step('x')
      return 'done'
    },
    { retries: 1 },
  )
  afresh('x')
  const first = engine.run(twice)
  await first.wait()
  t.strictSame(ran, ['a', 'a', 'b', 'x', 'x'])
  ran = []
  const second = engine.resume(first.id, twice)
  await second.wait()
  t.strictSame(ran, ['x', 'x'])
  afresh()
  const third = engine.resume(second.id, twice, { divergence: 'fail' })
  t.equal(await third, 'done')
  t.strictSame(ran, ['x'])
})

test('results that were not kept, and calls that cannot be told apart, run again', async t => {
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
  const secret = step.with({ persistResult: false })
  const called = task('called', (f: () => unknown) => {
    ran.push('called')
    return f()
  })
  const job = flow('job', async () => {
    await secret('secret')
    await secret({ deep: ['secret'] })
    await called(() => 1)
    await step('x')
    return 'done'
  })
  afresh()
  broken = new Set(['x'])
  const id = await failed(engine, job)
  const resumed = engine.resume(id, job, { divergence: 'fail' })
  t.equal(await resumed, 'done')
  t.strictSame(ran, ['secret', { deep: ['secret'] }, 'called', 'x'])
  const report = (await engine.flowRuns.get(resumed.id))?.run.divergence
  t.match(report, { diverged: false, notKnown: [], ranAgain: [{ taskName: 'step', count: 3 }, { taskName: 'called' }] })
})

test('captured values are a part of what a task is called with, and large and nested arguments are compared', async t => {
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
  let k = 1
  const rows = (n: number) => Array.from({ length: 2000 }, (_, index) => ({ index, n, when: new Date(index) }))
  const job = flow('job', async () => {
    await step.with({ captures: { k } })('captured')
    await join([step(rows(1)), 'x'.repeat(500), new Float64Array(5000)])
    await step('x')
    return 'done'
  })
  afresh()
  broken = new Set(['x'])
  const id = await failed(engine, job)
  k = 2
  t.equal(await engine.resume(id, job), 'done')
  t.strictSame(ran, ['captured', 'x'])
})

test('allowed failures and states compare by what they say', async t => {
  const engine = engineFor(t)
  const { allowFailure } = await import('mintaka')
  const told = task('told', (state: unknown) => {
    ran.push('told')
    return (state as { name: string }).name
  })
  const job = flow('job', async () => {
    await told(allowFailure(step('good')))
    await step('x')
    return 'done'
  })
  afresh('x')
  const id = await failed(engine, job)
  t.equal(await engine.resume(id, job), 'done')
  t.strictSame(ran, ['x'])
})

for (const executor of [new ConcurrentExecutor(), new SequentialExecutor()] as Executor[])
  test(`subflows resume inside: what completed is taken over, what did not goes on: ${executor.name}`, async t => {
    const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
    const sub = flow(
      'sub',
      async (p: { n: unknown }) => {
        await step(`${String(p.n)}a`)
        return step(`${String(p.n)}b`)
      },
      { executor },
    )
    const main = flow('main', async () => [await sub({ n: 1 }), await sub({ n: step(2) }), await sub({ n: 3 })], {
      executor,
    })
    afresh('2b')
    const run = engine.run(main)
    await run.wait()
    t.strictSame(ran, ['1a', '1b', 2, '2a', '2b'])
    afresh()
    const resumed = engine.resume(run.id, main, { divergence: 'fail' })
    t.strictSame(await resumed, ['1b', '2b', '3b'])
    t.strictSame(ran, ['2b', '3a', '3b'])
    t.strictSame(await taskRuns(engine, resumed.id), [
      'sub 0 Cached',
      'step 0 Cached',
      'sub 1 Completed',
      'sub 2 Completed',
    ])
    const [old] = await engine.flowRuns.list({ parentFlowRunId: run.id })
    const children = await engine.flowRuns.list({ parentFlowRunId: resumed.id })
    t.strictSame(
      children.map(({ run }) => run.continues === undefined),
      [true, false, false],
    )
    t.equal(children[1]?.run.continues, old?.run.id)
    afresh()
  })

test('a retry of a flow continues its subflows, too', async t => {
  const engine = engineFor(t)
  let attempts = 0
  const sub = flow('sub', async (n: number) => {
    await step(`${n}a`)
    attempts += 1
    if (attempts === 2) throw new Error('the second one')
    return n
  })
  const main = flow('main', async () => [await sub(1), await sub(2)], { retries: 1 })
  afresh()
  const run = engine.run(main)
  t.strictSame(await run, [1, 2])
  t.strictSame(ran, ['1a', '2a'])
})

test('what cannot be continued is refused, with the reason', async t => {
  const store = new MemoryStore()
  const engine = engineFor(t, { store })
  const good = flow('good', async () => 1)
  const bad = flow('bad', async () => {
    throw new Error('no')
  })
  const outer = flow('outer', async () => {
    await bad().wait()
    throw new Error('outer')
  })
  let end = () => {}
  const slow = flow('slow', () => new Promise<void>(resolve => void (end = resolve)))
  const done = engine.run(good)
  await done
  const failing = engine.run(bad)
  await failing.wait()
  const around = engine.run(outer)
  await around.wait()
  const running = engine.run(slow)
  while (running.state.type !== 'RUNNING') await new Promise(resolve => setImmediate(resolve))
  const [child] = await engine.flowRuns.list({ parentFlowRunId: around.id })
  const refused = async (id: string, ...rest: [Flow<never, unknown>?, ResumeOptions?]) => {
    const future = engine.resume(id, rest[0] as Flow<[], unknown>, rest[1])
    t.equal((await future.wait()).type, 'FAILED')
    return thrownBy(() => future)
  }
  t.match(await refused('nobody'), { code: 'NOT_FOUND', message: /'nobody'/ })
  t.match(await refused(done.id), { code: 'NOT_RESUMABLE', message: /nothing to resume/ })
  t.match(await refused(running.id), { code: 'NOT_RESUMABLE', message: /has not ended: it is Running/ })
  t.match(await refused(failing.id, good), { code: 'NOT_RESUMABLE', message: /of flow 'bad', .* is 'good'/ })
  t.match(await refused(child?.run.id ?? ''), { code: 'NOT_RESUMABLE', message: /part of flow run/ })
  end()
  await running
  t.throws(() => engine.resume(''), { code: 'INVALID_ARGUMENT' })
  t.throws(() => engine.resume('x', (() => 1) as never), { code: 'INVALID_ARGUMENT' })
  t.throws(() => engine.resume('x', undefined, { code: 'other' as 'same' }), { code: 'INVALID_OPTION' })
  const elsewhere = createEngine({ store, logger: silent })
  await elsewhere.close()
  t.throws(() => elsewhere.resume(failing.id), { code: 'ENGINE_CLOSED' })
  t.equal(
    (await engine.flowRuns.list()).some(({ run }) => run.continues !== undefined),
    false,
    'no run was made',
  )
})

test('a resumption can be cancelled and closed before it is known what it is', async t => {
  const engine = engineFor(t)
  const bad = flow('bad', async () => {
    await step('x')
    return 'done'
  })
  afresh('x')
  const id = await failed(engine, bad)
  const resumed = engine.resume(id, bad)
  const cancelled = resumed.cancel('never mind')
  t.equal((await cancelled).type, 'CANCELLED')
  t.strictSame(ran, [])
  const again = engine.resume(resumed.id, bad)
  await engine.close()
  t.equal(await again, 'done')
})
