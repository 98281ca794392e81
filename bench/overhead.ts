/**
 * What a task run costs over the bare queue or pool that carries it out, with every state kept.
 * `npm run bench` (or `node --expose-gc --import tsx bench/overhead.ts`). ROUNDS and TASKS change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ConcurrentExecutor,
  createEngine,
  type Executor,
  flow,
  JsonStore,
  MemoryStore,
  ParallelExecutor,
  type Store,
  task,
} from 'mintaka'
import PQueue from 'p-queue'
import { Piscina } from 'piscina'
import { interleave, table } from './rounds.js'

const rounds = Number(process.env['ROUNDS'] ?? 7)
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
      await Promise.all([increment(0), increment(1)]) // threads start with the first task of a flow run
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

async function poolOf(count: number): Promise<number> {
  const filename = new URL('./peers/increment.mjs', import.meta.url).href
  const pool = new Piscina({ filename, minThreads: 2, maxThreads: 2 })
  await Promise.all([pool.run(0), pool.run(1)])
  const start = performance.now()
  await Promise.all(Array.from({ length: count }, (_, index) => pool.run(index)))
  const spent = performance.now() - start
  await pool.destroy()
  return (spent / count) * 1000
}

const journal = () => new JsonStore({ folder: mkdtempSync(join(folder, 'store-')) })
const limited = 'p-queue, concurrency 100'
const unlimited = 'p-queue, no limit'
const pool = 'piscina.run, 2 threads'
const parallelTasks = Math.max(1000, Math.round(tasks / 5))

const results = [
  ...(await interleave(
    [
      { name: limited, measure: () => queueOf(tasks, new PQueue({ concurrency: 100 })) },
      {
        name: 'ConcurrentExecutor, concurrency 100, states in memory',
        against: limited,
        goal: 0.8,
        measure: () => flowOf(tasks, new MemoryStore(), new ConcurrentExecutor({ concurrency: 100 })),
      },
      {
        name: 'ConcurrentExecutor, concurrency 100, journal',
        against: limited,
        goal: 0.5,
        measure: () => flowOf(tasks, journal(), new ConcurrentExecutor({ concurrency: 100 })),
      },
      { name: unlimited, measure: () => queueOf(tasks, new PQueue()) },
      {
        name: 'ConcurrentExecutor, no limit, states in memory',
        against: unlimited,
        goal: 1,
        measure: () => flowOf(tasks, new MemoryStore(), new ConcurrentExecutor()),
      },
    ],
    rounds,
  )),
  ...(await interleave(
    [
      { name: pool, measure: () => poolOf(parallelTasks) },
      {
        name: 'ParallelExecutor, 2 threads, states in memory',
        against: pool,
        goal: 0.9,
        measure: () => flowOf(parallelTasks, new MemoryStore(), new ParallelExecutor({ threads: 2 })),
      },
      {
        name: 'ParallelExecutor, 2 threads, journal',
        against: pool,
        goal: 0.9,
        measure: () => flowOf(parallelTasks, journal(), new ParallelExecutor({ threads: 2 })),
      },
    ],
    rounds,
  )),
  ...(await interleave(
    [
      {
        name: 'ConcurrentExecutor, journal, 10,000 tasks',
        measure: () => flowOf(10_000, journal(), new ConcurrentExecutor()),
      },
      {
        name: 'ConcurrentExecutor, journal, 100,000 tasks',
        against: 'ConcurrentExecutor, journal, 10,000 tasks',
        goal: 0.83,
        measure: () => flowOf(100_000, journal(), new ConcurrentExecutor()),
      },
    ],
    rounds,
  )),
]

console.log(
  `Node ${process.version}, ${cpus().length} cores, ${rounds} rounds of ${tasks} tasks (${parallelTasks} on threads)\n`,
)
console.log(table(results))
rmSync(folder, { recursive: true, force: true })
