import { dirname, join } from 'node:path'
import { flow, ParallelExecutor as Parallel, tags, task } from 'mintaka'
import { t as tap, test } from 'tap'
import { ParallelExecutor } from '../../dist/lib/executors/parallel.js'
import type { Outcome } from '../../lib/core/executor.js'
import { engineFor, history } from '../engine/fixtures/engine.js'
import { callOf, type HandmadeCall, taskOf } from '../threads/fixtures/calls.js'
import { type OpenSession, open, sessionOf } from './fixtures/session.js'
import { mostAtOnce, tasksIn, toldIn } from './fixtures/tasks.js'

tap.setTimeout(120_000)
const tasks = tasksIn(tap)
let files = 0
const newFile = () => join(dirname(tasks), `told-${++files}`)

interface Telling {
  readonly file: string
  readonly name: string
  readonly takes?: Record<string, number>
  readonly tags?: readonly string[]
  readonly priority?: number
  readonly ms?: number
  readonly ending?: 'waits' | 'exits' | 'throws'
}

function telling({ file, name, takes, tags = [], priority, ms = 5, ending }: Telling): HandmadeCall {
  return callOf(taskOf(tasks, 'tells'), [file, name, ms, ending], { tags, annotations: { resources: takes, priority } })
}

/** A call that can only go when everything of that resource is free. */
async function isFree(session: OpenSession, takes: Record<string, number>, tags: readonly string[] = []) {
  const outcome = await session.submit(telling({ file: newFile(), name: 'free', takes, tags }))
  return outcome.type === 'returned'
}

test('tasks that take a resource run when it is free, and others beside them', async t => {
  await using session = await open({ threads: 3, resources: { GPU: 1 } })
  const file = newFile()
  const first = telling({ file, name: 'first', takes: { GPU: 1 }, ending: 'waits' })
  const ended = session.submit(first)
  await first.begun
  const gpus = [...'abcdef'].map(name => session.submit(telling({ file, name, takes: { GPU: 1 } })))
  const others = [...'uvwxyz'].map(name => session.submit(telling({ file: newFile(), name })))
  await Promise.all(others)
  t.strictSame(toldIn(file), ['+first'], 'the others have passed')
  first.controller.abort()
  await Promise.all([ended, ...gpus])
  t.equal(mostAtOnce(toldIn(file)), 1)
  t.equal(toldIn(file).length, 14)
})

test('amounts may be fractions, of several resources at once', async t => {
  await using session = await open({ threads: 4, resources: { GPU: 1, memory: 8e9 } })
  const file = newFile()
  const tell = (name: string, ending?: 'waits') =>
    telling({ file, name, takes: { GPU: 0.5, memory: 2e9 }, ...(ending && { ending }) })
  const pair = [tell('a', 'waits'), tell('b', 'waits')]
  const all = [...pair, ...[...'cdefgh'].map(name => tell(name))].map(call => session.submit(call))
  await Promise.all(pair.map(({ begun }) => begun))
  t.match(await session.submit(callOf(taskOf(tasks, 'double'), [1])), { value: 2 })
  t.strictSame(toldIn(file).sort(), ['+a', '+b'], 'two at once, and no third')
  for (const { controller } of pair) controller.abort()
  await Promise.all(all)
  t.equal(mostAtOnce(toldIn(file)), 2)
})

test('a limit by tag holds for all flow runs of a definition together', async t => {
  await using executor = new ParallelExecutor({ threads: 4, limits: { db: 2 } })
  await using one = await sessionOf(executor)
  await using other = await sessionOf(executor)
  const file = newFile()
  const tell = (name: string, ending?: 'waits') =>
    telling({ file, name, tags: ['db', 'more'], ...(ending && { ending }) })
  const pair = [tell('a', 'waits'), tell('b', 'waits')]
  const calls = [...pair, ...[...'cdefghijkl'].map(name => tell(name))]
  const all = calls.map((call, index) => (index % 2 ? one : other).submit(call))
  await Promise.all(pair.map(({ begun }) => begun))
  t.match(await one.submit(callOf(taskOf(tasks, 'double'), [1])), { value: 2 })
  t.strictSame(toldIn(file).sort(), ['+a', '+b'], 'one of each flow run, and no third')
  for (const { controller } of pair) controller.abort()
  await Promise.all(all)
  t.equal(mostAtOnce(toldIn(file)), 2)
})

test('the most urgent goes first, and equals in call order', async t => {
  await using session = await open({ threads: 2, limits: { db: 1 } })
  const file = newFile()
  const tell = (name: string, priority: number) =>
    session.submit(telling({ file, name, priority, tags: ['db'], ms: 0 }))
  const running = callOf(taskOf(tasks, 'waits'), [], { tags: ['db'] })
  const ended = session.submit(running)
  await running.begun
  const all = [tell('low', -1), tell('a', 0), tell('b', 0), tell('high', 10), tell('higher', 10.5), tell('c', 0)]
  running.controller.abort()
  await Promise.all([ended, ...all])
  t.strictSame(
    toldIn(file).filter(each => each.startsWith('+')),
    ['+higher', '+high', '+a', '+b', '+c', '+low'],
  )
})

test('one that wants everything has its turn beside a stream of those that want little', async t => {
  await using session = await open({ threads: 2, resources: { GPU: 2 } })
  const file = newFile()
  let isDone = false
  let count = 0
  const stream = async () => {
    while (!isDone && count < 500)
      await session.submit(telling({ file, name: `s${++count}`, takes: { GPU: 1 }, ms: 1 }))
  }
  const streams = [stream(), stream()]
  const large = session.submit(telling({ file, name: 'large', takes: { GPU: 2 } }))
  t.match(await large, { type: 'returned' })
  isDone = true
  t.ok(count < 500, `after ${count}`)
  await Promise.all(streams)
})

const ends: [string, (session: OpenSession, file: string) => Promise<Outcome>][] = [
  ['it throws', (session, file) => session.submit(taking({ file, name: 'a', ending: 'throws' }))],
  ['its thread exits', (session, file) => session.submit(taking({ file, name: 'a', ending: 'exits' }))],
  ['it is stopped while it runs', (session, file) => stopped(session, taking({ file, name: 'a', ending: 'waits' }))],
  ['it is ended with its thread', session => stopped(session, callOf(taskOf(tasks, 'spins'), [], everything))],
  ['it cannot be sent', session => session.submit(callOf(taskOf(tasks, 'double'), [() => 1], everything))],
  ['there is no such function', session => session.submit(callOf(taskOf(tasks, 'nothing'), [], everything))],
]
const everything = { tags: ['db'], annotations: { resources: { GPU: 1 } } }
const taking = (telling_: Telling) => telling({ ...telling_, takes: { GPU: 1 }, tags: ['db'] })

async function stopped(session: OpenSession, call: HandmadeCall): Promise<Outcome> {
  const outcome = session.submit(call)
  await call.begun
  call.controller.abort()
  return outcome
}

for (const [how, end] of ends) {
  test(`what a call took is free again when ${how}`, async t => {
    await using session = await open({ threads: 2, resources: { GPU: 1 }, limits: { db: 1 }, cancelGraceMs: 20 })
    t.not((await end(session, newFile())).type, 'returned')
    t.ok(await isFree(session, { GPU: 1 }, ['db']))
  })
}

test('a call that is stopped while it waits for a resource ends at once, and never runs', async t => {
  await using session = await open({ threads: 2, resources: { GPU: 1 } })
  const file = newFile()
  const running = telling({ file, name: 'a', takes: { GPU: 1 }, ending: 'waits' })
  const ended = session.submit(running)
  await running.begun
  const waiting = telling({ file, name: 'b', takes: { GPU: 1 } })
  const outcome = session.submit(waiting)
  t.match(await session.submit(callOf(taskOf(tasks, 'double'), [1])), { value: 2 }, 'b has had its chance')
  waiting.controller.abort()
  t.strictSame(await outcome, { type: 'stopped' })
  running.controller.abort()
  await ended
  t.ok(await isFree(session, { GPU: 1 }))
  t.strictSame(toldIn(file), ['+a', '-a'])
})

test('the calls of a flow run that wait for a resource end with it', async t => {
  await using executor = new ParallelExecutor({ threads: 2, resources: { GPU: 1 } })
  await using other = await sessionOf(executor)
  const session = await sessionOf(executor)
  const file = newFile()
  const running = telling({ file, name: 'a', takes: { GPU: 1 }, ending: 'waits' })
  const ended = session.submit(running)
  await running.begun
  const waiting = session.submit(telling({ file, name: 'b', takes: { GPU: 1 } }))
  const others = other.submit(telling({ file, name: 'c', takes: { GPU: 1 } }))
  await session[Symbol.asyncDispose]()
  t.strictSame(await Promise.all([ended, waiting]), [{ type: 'stopped' }, { type: 'stopped' }])
  t.match(await others, { type: 'returned', value: 'c' })
})

test('a task that takes what there will never be fails at once, and is not tried again', async t => {
  const engine = engineFor(t)
  const train = task('train', () => 1, { retries: 3, annotations: { resources: { GPU: 1 } } })
  for (const [options, message] of [
    [{ threads: 1 }, /^Task 'train' takes 1 GPU, and its ParallelExecutor offers no resources: .*\{ GPU: 1 \} \}\)/],
    [
      { threads: 1, resources: { GPU: 0.5, disk: 2 } },
      /takes 1 GPU, and its ParallelExecutor offers 0\.5 GPU, 2 disk:/,
    ],
  ] as const) {
    const run = engine.run(flow('f', () => train(), { executor: new Parallel(options) }))
    await t.rejects(run, { code: 'RESOURCES_UNAVAILABLE', task: 'train', resource: 'GPU', amount: 1, message })
    const [taskRun] = await engine.taskRuns.list(run.id)
    t.strictSame(await history(engine, taskRun?.run.id ?? ''), ['Pending', 'Running', 'Failed'])
  }
})

test('a flow says what its tasks take, and takes nothing for those that take nothing', async t => {
  const engine = engineFor(t)
  const one = task('one', () => 1)
  const executor = new Parallel({ threads: 1, resources: { GPU: 1 }, limits: { db: 1 } })
  t.teardown(() => executor.close())
  const run = engine.run(
    flow(
      'f',
      () => [
        one.with({ annotations: { resources: { GPU: 0, tape: 0 } } })(),
        one.with({ annotations: { resources: { GPU: 1 } } })(),
        ...tags(['db'], () => [one(), one(), one.with({ tags: ['db'] })()]),
      ],
      { executor },
    ),
  )
  t.strictSame(await run, [1, 1, 1, 1, 1])
})

test('whatever ends whenever: never more than there is at once, each ends once, nothing stays taken', async t => {
  let state = 7
  const random = () => {
    state = (state * 48271) % 0x7fffffff
    return state / 0x7fffffff
  }
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  await using session = await open({ threads: 3, resources: { GPU: 1 }, limits: { db: 1 }, cancelGraceMs: 5 })
  const [gpu, db] = [newFile(), newFile()]
  const outcomes: Promise<Outcome>[] = []
  for (let index = 0; index < 150; index++) {
    const ending = pick(['waits', 'exits', 'throws', undefined, undefined, undefined, undefined] as const)
    const asking = { name: `${index}`, ms: pick([0, 1, 8]), priority: pick([0, 1]), ...(ending && { ending }) }
    const call = pick([
      telling({ ...asking, file: gpu, takes: { GPU: 1 } }),
      telling({ ...asking, file: db, tags: ['db'] }),
      callOf(taskOf(tasks, pick(['double', 'spins'])), [1], pick([everything, { tags: ['db'] }])),
    ])
    outcomes.push(session.submit(call))
    if (ending === 'waits' || call.task.name === 'spins' || random() < 0.1) {
      const stop = () => call.controller.abort()
      if (random() < 0.3) stop()
      else void call.begun.then(() => setTimeout(stop, pick([0, 1, 5])))
    }
  }
  const ended = await Promise.all(outcomes)
  t.strictSame([...new Set(ended.map(({ type }) => type))].sort(), ['crashed', 'returned', 'stopped', 'threw'])
  // Those that exit do not say that they have ended.
  for (const file of [gpu, db]) t.ok(overlaps(toldIn(file)) === 0, toldIn(file).join(' '))
  t.ok(await isFree(session, { GPU: 1 }, ['db']))
})

/** How often one began before the one before it had ended; one that never says so ended when the next began. */
function overlaps(told: readonly string[]): number {
  const ended = new Set<string>()
  const begun = new Set<string>()
  let count = 0
  for (const each of told) {
    const name = each.slice(1)
    if (each.startsWith('-')) ended.add(name)
    else begun.add(name)
    const last = [...begun].at(-1)
    if (each.startsWith('-') && name !== last) count += 1
  }
  return count
}
