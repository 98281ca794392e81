import {
  ConcurrentExecutor,
  type Executor,
  flow,
  ParallelExecutor,
  SequentialExecutor,
  task,
  taskContext,
  transfer,
  unmapped,
} from 'mintaka'
import { test } from 'tap'
import { sharedValues } from '../../dist/lib/threads/shared-values.js'
import { states } from '../../lib/core/state.js'
import { engineFor } from '../engine/fixtures/engine.js'

/** 128 KB: moved where it may be. */
const large = 16_384
const parallel = new ParallelExecutor({ threads: 2 })
const executors: [name: string, executor: Executor][] = [
  ['sequential', new SequentialExecutor()],
  ['concurrent', new ConcurrentExecutor()],
  ['parallel', parallel],
]

const sum = task('sum', (xs: Float64Array) => xs.reduce((total, x) => total + x, 0))
const later = task('later', async (rows: Record<string, number>) => {
  await new Promise(resolve => setTimeout(resolve, 20))
  return rows
})
const text = task('text', (value: { date: Date; url: URL; bytes: Buffer }) => {
  return `${value.date.getTime()} ${value.url.href} ${value.bytes.toString()}`
})
const sumAfter = task('sum after', (xs: Float64Array, _before: unknown) => xs.reduce((total, x) => total + x, 0))
const ones = task('ones', (length: number) => new Float64Array(length).fill(1))
const spoil = task(
  'spoil',
  (xs: Float64Array) => {
    const total = xs.reduce((total, x) => total + x, 0)
    xs.fill(0)
    if (taskContext().attempt < 3) throw new Error(`saw ${total}`)
    return total
  },
  { retries: 2 },
)
const shapes = task('shapes', (all: Float64Array, bytes: Uint8Array, part: Float64Array) => {
  bytes[7] = 0x40 // 1 becomes something else, if both show the same
  return { shared: all.buffer === bytes.buffer, first: all[0] !== 1, part: [...part], own: part.buffer !== all.buffer }
})
const passOn = task('pass on', (xs: Float64Array) => {
  xs[0] = (xs[0] ?? 0) + 1
  return transfer(xs)
})
const lookUp = task('look up', (table: { rows: Record<string, number> }, key: string) => {
  const value = table.rows[key]
  table.rows = {}
  return value
})

for (const [name, executor] of executors) {
  const on = <T>(body: () => T) => flow('on', body as () => unknown, { executor })

  test(`${name}: what a caller changes after the call, the task does not see`, async t => {
    const engine = engineFor(t)
    const body = on(async () => {
      const before = later({})
      const xs = new Float64Array(large).fill(1)
      const few = new Float64Array([1, 2])
      const value = { date: new Date(1), url: new URL('http://a/?page=1'), bytes: Buffer.from('one') }
      const futures = [sum(xs), sumAfter(xs, before), spoil(xs), sum(few), text(value)]
      xs.fill(7)
      few.fill(7)
      value.date.setTime(2)
      value.url.searchParams.set('page', '2')
      value.bytes.write('two')
      const again = sum(xs)
      return Promise.all([...futures, again])
    })
    t.strictSame(await engine.run(body), [large, large, large, 3, '1 http://a/?page=1 one', 7 * large])
  })

  test(`${name}: every attempt gets what the first one got`, async t => {
    const engine = engineFor(t)
    const body = on(async () => {
      const own = transfer(new Float64Array(large).fill(1))
      const results = [await spoil(own), await spoil(new Float64Array(large).fill(2)), await spoil(ones(large))]
      return results
    })
    t.strictSame(await engine.run(body), [large, 2 * large, large])
  })

  test(`${name}: two views of one buffer stay so, and a view of a part takes nothing with it`, async t => {
    const engine = engineFor(t)
    for (const given of [<T>(value: T) => value, transfer]) {
      const source = new Float64Array(large).fill(1)
      const other = new Float64Array(large).fill(2)
      const body = on(() => {
        const views = given([source, new Uint8Array(source.buffer)] as const)
        return shapes(...views, given(other.subarray(1, 3)))
      })
      t.strictSame(await engine.run(body), { shared: true, first: true, part: [2, 2], own: true })
      t.equal(other.length, large)
    }
  })

  test(`${name}: a result that many are given is the same for all`, async t => {
    const engine = engineFor(t)
    const body = on(async () => {
      const xs = ones(large)
      const sums = await Promise.all(Array.from({ length: 20 }, () => sum(xs)))
      return [new Set(sums).size, sums[0], (await xs).length]
    })
    t.strictSame(await engine.run(body), [1, large, large])
  })

  test(`${name}: what is passed whole to a map is taken once, and each call has its own`, async t => {
    const engine = engineFor(t)
    const body = on(async () => {
      const rows: Record<string, number> = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, i]))
      const keys = Object.keys(rows).slice(0, 50)
      const found = lookUp.map(unmapped({ rows }), keys)
      rows['k0'] = -1
      const again = lookUp.map(unmapped({ rows: later(rows) }), ['k0', 'k1'])
      return [await Promise.all(found), await Promise.all(again)]
    })
    t.strictSame(await engine.run(body), [Array.from({ length: 50 }, (_, index) => index), [-1, 1]])
  })
}

test('inputs of a map say what was passed whole, and from which runs', async t => {
  const engine = engineFor(t)
  const run = engine.run(
    flow('f', () => {
      const table = later({ a: 1 })
      return Promise.all([
        ...lookUp.map(unmapped({ rows: table }), ['a', 'b']),
        ...lookUp.map(unmapped({ rows: {} }), ['a', 'b']),
      ])
    }),
  )
  await run
  const runs = (await engine.taskRuns.list(run.id)).map(({ run }) => run)
  const source = runs.find(({ taskName }) => taskName === 'later')
  const inputs = runs.filter(({ taskName }) => taskName === 'look up').map(({ inputs }) => inputs[0])
  t.strictSame(inputs, [
    { runs: [source?.id], name: '0' },
    { runs: [source?.id], name: '0' },
    { name: '0', preview: '{rows}' },
    { name: '0', preview: '{rows}' },
  ])
})

test('on workers, what is transferred is taken at the call and comes back moved', async t => {
  const engine = engineFor(t)
  const body = flow(
    'moves',
    async () => {
      const xs = new Float64Array(large)
      const future = passOn(transfer(xs))
      const atOnce = xs.length
      const back = await future
      return [atOnce, back.length, back[0]]
    },
    { executor: parallel },
  )
  t.strictSame(await engine.run(body), [0, large, 1])
})

test('in this process, what is transferred is passed on as it is, for one call', async t => {
  const engine = engineFor(t)
  const xs = new Float64Array(large)
  const same = task('same', (ys: Float64Array) => ys === xs)
  t.strictSame(await engine.run(flow('f', async () => [await same(transfer(xs)), await same(xs)])), [true, false])
  t.equal(xs.length, large)
})

test('what has been transferred cannot be sent again, and the error says why', async t => {
  const engine = engineFor(t)
  const body = flow(
    'twice',
    async () => {
      const xs = new Float64Array(large)
      const first = passOn(transfer(xs))
      const second = await sum(xs).wait()
      await first
      return second
    },
    { executor: parallel },
  )
  t.match(await engine.run(body).wait(), {
    error: { code: 'NOT_SENDABLE', message: /argument 1 is an emptied buffer.*transfer\(\) has moved what it held/ },
  })
})

test('a transferred future hands its result over: on workers it is empty afterwards', async t => {
  const engine = engineFor(t)
  const pipeline = flow('pipeline', async () => {
    const first = ones(large)
    const second = passOn(transfer(first))
    const third = passOn(transfer(second))
    const result = await third
    return [result.length, result[0], (await first).length, (await second).length, (await transfer(third)).length]
  })
  t.strictSame(await engine.run(pipeline, undefined, { executor: parallel }), [large, 3, 0, 0, large])
  t.strictSame((await engine.run(pipeline))?.slice(0, 2), [large, 3])
})

test('a transferred future whose result is kept for others is copied', async t => {
  const engine = engineFor(t)
  const cached = ones.with({ cacheKey: () => 'ones' })
  const body = flow('f', async () => {
    const first = cached(large)
    const [moved] = await passOn(transfer(first))
    return [moved, (await first).length]
  })
  t.strictSame(await engine.run(body, undefined, { executor: parallel }), [2, large])
  t.strictSame(await engine.run(body, undefined, { executor: parallel }), [2, large], 'from the cache')
})

test('a transferred future and the future itself, as arguments of one call, are one value', async t => {
  const engine = engineFor(t)
  const same = task('same two', (a: Float64Array, b: Float64Array) => [a.length, a.buffer === b.buffer])
  const body = flow('f', async () => {
    const xs = ones(large)
    return [await same(xs, transfer(xs)), await sum(ones(1))]
  })
  t.strictSame(await engine.run(body, undefined, { executor: parallel }), [[large, true], 1])
})

test('what is cached by its inputs is found by their bytes, moved or not', async t => {
  const engine = engineFor(t)
  const runs: string[] = []
  const cached = sum.with({ cacheKey: 'inputs' })
  const body = flow('f', async () => {
    const states = []
    for (const fill of [1, 1, 2]) states.push(await cached(transfer(new Float64Array(large).fill(fill))).wait())
    for (const state of states) runs.push(state.name)
    return states.map(state => state.type === 'COMPLETED' && state.result)
  })
  t.strictSame(await engine.run(body, undefined, { executor: parallel }), [large, large, 2 * large])
  t.strictSame(runs, ['Completed', 'Cached', 'Completed'])
})

test('a retry of the flow finds what was done with arguments that were moved', async t => {
  const engine = engineFor(t)
  let attempts = 0
  const names: string[] = []
  const body = flow(
    'f',
    async () => {
      attempts += 1
      const state = await sum(new Float64Array(large).fill(1)).wait()
      const given = await sum(transfer(new Float64Array(large).fill(2))).wait()
      names.push(state.name, given.name)
      if (attempts === 1) throw new Error('again')
      return attempts
    },
    { executor: parallel, retries: 1 },
  )
  t.equal(await engine.run(body), 2)
  t.strictSame(names, ['Completed', 'Completed', 'Cached', 'Cached'])
})

test('where a rule may decide on another attempt, nothing is moved that it would need', async t => {
  const engine = engineFor(t)
  engine.use({
    name: 'once more',
    decide: ({ run, to, now }) =>
      to.type === 'FAILED' && run.runCount < 3 && run.kind === 'task-run'
        ? { type: 'REJECT', state: states.awaitingRetry(now, now, run.runCount, to.error) }
        : { type: 'ACCEPT' },
  })
  const body = flow('f', () => spoil.with({ retries: 0 })(transfer(new Float64Array(large).fill(1))))
  t.equal(await engine.run(body, undefined, { executor: parallel }), large)
})

const mutate = task('mutate', (table: { rows: number[]; bytes: Float64Array }, index: number) => {
  const found = [table.rows[index], table.bytes[index], table.rows.length]
  table.rows.length = 0
  table.bytes.fill(-1)
  return found
})
const tableOf = task('table of', (length: number) => ({
  rows: Array.from({ length }, (_, index) => index),
  bytes: new Float64Array(length).fill(7),
}))

test('what many calls read is in shared memory while they do, and each has a value of its own', async t => {
  const engine = engineFor(t)
  let most = 0
  const timer = setInterval(() => (most = Math.max(most, sharedValues.size)), 1)
  t.teardown(() => clearInterval(timer))
  const indexes = Array.from({ length: 100 }, (_, index) => index)
  const expected = indexes.map(index => [index, 7, 20_000])
  const body = flow('f', async () => {
    const table = tableOf(20_000)
    const result = await table
    const whole = await Promise.all(mutate.map(unmapped(result), indexes))
    const byFuture = await Promise.all(indexes.map(index => mutate(table, index)))
    return { whole, byFuture, rows: result.rows.length, bytes: result.bytes[5] }
  })
  t.strictSame(await engine.run(body, undefined, { executor: parallel }), {
    whole: expected,
    byFuture: expected,
    rows: 20_000,
    bytes: 7,
  })
  t.ok(most > 0, 'it was shared')
  t.equal(sharedValues.size, 0, 'and is forgotten')
})

test('a shared value is forgotten when its calls fail, are cancelled, or lose their thread', async t => {
  const engine = engineFor(t)
  const ends = task('ends', (table: { rows: number[] }, how: number): number => {
    if (how % 3 === 0) throw new Error(`no ${table.rows.length}`)
    if (how % 3 === 1) process.exit(1)
    for (;;) if (table.rows.length === 0) return 0
  })
  const body = flow('f', async () => {
    const table = { rows: Array.from({ length: 50_000 }, (_, index) => index) }
    const futures = ends.map(unmapped(table), [0, 1, 2, 3, 4, 5])
    setTimeout(() => {
      for (const future of futures) void future.cancel()
    }, 1000)
    const states = await Promise.all(futures.map(future => future.wait()))
    return states.map(({ type }) => type)
  })
  const types = await engine.run(body, undefined, { executor: new ParallelExecutor({ threads: 2, cancelGraceMs: 1 }) })
  t.notOk(types.includes('COMPLETED'))
  t.equal(sharedValues.size, 0)
})
