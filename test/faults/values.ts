/** What cannot be sent costs the task that made it, and what is hard to send arrives as it was. */
import { flow, isState, ParallelExecutor, type SettledState } from 'mintaka'
import { t as tap } from 'tap'
import { threads, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'
import { give, honest, pollution, type Result, type Thrown, throwIt, throwLater } from './fixtures/values.js'

tap.setTimeout(120_000)

const executor = new ParallelExecutor({ threads: 1, idleTimeoutMs: 1500 })

/** Runs each among honest neighbours, on one thread that has to survive all of it. */
async function amongHonest<T extends string>(
  watch: Watch,
  cases: readonly T[],
  call: (which: T) => ReturnType<typeof give>,
): Promise<{ states: Map<T, SettledState>; neighbours: unknown[]; started: number }> {
  const before = threads.started
  const states = new Map<T, SettledState>()
  // States in what a flow returns would be taken for its own: they are handed on behind its back.
  const run = flow(
    'values',
    async () => {
      const neighbours = [honest(-1)]
      const odd = cases.map((which, index) => {
        const future = call(which)
        for (let more = 0; more < 5; more++) neighbours.push(honest(index * 5 + more))
        return [which, future] as const
      })
      watch.follow([...neighbours, ...odd.map(([, future]) => future)])
      for (const [which, future] of odd) states.set(which, await future.wait())
      return Promise.all(neighbours)
    },
    { executor },
  )
  const neighbours = await watch.engine.run(run)
  return { states, neighbours, started: threads.started - before }
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index - 1)

const refused: Readonly<Partial<Record<Result, RegExp>>> = {
  function: /^Task 'give': the result is the function/,
  'method in a list': /^Task 'give': the result\.rows\[0\]\.f is the function f/,
  symbol: /^Task 'give': the result\.s is the symbol/,
  'promise inside': /^Task 'give': the result\.later is a Promise/,
  'rejected promise inside': /^Task 'give': the result\.later is a Promise/,
  instance: /^Task 'give': the result\.point is an instance of Point/,
  'weak map': /^Task 'give': the result is an instance of WeakMap/,
  proxy: /^Task 'give': the result\.p is a Proxy/,
  'revoked proxy': /^Task 'give': the result\.p is a Proxy/,
  'proxy that traps': /^Task 'give': the result\.p is a Proxy/,
  'getter that throws':
    /^Task 'give': the result\.bad is a getter that throws \(got\)|the result\.bad is a getter that throws/,
  'shared memory': /^Task 'give': the result is a SharedArrayBuffer/,
  'nested too deeply': /^Task 'give': the result is nested too deeply/,
}

story(
  'a result that cannot be sent fails its task with the path, and harms neither thread nor neighbour',
  async (t, watch) => {
    const cases = Object.keys(refused) as Result[]
    const { states, neighbours, started } = await amongHonest(watch, cases, which => give(which))
    for (const [which, state] of states) {
      t.match(state, { type: 'FAILED', error: { code: 'NOT_SENDABLE', task: 'give', message: refused[which] } }, which)
    }
    t.strictSame(neighbours, numbers(cases.length * 5 + 1))
    t.equal(started, 1)
  },
)

const kept: Readonly<Partial<Record<Result, unknown>>> = {
  'own toJSON': JSON.parse('{"toJSON": 1, "a": {"toJSON": null}}'),
  'own __proto__': JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
  'a record of ours': { $mintaka: 'error', record: { name: 'X' } },
  'an address alone': new URL('https://example.org/a'),
  'thenable that calls twice': 'first',
  'thenable of a thenable': 'deep',
  'half a surrogate': '\ud800 and \udc00',
  'all kinds': {
    map: new Map<unknown, unknown>([[{ key: 1 }, new Set([1n])]]),
    date: new Date(5),
    nan: Number.NaN,
    nothing: undefined,
    bytes: Buffer.from([1, 2]),
    text: '\u{1F980}\u0000\u2028"\n',
  },
}

story('a result that is hard to send arrives as it was, and the store gives it back so', async (t, watch) => {
  const cases = Object.keys(kept) as Result[]
  const { states, neighbours, started } = await amongHonest(watch, cases, which => give(which))
  for (const [which, state] of states) t.strictSame(comparable(state), comparable(kept[which]), which)
  t.strictSame(neighbours, numbers(cases.length * 5 + 1))
  t.equal(started, 1)
  const [flowRun] = await watch.engine.flowRuns.list()
  const stored = await watch.engine.taskRuns.list(flowRun?.run.id ?? '')
  const results = stored.filter(({ run }) => run.taskName === 'give').map(({ run }) => comparable(run.state))
  t.strictSame(
    results,
    cases.map(which => comparable(kept[which])),
  )
})

/** The result of a state, in a form in which own keys that are names of prototypes can be compared. */
function comparable(of: unknown): unknown {
  const value = isState(of) ? (of.type === 'COMPLETED' ? of.result : of) : of
  return typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')
    ? JSON.stringify(value)
    : value
}

story('cycles, and data 200 deep, are kept whole', async (t, watch) => {
  const { states } = await amongHonest(watch, ['cycle', '200 deep', 'an error that is returned'] as Result[], which =>
    give(which),
  )
  const cycle = states.get('cycle')
  t.equal(cycle?.type, 'COMPLETED')
  if (cycle?.type === 'COMPLETED') {
    const value = cycle.result as { self: unknown; list: unknown[] }
    t.equal(value.self, value)
    t.equal(value.list[0], value)
  }
  let value = (states.get('200 deep') as { result?: unknown } | undefined)?.result
  for (let level = 0; level < 200; level++) value = (value as { value: unknown }).value
  t.equal(value, 'bottom')
  const returned = states.get('an error that is returned') as { result?: { error?: unknown } } | undefined
  t.ok(returned?.result?.error instanceof RangeError)
})

story('a result that throws while it is looked at fails its task with what was thrown', async (t, watch) => {
  const cases: Result[] = ['thenable that throws', 'getter of then that throws', 'thenable that rejects']
  const { states, neighbours, started } = await amongHonest(watch, cases, which => give(which))
  for (const [which, state] of states) t.match(state, { type: 'FAILED', error: { message: 'then' } }, which)
  t.strictSame(neighbours, numbers(cases.length * 5 + 1))
  t.equal(started, 1)
})

story('a getter that reads differently each time settles its task one way or the other', async (t, watch) => {
  const { states, neighbours, started } = await amongHonest(watch, ['getter that differs'] as Result[], which =>
    give(which),
  )
  t.match(states.get('getter that differs')?.type, /COMPLETED|FAILED/)
  t.strictSame(neighbours, numbers(6))
  t.equal(started, 1)
})

story('what has names of prototypes changes no prototype, here or there', async (t, watch) => {
  const names = flow(
    'pollution',
    async () => {
      const back = await give('own __proto__')
      await honest.with({ name: 'there' })(back as never)
      return [await pollution(), Object.keys(Object.getPrototypeOf({}) as object), 'polluted' in {}]
    },
    { executor },
  )
  t.strictSame(await watch.engine.run(names), [[], [], false])
})

const thrown: Readonly<Record<Thrown, unknown>> = {
  undefined: undefined,
  null: null,
  text: 'only text',
  function: /function/i,
  symbol: /Symbol\(thrown\)/,
  'a number as stack': { message: 'odd stack' },
  'a list as stack': { message: 'odd stack' },
  'a function as stack': { message: 'odd stack' },
  'no stack': { message: 'odd stack' },
  'a stack that throws': { message: 'odd stack' },
  'a message that throws': {},
  'a message that is an object': {},
  'a name that is a symbol': { message: 'odd name' },
  'a field that is a function': { message: 'odd field', code: 'E_ODD', rows: [1] },
  'a field that throws': { message: 'odd field' },
  'a proxy': {},
  'a revoked proxy': {},
  'an error behind a proxy': {},
  'its own cause': { message: 'cycle' },
  'five causes': {
    message: 'link 5',
    cause: { message: 'link 4', cause: { cause: { cause: { cause: { message: 'root' } } } } },
  },
  'an aggregate': { message: 'many', errors: [{ name: 'TypeError', message: 'one' }, 'two', /=>|function/i] },
  'an instance': {},
  'a class of its own': { name: 'OrderError', message: 'no such order', order: { id: 7 } },
}

for (const task of [throwIt, throwLater]) {
  story(`whatever a task throws arrives, as text if nothing else is possible (${task.name})`, async (t, watch) => {
    const cases = Object.keys(thrown) as Thrown[]
    const { states, neighbours, started } = await amongHonest(watch, cases, which => task(which))
    for (const [which, state] of states) {
      t.equal(state.type, 'FAILED', which)
      if (state.type !== 'FAILED') continue
      const expected = thrown[which]
      if (typeof expected === 'object' && expected !== null && Object.keys(expected).length === 0)
        t.ok('error' in state)
      else t.match(state.error, expected, which)
      if (/stack/.test(which)) t.match(typeof (state.error as Error).stack, /string|undefined/, which)
    }
    t.strictSame(neighbours, numbers(cases.length * 5 + 1))
    t.equal(started, 1)
  })
}
