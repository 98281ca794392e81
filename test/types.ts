// Checked by `npx tsc`: what must not compile stands under `@ts-expect-error`. Nothing here is called at run time.

import { expectTypeOf } from 'expect-type'
import {
  allowFailure,
  annotate,
  type Cancelled,
  Completed,
  createEngine,
  deployment,
  Failed,
  type Flow,
  type FlowFuture,
  flow,
  isSettled,
  isTerminal,
  type RunFuture,
  type Service,
  type State,
  serve,
  type Task,
  type TaskFuture,
  tags,
  task,
  unmapped,
} from 'mintaka'
import { test } from 'tap'
import * as v from 'valibot'
import { z } from 'zod'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
interface Tree {
  readonly value: number
  readonly kids: readonly Tree[]
}
class Box {
  readonly #held = 1
  readonly open: number
  constructor(open: number) {
    this.open = open + this.#held
  }
}

const square = task('square', (x: number) => x * x)
const pair = task('pair', async (): Promise<[number, string]> => [1, 'a'])
const add = task('add', (a: number, b: number) => a + b)
const sum = task('sum', (xs: readonly number[]) => xs.length)
const optional = task('optional', (a: number, b?: string) => `${a}${b}`)
const anything = task('anything', (x: unknown) => x)
const json = task('json', (value: Json) => typeof value)
const tree = task('tree', (t: Tree) => t.value)
const tuple = task('tuple', (x: [number, string]) => x[0])
const variant = task('variant', (o: { kind: 'x'; n: number } | { kind: 'y'; s: string }) => o.kind)
const map = task('map', (m: Map<string, number>) => m.size)
const set = task('set', (s: Set<number>) => s.size)
const box = task('box', (b: Box) => b.open)
const date = task('date', (d: Date) => d.getTime())
const states = task('states', (s: State<number>) => s.type)

/** For the compiler alone. */
const unchecked = (_: () => unknown) => {}

test('a task call gives a future of what the function gives, awaited', async () => {
  unchecked(() => {
    expectTypeOf(square(1)).toEqualTypeOf<TaskFuture<number>>()
    expectTypeOf(pair()).toEqualTypeOf<TaskFuture<[number, string]>>()
    expectTypeOf(square(1).state).toEqualTypeOf<State<number>>()
    expectTypeOf(square(1).result()).toEqualTypeOf<Promise<number>>()
    expectTypeOf(square(1).kind).toEqualTypeOf<'task-run'>()
    expectTypeOf(square.fn).toEqualTypeOf<(x: number) => number>()
    expectTypeOf(square.with({ retries: 1, waitFor: [pair()], name: 'n' })).toEqualTypeOf<Task<[x: number], number>>()
    const promise: Promise<number> = square(1)
    const all: Promise<number[]> = Promise.all(square.map([1, 2]))
    const any: RunFuture<unknown> = square(1)
    return [promise, all, any]
  })
})

test('an argument may be a value, a future of one, or hold futures at any depth', async () => {
  unchecked(() => [
    square(square(1)),
    add(square(1), 2),
    sum([1, square(2)]),
    sum(square.map([1, 2])),
    optional(1),
    optional(square(1), undefined),
    json({ a: [1, square(1), { b: square(2) }] }),
    json(square(1)),
    tree({ value: square(1), kids: [{ value: 1, kids: [] }] }),
    tuple(pair()),
    tuple([square(1), 'b']),
    variant({ kind: 'x', n: square(1) }),
    map(new Map([['a', square(1)]])),
    map(new Map([['a', 1]])),
    set(new Set([square(1)])),
    box(new Box(1)),
    date(new Date()),
    anything(square(1)),
    anything({ a: [square(1)] }),
    sum(task('list', () => [1, 2])()),
  ])
})

test('a wrong argument, and a future of the wrong type, do not compile', async () => {
  unchecked(() => [
    // @ts-expect-error: a text
    square('a'),
    // @ts-expect-error: a future of a pair
    square(pair()),
    // @ts-expect-error: none
    square(),
    // @ts-expect-error: one too many
    square(1, 2),
    // @ts-expect-error: an empty object
    square({}),
    // @ts-expect-error: a promise is no future
    square(Promise.resolve(1)),
    // @ts-expect-error: a function is no JSON
    json({ a: () => 1 }),
    // @ts-expect-error: a future of the wrong type, deep inside
    tree({ value: pair(), kids: [] }),
    // @ts-expect-error: too short
    tuple([square(1)]),
    // @ts-expect-error: the value of a future is not there yet
    square(1) + 1,
    // @ts-expect-error: the member that does not belong
    variant({ kind: 'x', s: 'a' }),
  ])
})

test('map takes lists, of futures too, and unmapped values', async () => {
  unchecked(() => {
    expectTypeOf(add.map([1, square(2)], unmapped(10))).toEqualTypeOf<TaskFuture<number>[]>()
    sum.map([[1], [square(2)]])
    sum.map(unmapped([1, 2]))
    return [1, 2, 3].map(square)
  })
  unchecked(() => [
    // @ts-expect-error: a list of lists is wanted
    sum.map([1]),
    // @ts-expect-error: a value is not passed whole without unmapped
    add.map([1], 2),
    // @ts-expect-error: unmapped of the wrong type
    add.map([1], unmapped('a')),
  ])
})

test('allowFailure gives the state of that future', async () => {
  unchecked(() => states(allowFailure(square(1))))
  unchecked(() => [
    // @ts-expect-error: the state of a pair
    states(allowFailure(pair())),
    // @ts-expect-error: a number is wanted, not a state
    square(allowFailure(square(1))),
  ])
})

test('the parameter of a flow is what its function says, and not anything', async () => {
  const yearly = flow('yearly', (parameters: { year: number }) => parameters.year)
  unchecked(() => [
    yearly({ year: 2026 }),
    // @ts-expect-error: a text
    yearly({ year: '2026' }),
    // @ts-expect-error: none
    yearly(),
    // @ts-expect-error: nobody has said what it is
    flow('untyped', parameters => parameters.year),
    // @ts-expect-error: a flow has one at most
    flow('two', (year: number, month: number) => year + month),
  ])
})

test('the name of a task is a literal, and its options are known', async () => {
  const name: string = 'made' + Math.random()
  unchecked(() => [
    // @ts-expect-error: workers find the code by the name in the file
    task(name, () => 1),
    // @ts-expect-error: misspelt
    task('a', () => 1, { retires: 1 }),
    // @ts-expect-error: a number
    task('a', () => 1, { retries: '1' }),
    // @ts-expect-error: no such word
    task('a', () => 1, { cacheKey: 'input' }),
    // @ts-expect-error: an option of a call
    task('a', () => 1, { name: 'n' }),
    // @ts-expect-error: misspelt
    annotate({ prio: 1 }, () => 1),
  ])
})

test('reading the result of a state asks for its type first', async () => {
  unchecked(() => {
    const { state } = square(1)
    if (state.type === 'COMPLETED') expectTypeOf(state.result).toEqualTypeOf<number>()
    if (state.type === 'FAILED') expectTypeOf(state.error).toEqualTypeOf<unknown>()
    if (state.type === 'SCHEDULED') expectTypeOf(state.scheduledTime).toEqualTypeOf<number>()
    if (state.type === 'PENDING' && state.name === 'NotReady') expectTypeOf(state.upstreamId).toEqualTypeOf<string>()
    if (isTerminal(state)) {
      expectTypeOf(state.type).toEqualTypeOf<'COMPLETED' | 'FAILED' | 'CRASHED' | 'CANCELLED'>()
      if (state.type !== 'COMPLETED') expectTypeOf(state.error).toEqualTypeOf<unknown>()
    }
    if (isSettled(state) && state.type !== 'COMPLETED') expectTypeOf(state.error).toEqualTypeOf<unknown>()
    const name = (state: State): string => {
      switch (state.type) {
        case 'SCHEDULED':
        case 'PENDING':
        case 'RUNNING':
        case 'COMPLETED':
        case 'FAILED':
        case 'CRASHED':
        case 'CANCELLED':
          return state.name
      }
    }
    return name
  })
  unchecked(() => {
    const { state } = square(1)
    // @ts-expect-error: it may have failed
    const any = state.result
    // @ts-expect-error: a failed state has no result
    if (state.type === 'FAILED') return state.result
    // @ts-expect-error: a completed one has no error
    if (state.type === 'COMPLETED') return state.error
    return any
  })
  unchecked(async () => {
    const settled = await square(1).wait()
    // @ts-expect-error: nor does a settled one have a result for sure
    const result = settled.result
    const perhaps = await square(1).wait({ timeoutMs: 1 })
    // @ts-expect-error: time may have run out
    return [result, perhaps.type]
  })
})

test('a flow call gives a future of the values of what its function returned', async () => {
  const plain = flow('plain', () => 1)
  const one = flow('one', (p: { n: number }) => square(p.n))
  const list = flow('list', (p: { n: number } = { n: 1 }) => [square(p.n), square(2)])
  const deep = flow('deep', async () => ({
    small: await one({ n: 1 }),
    deep: { big: square(1) },
    list: [square(1), 'x'] as const,
    when: new Date(),
    map: new Map([['a', 1]]),
  }))
  const async = flow('async', async (p: { n: number }) => square(p.n))
  const state = flow('state', () => Completed(3))
  const either = flow('either', (p: boolean) => (p ? Completed('yes') : Failed(new Error('no'))))
  const nothing = flow('nothing', () => {})
  const settled = flow('settled', async () => await square(1).wait())
  unchecked(() => {
    expectTypeOf(plain()).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(one({ n: 1 })).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(one({ n: square(1) })).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(list()).toEqualTypeOf<FlowFuture<number[]>>()
    expectTypeOf(async({ n: 1 })).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(state()).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(either(true)).toEqualTypeOf<FlowFuture<string>>()
    expectTypeOf(nothing()).toEqualTypeOf<FlowFuture<void>>()
    expectTypeOf(settled()).resolves.toEqualTypeOf<number>()
    expectTypeOf(deep()).resolves.toEqualTypeOf<{
      small: number
      deep: { big: number }
      list: [number, 'x']
      when: Date
      map: Map<string, number>
    }>()
    expectTypeOf(one.with({ retries: 1, idempotencyKey: 'k' })).toEqualTypeOf<
      Flow<[p: { n: number }], TaskFuture<number>>
    >()
    expectTypeOf(tags(['a'], () => one({ n: 1 }))).toEqualTypeOf<FlowFuture<number>>()
    return square(one({ n: 1 }))
  })
  unchecked(() => [
    // @ts-expect-error: it wants a parameter
    one(),
    // @ts-expect-error: of this type
    one({ n: 'x' }),
    // @ts-expect-error: a future of the wrong type
    one({ n: pair() }),
    // @ts-expect-error: a flow takes one parameter
    flow('bad', (a: number, b: number) => a + b),
    // @ts-expect-error: misspelt
    flow('bad', () => 1, { executer: 1 }),
    // @ts-expect-error: an executor
    flow('bad', () => 1, { executor: 'sequential' }),
  ])
})

test('recursion compiles when its end is written down', async () => {
  const factorial = task('factorial', (n: number): number => (n <= 1 ? 1 : n * factorial.fn(n - 1)))
  const down: Flow<[n: number], Promise<number>> = flow(
    'down',
    async (n: number): Promise<number> => (n === 0 ? 0 : await down(n - 1)),
  )
  unchecked(() => {
    expectTypeOf(factorial(1)).toEqualTypeOf<TaskFuture<number>>()
    expectTypeOf(down(1)).toEqualTypeOf<FlowFuture<number>>()
  })
})

test('a schema types the parameters: what comes in at the call, what goes out in the body', async () => {
  const byZod = flow('byZod', p => p.n + p.d.length, {
    parameters: z.object({ n: z.coerce.number(), d: z.string().default('x') }),
  })
  const byValibot = flow('byValibot', async p => p.n, { parameters: v.object({ n: v.number() }) })
  const maybe = flow('maybe', p => p?.n, { parameters: z.object({ n: z.number() }).optional() })
  unchecked(() => {
    expectTypeOf(byZod({ n: '1' })).toEqualTypeOf<FlowFuture<number>>()
    byZod({ n: 1, d: task('text', () => 'a')() })
    expectTypeOf(byValibot({ n: square(1) })).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(maybe()).toEqualTypeOf<FlowFuture<number | undefined>>()
  })
  unchecked(() => [
    // @ts-expect-error: a number
    byValibot({ n: 'x' }),
    // @ts-expect-error: it wants a parameter
    byValibot(),
    // @ts-expect-error: a text
    byZod({ n: 1, d: 5 }),
  ])
})

test('engine.run has the types of the call', async () => {
  const engine = createEngine
  const one = flow('one', (p: { n: number }) => square(p.n))
  const none = flow('none', () => 1)
  unchecked(() => {
    expectTypeOf(engine().run(one, { n: 1 })).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(engine().run(none)).toEqualTypeOf<FlowFuture<number>>()
    expectTypeOf(engine().run(none, undefined, { name: 'n' })).toEqualTypeOf<FlowFuture<number>>()
  })
  unchecked(() => [
    // @ts-expect-error: it wants a parameter
    engine().run(one),
    // @ts-expect-error: of this type
    engine().run(one, { n: 'x' }),
    // @ts-expect-error: misspelt
    engine().run(one, { n: 1 }, { nam: 'n' }),
  ])
})

test('a deployment has parameters of the type of its flow', async () => {
  const one = flow('one', (p: { n: number }) => p.n)
  unchecked(() => {
    deployment('daily', one, { parameters: { n: 1 }, schedule: { cron: '0 7 * * *' } })
    deployment('bare', one)
    expectTypeOf(serve([deployment('daily', one)])).toEqualTypeOf<Promise<Service>>()
  })
  unchecked(() => [
    // @ts-expect-error: a number
    deployment('daily', one, { parameters: { n: 'x' } }),
    // @ts-expect-error: misspelt
    deployment('daily', one, { schedul: { cron: '0 7 * * *' } }),
    // @ts-expect-error: no such policy
    deployment('daily', one, { overlap: 'wait' }),
  ])
})

test('a state made by hand has the type of its result', async () => {
  unchecked(() => {
    expectTypeOf(Completed(1)).toEqualTypeOf<Completed<number>>()
    expectTypeOf(Failed(1)).toEqualTypeOf<Failed>()
    expectTypeOf<Cancelled['type']>().toEqualTypeOf<'CANCELLED'>()
  })
})
