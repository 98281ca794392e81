import { allowFailure, flow, isFlow, type RunFuture, type State, type TaskFuture, task, unmapped } from 'mintaka'
import { test } from 'tap'
import { atRest, deferred, engineFor, history, thrownBy } from './fixtures/engine.js'

const echo = task('echo', <T>(value: T) => value)
const give = task('give', (value: unknown): unknown => value)
const add = task('add', (a: number, b: number) => a + b)
const square = task('square', (x: number) => x * x)
const later = task('later', async (x: number) => x)
const fail = task('fail', (message: string): number => {
  throw new Error(message)
})

test('a task that is called outside a flow is refused with its name and the fix', async t => {
  t.throws(() => square(2), {
    code: 'TASK_OUTSIDE_FLOW',
    task: 'square',
    message:
      "Task 'square' was called outside a flow. Call it in the function of a flow, or call square.fn(…) for the plain function.",
  })
})

test('a flow that is called inside a task is refused, by engine.run too', async t => {
  const engine = engineFor(t)
  const inner = flow('inner', () => 1, { engine })
  const calls = task('calls', () => void inner())
  const runs = task('runs', () => void engine.run(inner))
  const outer = flow('outer', async () => {
    const states = [await calls().wait(), await runs().wait()]
    return states.map(state => ('error' in state ? (state.error as { code?: string }).code : state.name))
  })
  t.strictSame(await engine.run(outer), ['FLOW_IN_TASK', 'FLOW_IN_TASK'])
  t.equal((await engine.flowRuns.list()).length, 1, 'nothing of it was recorded')
})

test('a task that is called inside a task runs in place, untracked', async t => {
  const engine = engineFor(t)
  const outer = task('outer', async () => {
    const sync = square(3)
    const atOnce = sync.state
    const async = later(4)
    const nested = add(square(2), later(1))
    const failed = fail('in place')
    return {
      atOnce: atOnce.name,
      sync: await sync,
      async: await async,
      nested: await nested,
      failed: (await failed.wait()).name,
      thrown: await failed.catch((error: Error) => error.message),
    }
  })
  const run = engine.run(flow('f', () => outer()))
  t.strictSame(await run, {
    atOnce: 'Completed',
    sync: 9,
    async: 4,
    nested: 5,
    failed: 'Failed',
    thrown: 'in place',
  })
  t.equal((await engine.taskRuns.list(run.id)).length, 1)
})

test('a task that gives back the futures of tasks in it gives their values', async t => {
  const engine = engineFor(t)
  const one = task('one', () => square(3) as unknown as number)
  const list = task('list', () => [later(1), square(2), 5] as unknown as number[])
  t.strictSame(await engine.run(flow('f', () => [one(), list()])), [9, [1, 4, 5]])
})

test('a call after the end of its flow run is refused', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const late = deferred<unknown[]>()
  const sub = flow('sub', () => 1)
  const leaky = flow('leaky', () => {
    void gate.promise.then(async () =>
      late.resolve([
        await thrownBy(() => square(1)),
        await thrownBy(() => sub()),
        await thrownBy(() => engine.run(sub)),
        await thrownBy(() => square.map([1])),
      ]),
    )
    return 'done'
  })
  t.equal(await engine.run(leaky.with({ name: 'amber-heron' })), 'done')
  gate.resolve()
  for (const error of await late.promise) t.match(error, { code: 'FLOW_RUN_ENDED', message: /'amber-heron'/ })
})

test('a call in a then of a run is in time: the flow run ends after it', async t => {
  const engine = engineFor(t)
  const seen: string[] = []
  const note = task('note', async (text: string) => {
    await atRest()
    seen.push(text)
  })
  const run = engine.run(
    flow('f', () => {
      void later(1).then(() => note('first').then(() => note('second')))
    }),
  )
  await run
  t.strictSame(seen, ['first', 'second'])
  t.equal((await engine.taskRuns.list(run.id)).length, 3)
})

test('map makes a call per element of lists that are taken side by side', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => ({
    one: square.map([1, 2, 3]),
    two: add.map([1, 2], [10, 20]),
    whole: add.map([1, square(3)], unmapped(10)),
    none: square.map([]),
    array: give.map([1, 2] as const),
  }))
  t.strictSame(await engine.run(f), {
    one: [1, 4, 9],
    two: [11, 22],
    whole: [11, 19],
    none: [],
    array: [1, 2],
  })
})

test('map passes an unmapped array whole', async t => {
  const engine = engineFor(t)
  const join = task('join', (x: number, all: readonly number[]) => `${x}/${all.join('')}`)
  const f = flow('f', () => join.map([1, 2], unmapped([7, 8])))
  t.strictSame(await engine.run(f), ['1/78', '2/78'])
})

test('map refuses lists of different lengths, no list, and what is no list', async t => {
  const engine = engineFor(t)
  const f = flow('f', async () => [
    await thrownBy(() => add.map([1, 2], [1, 2, 3])),
    await thrownBy(() => add.map(unmapped(1), unmapped(2))),
    await thrownBy(() => add.map([1], 2 as unknown as number[])),
  ])
  const [lengths, none, no] = (await engine.run(f)) as unknown[]
  t.match(lengths, { code: 'INVALID_ARGUMENT', message: /add\.map.* different lengths \(2, 3\)/ })
  t.match(none, { code: 'INVALID_ARGUMENT', message: /has no list/ })
  t.match(no, { code: 'INVALID_ARGUMENT', message: /Argument 2 of add\.map.*unmapped\(value\)/ })
})

test('xs.map(aTask) passes the value alone', async t => {
  const engine = engineFor(t)
  const count = task('count', (...args: unknown[]) => args.length)
  const nan = task('nan', (...args: unknown[]) => args.length)
  const f = flow('f', () => ({
    values: [1, 2, 3].map(square),
    counts: ['a', 'b'].map(count),
    nan: [Number.NaN].map(nan),
    futures: [square(2)].map(x => square(x)),
    three: count(1, 2, [3]),
    notTheArray: count(1, 0, [2]),
  }))
  t.strictSame(await engine.run(f), {
    values: [1, 4, 9],
    counts: [1, 1],
    nan: [1],
    futures: [16],
    three: 3,
    notTheArray: 3,
  })
})

test('xs.map(aFlow) passes the value alone', async t => {
  const engine = engineFor(t)
  const sub = flow('sub', (x: number) => x + 1)
  t.strictSame(await engine.run(flow('f', () => [1, 2].map(x => sub(x)))), [2, 3])
  const raw = flow('f', () => [1, 2].map(sub as (x: number) => RunFuture<number>))
  t.strictSame(await engine.run(raw), [2, 3])
})

test('with changes what it says and nothing else', async t => {
  const engine = engineFor(t)
  let attempts = 0
  const base = task(
    'base',
    () => {
      attempts += 1
      throw new Error('always')
    },
    { retries: 1, tags: ['a'], annotations: { priority: 1, resources: { GPU: 1 } } },
  )
  const named = base.with({ name: 'first' })
  const patient = named.with({ retries: 3 })
  t.equal(named.name, 'base')
  t.equal(named.fn, base.fn)
  const run = engine.run(
    flow('f', async () => {
      await named().wait()
      t.equal(attempts, 2)
      await patient().wait()
      t.equal(attempts, 6)
      await base().wait()
      t.equal(attempts, 8)
      return 'ok'
    }),
  )
  await run
  const runs = (await engine.taskRuns.list(run.id)).map(({ run }) => run)
  t.match(runs, [{ name: 'first', tags: ['a'] }, { name: 'first' }, { name: /^base-[0-9a-f]{8}-2$/ }])
})

test('annotations of with are merged into those of the task', async t => {
  const seen: unknown[] = []
  const executor = {
    name: 'watching',
    start: async () => ({
      where: 'here' as const,
      submit: (call: { annotations: unknown; run(): unknown }) => {
        seen.push(call.annotations)
        queueMicrotask(() => void call.run())
        return undefined
      },
      async [Symbol.asyncDispose]() {},
    }),
  }
  const engine = engineFor(t)
  const base = task('base', () => 1, { annotations: { priority: 1, resources: { GPU: 1 } } })
  const f = flow(
    'f',
    () => [
      base(),
      base.with({ annotations: { priority: 2, resources: { memory: 3 } } })(),
      base.with({ retries: 1 })(),
    ],
    { executor },
  )
  await engine.run(f)
  t.strictSame(seen, [
    { priority: 1, resources: { GPU: 1 } },
    { priority: 2, resources: { GPU: 1, memory: 3 } },
    { priority: 1, resources: { GPU: 1 } },
  ])
})

test('fn is the plain function, outside any flow', async t => {
  t.equal(square.fn(3), 9)
  t.equal(flow('f', (p: { n: number }) => p.n + 1).fn({ n: 1 }), 2)
  t.equal(square.name, 'square')
  t.ok(isFlow(flow('f', () => 1)))
  t.notOk(isFlow(square))
  t.notOk(isFlow(() => 1))
})

test('arguments are taken as they are at the call', async t => {
  const engine = engineFor(t)
  const sub = flow('sub', (p: { list: number[] }) => p.list.length)
  const f = flow('f', () => {
    const list = [1]
    const deep = { list, map: new Map([['k', list]]), set: new Set([1]) }
    const futures = [give(list), give(deep), sub({ list })]
    list.push(2)
    deep.map.clear()
    deep.set.add(2)
    return futures
  })
  t.strictSame(await engine.run(f), [[1], { list: [1], map: new Map([['k', [1]]]), set: new Set([1]) }, 1])
})

test('a body that changes its arguments changes neither the caller’s values nor its own next attempt', async t => {
  const engine = engineFor(t)
  let attempts = 0
  const pop = task(
    'pop',
    (list: number[]) => {
      list.pop()
      if (++attempts < 3) throw new Error('again')
      return list
    },
    { retries: 2 },
  )
  const f = flow('f', async () => {
    const list = [1, 2, 3]
    t.strictSame(await pop(list), [1, 2])
    t.strictSame(list, [1, 2, 3])
    return 'ok'
  })
  await engine.run(f)
})

test('futures are found at any depth of arrays, objects, Map values and Sets', async t => {
  const engine = engineFor(t)
  const f = flow('f', () =>
    give({
      list: [square(1), [square(2), { deep: [square(3)] }]],
      map: new Map<unknown, unknown>([['k', square(4)]]),
      set: new Set([square(5), 6]),
      sub: flow('sub', () => 7)(),
      plain: 'plain',
    }),
  )
  t.strictSame(await engine.run(f), {
    list: [1, [4, { deep: [9] }]],
    map: new Map([['k', 16]]),
    set: new Set([25, 6]),
    sub: 7,
    plain: 'plain',
  })
})

test('futures are not looked for in Map keys and class instances', async t => {
  const engine = engineFor(t)
  class Box {
    readonly held: unknown
    constructor(held: unknown) {
      this.held = held
    }
  }
  const look = task('look', (map: Map<unknown, number>, box: Box) => ({
    key: typeof ([...map.keys()][0] as RunFuture<number>).wait,
    box: typeof (box.held as RunFuture<number>).wait,
    instance: box instanceof Box,
  }))
  const f = flow('f', async () => look(new Map([[square(1), 1]]), new Box(square(2))))
  t.strictSame(await engine.run(f), { key: 'function', box: 'function', instance: true })
})

test('the inputs of a run are recorded: the runs found in each argument, previews of constants, what it waited for', async t => {
  const engine = engineFor(t)
  const ids: string[] = []
  const run = engine.run(
    flow('f', () => {
      const [a, b, c] = [square(1), square(2), square(3)]
      ids.push(a.id, b.id, c.id)
      return [add.with({ waitFor: [c] })(5, a), give({ list: [a, b] }), sub({ n: b })]
    }),
  )
  await run
  const runs = (await engine.taskRuns.list(run.id)).map(({ run }) => run)
  t.strictSame(
    runs.slice(3).map(({ inputs }) => inputs),
    [
      [
        { name: '0', preview: '5' },
        { name: '1', runs: [ids[0]] },
        { name: 'waitFor', runs: [ids[2]] },
      ],
      [{ name: '0', runs: [ids[0], ids[1]] }],
      [{ name: 'parameters', runs: [ids[1]] }],
    ],
  )
})
const sub = flow('sub', (p: { n: number }) => p.n)

test('waitFor waits, and passes nothing on', async t => {
  const engine = engineFor(t)
  const gate = deferred()
  const order: string[] = []
  const first = task('first', async () => {
    await gate.promise
    order.push('first')
  })
  const second = task('second', (...args: unknown[]) => {
    order.push(`second of ${args.length}`)
  })
  const third = flow('third', () => void order.push('third'))
  const run = engine.run(
    flow('f', () => {
      const a = first()
      const b = second.with({ waitFor: [a] })()
      return [third.with({ waitFor: [b] })()]
    }),
  )
  await atRest()
  t.strictSame(order, [])
  gate.resolve()
  await run
  t.strictSame(order, ['first', 'second of 0', 'third'])
})

test('waitFor on a failed run puts the waiting one to rest', async t => {
  const engine = engineFor(t)
  const f = flow(
    'f',
    async () =>
      (
        await square
          .with({ waitFor: [fail('no')] })(1)
          .wait()
      ).name,
  )
  t.equal(await engine.run(f), 'NotReady')
})

test('allowFailure hands over the settled state, of a failure as of a success', async t => {
  const engine = engineFor(t)
  const look = task('look', (state: State<number>) =>
    state.type === 'COMPLETED' ? `got ${state.result}` : `${state.name}: ${state.message}`,
  )
  const deep = task('deep', (p: { states: State<number>[] }) => p.states.map(({ name }) => name))
  const f = flow('f', () => [
    look(allowFailure(fail('no'))),
    look(allowFailure(square(2))),
    look(allowFailure(square(fail('no')))),
    deep({ states: [allowFailure(fail('no')), allowFailure(later(1))] as unknown as State<number>[] }),
  ])
  const [failed, completed, notReady, states] = await engine.run(f)
  t.equal(failed, 'Failed: no')
  t.equal(completed, 'got 4')
  t.match(notReady, /^NotReady: /)
  t.strictSame(states, ['Failed', 'Completed'])
})

test('a state as an argument is handed over as it is, and blocks nothing', async t => {
  const engine = engineFor(t)
  const look = task('look', (state: State) => state.name)
  const f = flow('f', async () => look((await fail('no').wait()) as State))
  t.equal(await engine.run(f), 'Failed')
})

test('the name of a task run is made of its task, its key and a count per flow run', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => ({ names: [square(1), later(2), square(3)].map(run => run.name) }))
  const first = (await engine.run(f)).names
  t.match(first, [/^square-[0-9a-f]{8}-0$/, /^later-[0-9a-f]{8}-0$/, /^square-[0-9a-f]{8}-1$/])
  t.strictSame((await engine.run(f)).names, first, 'each flow run counts for itself')
})

test('the key of a task holds its declared tags, and not those of a scope', async t => {
  const engine = engineFor(t)
  const { tags } = await import('mintaka')
  const tagged = task('square', (x: number) => x, { tags: ['b', 'a'] })
  const again = task('square', (x: number) => x, { tags: ['a', 'b'] })
  const run = engine.run(flow('f', () => [square(1), tags(['x'], () => square(2)), tagged(3), again(4)]))
  await run
  const keys = (await engine.taskRuns.list(run.id)).map(({ run }) => run.taskKey)
  t.equal(keys[0], keys[1])
  t.not(keys[0], keys[2])
  t.equal(keys[2], keys[3])
})

test('the name of a flow run is two words, or the given one', async t => {
  const engine = engineFor(t)
  const f = flow('f', () => 1)
  t.match(engine.run(f).name, /^[a-z]+-[a-z]+$/)
  t.equal(engine.run(f, undefined, { name: 'mine' }).name, 'mine')
  t.equal(engine.run(f.with({ name: 'mine too' })).name, 'mine too')
})

test('a future is there at once, and its run goes on without anybody', async t => {
  const engine = engineFor(t)
  const run = engine.run(
    flow('f', () => {
      const future: TaskFuture<number> = square(2)
      t.equal(future.state.name, 'Pending')
      t.equal(future.kind, 'task-run')
      return future
    }),
  )
  t.equal(run.kind, 'flow-run')
  t.equal(run.state.name, 'Pending')
  t.equal(await run, 4)
  t.strictSame(await history(engine, run), ['Pending', 'Running', 'Completed'])
})

test('generic functions and default parameters are left as they are', async t => {
  const engine = engineFor(t)
  const f = flow('f', (p: { n: number } = { n: 5 }) => echo(p.n))
  t.equal(await engine.run(f), 5)
  t.equal(await engine.run(f, undefined, { name: 'x' }), 5)
  t.equal(await engine.run(f, { n: 2 }), 2)
})
