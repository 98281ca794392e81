/**
 * What it costs to have 50,000 tiny tasks carried out on two threads: by `piscina.run` for each, by the library's pool
 * alone, and by a flow that keeps every state.
 * `node --import tsx bench/tiny.ts`. ROUNDS and TASKS change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createEngine,
  flow,
  JsonStore,
  MemoryStore,
  ParallelExecutor,
  type Store,
  type Task,
  type TaskFuture,
  task,
} from 'mintaka'
import { type Body, increment, incrementLater } from './bodies.js'
import { onPiscina, onThreadPool, threads, warm } from './contenders.js'
import { atOnce } from './loads.js'
import { BarePool } from './pool.js'
import { type Contest, heading, interleave, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 50_000)
const numbers = Array.from({ length: tasks }, (_, index) => index)
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
const executor = new ParallelExecutor({ threads })

const stores: Record<string, { store: () => Store; atLeast?: number }> = {
  'states in memory': { store: () => new MemoryStore() },
  journal: { store: () => journal('process'), atLeast: 12 },
  'journal, grouped fsync': { store: () => journal('power'), atLeast: 10 },
}

console.log(heading('Tiny tasks', `${threads} threads, ${tasks} tasks at once`))
await contest('A synchronous function', increment, true)
await contest('An asynchronous function (no goals)', incrementLater, false)
rmSync(folder, { recursive: true, force: true })

async function contest(title: string, body: Body, hasGoals: boolean): Promise<void> {
  await using piscina = onPiscina(body)
  await using pool = onThreadPool(body)
  await using bare = new BarePool(threads)
  const against = piscina.name
  const goal = (atLeast: number | undefined) => (hasGoals && atLeast ? { atLeast } : undefined)
  const contests: Contest[] = [
    { name: against, measure: () => piscina.measure(atOnce(tasks)) },
    { name: 'ThreadPool', against, goal: goal(20), measure: () => withoutPromises(bare, body) },
    { name: 'ThreadPool, a promise each', against, goal: goal(20), measure: () => pool.measure(atOnce(tasks)) },
    ...Object.entries(stores).flatMap(([kind, { store, atLeast }]) => [
      { name: `flow, ${kind}, Promise.all`, against, goal: goal(atLeast), measure: () => flowOf(body, store(), all) },
      { name: `flow, ${kind}, task.map`, against, goal: goal(atLeast), measure: () => flowOf(body, store(), map) },
    ]),
  ]
  console.log(`\n### ${title}\n\n${table(await interleave(contests))}`)
}

type Increment = Task<[number], number>
type Shape = (increment: Increment) => Promise<number[]> | TaskFuture<number>[]

/** Dispatch alone, as flows use it: the pool tells of each end. */
async function withoutPromises(pool: BarePool, body: Body): Promise<number> {
  await warm(pool.runner(body))
  const start = performance.now()
  const values = await pool.callAll(body, numbers)
  const spent = performance.now() - start
  if (values.length !== tasks || values.at(-1) !== tasks) throw new Error('A wrong result.')
  return (spent / tasks) * 1000
}

/** The flow waits for each. */
function all(increment: Increment): Promise<number[]> {
  return Promise.all(numbers.map(value => increment(value)))
}

/** The engine waits for what the flow returns. */
function map(increment: Increment): TaskFuture<number>[] {
  return increment.map(numbers)
}

/** Microseconds per task, from the first call until the flow run has ended. Its threads have started, the store is open. */
async function flowOf({ url, exportName }: Body, store: Store, shape: Shape): Promise<number> {
  const engine = createEngine({ store })
  const increment = task.fromModule<[number], number>(url, exportName)
  let start = 0
  const measured = async () => {
    await warm(increment)
    start = performance.now()
    return await shape(increment)
  }
  const values = await engine.run(flow('tiny', measured, { executor }))
  const spent = performance.now() - start
  await engine.close()
  if (values.length !== tasks || values.at(-1) !== tasks) throw new Error('A wrong result.')
  return (spent / tasks) * 1000
}

function journal(durability: 'process' | 'power'): Store {
  rmSync(folder, { recursive: true, force: true })
  return new JsonStore({ folder, durability })
}
