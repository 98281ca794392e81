/**
 * What a task run in this process costs over the bare queue that carries it out, with every state kept.
 * `node --import tsx bench/overhead.ts`. ROUNDS and TASKS change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ConcurrentExecutor,
  createEngine,
  type Executor,
  flow,
  JsonStore,
  MemoryStore,
  type Store,
  task,
} from 'mintaka'
import PQueue from 'p-queue'
import { heading, interleave, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 50_000)
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))

const body = async (value: number) => value + 1
const increment = task('increment', async (value: number) => value + 1)

/** A flow of `count` tasks on an engine of its own; the time of the flow run alone. */
async function flowOf(count: number, store: Store, executor: Executor): Promise<number> {
  const engine = createEngine({ store })
  let start = 0
  const many = flow(
    'many',
    async () => {
      start = performance.now()
      const futures = new Array<PromiseLike<number>>(count)
      for (let index = 0; index < count; index++) futures[index] = increment(index)
      return (await Promise.all(futures)).length
    },
    { executor },
  )
  await engine.run(flow('open the store', () => 0))
  await engine.run(many)
  const spent = performance.now() - start
  await engine.close()
  return (spent / count) * 1000
}

async function queueOf(count: number, queue: PQueue): Promise<number> {
  const start = performance.now()
  const added = new Array<Promise<number>>(count)
  for (let index = 0; index < count; index++) added[index] = queue.add(() => body(index))
  await Promise.all(added)
  return ((performance.now() - start) / count) * 1000
}

const journal = () => new JsonStore({ folder: mkdtempSync(join(folder, 'store-')) })
const limited = 'p-queue, concurrency 100'
const unlimited = 'p-queue, no limit'

const results = [
  ...(await interleave([
    { name: limited, measure: () => queueOf(tasks, new PQueue({ concurrency: 100 })) },
    {
      name: 'ConcurrentExecutor, concurrency 100, states in memory',
      against: limited,
      goal: { atLeast: 0.8 },
      measure: () => flowOf(tasks, new MemoryStore(), new ConcurrentExecutor({ concurrency: 100 })),
    },
    {
      name: 'ConcurrentExecutor, concurrency 100, journal',
      against: limited,
      goal: { atLeast: 0.5 },
      measure: () => flowOf(tasks, journal(), new ConcurrentExecutor({ concurrency: 100 })),
    },
    { name: unlimited, measure: () => queueOf(tasks, new PQueue()) },
    {
      name: 'ConcurrentExecutor, no limit, states in memory',
      against: unlimited,
      goal: { atLeast: 1 },
      measure: () => flowOf(tasks, new MemoryStore(), new ConcurrentExecutor()),
    },
  ])),
  ...(await interleave([
    {
      name: 'ConcurrentExecutor, journal, 10,000 tasks',
      measure: () => flowOf(10_000, journal(), new ConcurrentExecutor()),
    },
    {
      name: 'ConcurrentExecutor, journal, 100,000 tasks',
      against: 'ConcurrentExecutor, journal, 10,000 tasks',
      goal: { atLeast: 0.83 },
      measure: () => flowOf(100_000, journal(), new ConcurrentExecutor()),
    },
  ])),
]

console.log(heading('Task runs in this process', `${tasks} tasks at once`))
console.log(`\n${table(results)}`)
rmSync(folder, { recursive: true, force: true })
