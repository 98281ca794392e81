import {
  type Call,
  type Executor,
  flow,
  HeldResult,
  JsonStore,
  MintakaError,
  type Outcome,
  PendingResult,
  task,
  unmapped,
} from 'mintaka'
import { test } from 'tap'
import { engineFor, history } from './fixtures/engine.js'

const add = task('add', (a: number, b: number) => a + b)
const fail = task('fail', (_: number): number => 0)
const sum = task('sum', (list: { all: number[] }) => list.all.reduce((a, b) => a + b, 0))

/** A result that is fetched when somebody asks. */
class Held extends HeldResult {
  readonly typeName = 'held'
  readonly nbytes = 8
  readonly session: object
  readonly value: unknown
  fetches = 0
  constructor(session: object, value: unknown) {
    super()
    this.session = session
    this.value = value
  }
  protected override async load(): Promise<unknown> {
    this.fetches++
    return this.value
  }
}

interface Cluster extends Executor {
  readonly submitted: Call[]
  /** How many calls each came after. */
  readonly edges: number[]
  readonly held: Held[]
}

/**
 * An executor that is given calls together with those that they come after, as a cluster is: it carries them out in turn
 * when the flow has made them all. `holds`: results stay with it. `isEager`: it runs also what comes after a failure.
 */
function cluster({ holds = false, isEager = false } = {}): Cluster {
  const submitted: Call[] = []
  const held: Held[] = []
  const edges: number[] = []
  return {
    name: 'cluster',
    submitted,
    edges,
    held,
    async start() {
      const results = new Map<Call, unknown>()
      const valueIn = (value: unknown): unknown => {
        if (value instanceof PendingResult) return valueIn(results.get(value.call))
        if (value instanceof Held) return value.value
        if (Array.isArray(value)) return value.map(valueIn)
        if (typeof value !== 'object' || value === null) return value
        return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, valueIn(child)]))
      }
      const carryOut = (call: Call): Outcome => {
        if (!isEager && call.upstream?.some(other => !results.has(other)))
          return { type: 'threw', error: 'not reached' }
        call.started()
        if (call.task.name === 'fail') return { type: 'threw', error: new Error('as asked') }
        const value = (call.task.fn as (...args: unknown[]) => unknown)(...call.args.map(valueIn))
        const result = holds ? new Held(session, value) : value
        if (result instanceof Held) held.push(result)
        results.set(call, result)
        return { type: 'returned', value: result }
      }
      const session = {
        where: 'elsewhere' as const,
        joins: true,
        submit(call: Call) {
          submitted.push(call)
          edges.push(call.upstream?.length ?? 0)
          setImmediate(() => call.ended(carryOut(call)))
          return undefined
        },
        async [Symbol.asyncDispose]() {},
      }
      return session
    },
  }
}

test('a call is handed over together with those that it needs the results of', async t => {
  const engine = engineFor(t)
  const executor = cluster()
  let atOnce = 0
  const diamond = flow('diamond', () => {
    const top = add(1, 1)
    const end = sum({ all: [add(top, 10), add(top, 20)] })
    atOnce = executor.submitted.length
    return end
  })
  t.equal(await engine.run(diamond, undefined, { executor }), 34)
  t.equal(atOnce, 4, 'all of them, before any has ended')
  t.strictSame(executor.edges, [0, 1, 1, 2])
})

test('what comes after one that failed rests in NotReady, whatever its executor makes of it', async t => {
  const engine = engineFor(t)
  const executor = cluster()
  const run = engine.run(
    flow('failing', async () => (await add(fail(1), 1).wait()).name),
    undefined,
    { executor },
  )
  t.equal(await run, 'NotReady')
  t.equal(executor.submitted.length, 2)
  const names = (await engine.taskRuns.list(run.id)).map(({ states }) => states.at(-1)?.name)
  t.strictSame(names, ['Failed', 'NotReady'])
})

test('what began although one that it came after failed has failed too', async t => {
  const engine = engineFor(t)
  const run = engine.run(
    flow('failing', async () => (await add(fail(1), 1).wait()).name),
    undefined,
    { executor: cluster({ isEager: true }) },
  )
  t.equal(await run, 'Failed')
  const [, second] = await engine.taskRuns.list(run.id)
  t.match(second?.run.state, { type: 'FAILED', error: { code: 'UPSTREAM_NOT_COMPLETED' } })
})

test('what every call of a map is given whole may hold results that are not there yet', async t => {
  const engine = engineFor(t)
  const executor = cluster()
  const total = task('total', (extra: number, list: { all: number[] }) => list.all.reduce((a, b) => a + b, extra))
  const mapped = flow('mapped', () => total.map([1, 2], unmapped({ all: [add(1, 1), add(2, 2)] })))
  t.strictSame(await engine.run(mapped, undefined, { executor }), [7, 8])
  t.strictSame(executor.edges, [0, 0, 2, 2])
})

test('where another attempt may follow, the results are waited for', async t => {
  const engine = engineFor(t)
  const executor = cluster()
  let atOnce = 0
  const retried = flow('retried', () => {
    const end = add(add.with({ retries: 1 })(1, 1), 1)
    atOnce = executor.submitted.length
    return end
  })
  t.equal(await engine.run(retried, undefined, { executor }), 3)
  t.equal(atOnce, 1)
})

test('where a rule may say otherwise, the results are waited for', async t => {
  const engine = engineFor(t)
  engine.use({ name: 'lenient', decide: () => undefined })
  const executor = cluster()
  let atOnce = 0
  const watched = flow('watched', () => {
    const end = add(add(1, 1), 1)
    atOnce = executor.submitted.length
    return end
  })
  t.equal(await engine.run(watched, undefined, { executor }), 3)
  t.equal(atOnce, 1)
})

test('a result that stays with its executor is fetched when it is awaited, and once', async t => {
  const engine = engineFor(t)
  const executor = cluster({ holds: true })
  const run = flow('awaits', async () => {
    const [first, second] = [add(1, 1), add(2, 2)]
    const state = await second.wait()
    t.ok(state.type === 'COMPLETED' && (state.result as unknown) instanceof HeldResult)
    return [await first, await first, await add(first, 1)]
  })
  t.strictSame(await engine.run(run, undefined, { executor }), [2, 2, 3])
  t.strictSame(
    executor.held.map(({ fetches }) => fetches),
    [1, 0, 1],
  )
})

test('a result that stays with its executor is passed on as it is, even when it has been fetched', async t => {
  const engine = engineFor(t)
  const executor = cluster({ holds: true })
  const run = flow('passes', async () => {
    const first = add(1, 1)
    await first
    return add(first, 1)
  })
  t.equal(await engine.run(run, undefined, { executor }), 3)
  t.ok(executor.submitted[1]?.args[0] instanceof HeldResult)
})

test('a flow ends with values, and a subflow on another executor is given values', async t => {
  const engine = engineFor(t)
  const executor = cluster({ holds: true })
  const child = flow('child', async (n: number) => n * 2, { executor: cluster() })
  const parent = flow('parent', () => {
    const n = add(1, 1)
    return { n, doubled: child(n), none: null }
  })
  t.strictSame(await engine.run(parent, undefined, { executor }), { n: 2, doubled: 4, none: null })
})

test('a flow that returns states ends with their values too', async t => {
  const engine = engineFor(t)
  const executor = cluster({ holds: true })
  const one = flow('one', async () => add(1, 1).wait())
  const some = flow('some', async () => ({ list: [await add(1, 1).wait()] }))
  t.equal(await engine.run(one, undefined, { executor }), 2)
  t.strictSame(await engine.run(some, undefined, { executor }), { list: [2] })
})

test('a result that is lost fails what asks for it, and not the host', async t => {
  const engine = engineFor(t)
  class Lost extends Held {
    protected override async load(): Promise<unknown> {
      throw new MintakaError('RESULT_LOST', 'It is gone.')
    }
  }
  const executor: Executor = {
    name: 'forgetful',
    start: async () => ({
      where: 'elsewhere',
      submit(call) {
        setImmediate(() => call.ended({ type: 'returned', value: new Lost({}, 1) }))
        return undefined
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
  const run = engine.run(
    flow('forgotten', () => [add(1, 1), add(add(1, 2), 1)]),
    undefined,
    { executor },
  )
  await t.rejects(run, { code: 'RESULT_LOST' })
  t.strictSame(
    (await engine.taskRuns.list(run.id)).map(({ run }) => run.state.name),
    ['Completed', 'Completed', 'Crashed'],
  )
  t.match((await history(engine, run.id)).join(), /Failed/)
})

test('a result that is kept for a later attempt of its flow is fetched', async t => {
  const engine = engineFor(t)
  const executor = cluster({ holds: true })
  let attempts = 0
  const flaky = flow(
    'flaky',
    async () => {
      const value = await add(1, 1)
      if (++attempts === 1) throw new Error('once more')
      return value
    },
    { retries: 1 },
  )
  t.equal(await engine.run(flaky, undefined, { executor }), 2)
  t.equal(executor.submitted.length, 1)
})

test('a result that stays with its executor is not in the store, which says why, unless it is to be kept', async t => {
  const folder = t.testdir()
  const executor = cluster({ holds: true })
  const engine = engineFor(t, { store: new JsonStore({ folder }) })
  const run = engine.run(
    flow('kept', () => [add(1, 1), add.with({ persistResult: true })(2, 2)]),
    undefined,
    { executor },
  )
  t.strictSame(await run, [2, 4])
  await engine.close()
  const reader = engineFor(t, { store: new JsonStore({ folder }) })
  const results = (await reader.taskRuns.list(run.id)).map(({ run: { state } }) => 'result' in state && state.result)
  t.match(String(JSON.stringify(results[0])), /stayed where it was computed/)
  t.equal(results[1], 4)
})
