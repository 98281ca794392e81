/**
 * What one call takes, what 64 at a time take, and how soon a cold pool gives its first result.
 * `node --import tsx bench/latency.ts`. ROUNDS and TASKS change its size.
 */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { increment } from './bodies.js'
import { type Contender, inFlow, type Load, onPiscina, onThreadPool, threads } from './contenders.js'
import { inFlight, oneAtATime } from './loads.js'
import { BarePool } from './pool.js'
import { type Contest, type Goal, heading, interleave, median, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 20_000)

console.log(heading('Latency', `${threads} threads`))
{
  await using piscina = onPiscina(increment)
  await using pool = onThreadPool(increment)
  await using inMemory = inFlow(increment)
  const warmPools = (load: Load, goal: Goal) => contestsOf([piscina, pool, inMemory], load, goal)
  const single = await interleave(warmPools(oneAtATime(2000), { atMost: 1.2 }))
  console.log(`\n### One at a time\n\n${table(single, 'µs, p50')}`)
  const many = await interleave(warmPools(inFlight(tasks, 64), { atLeast: 4 }))
  console.log(`\n### 64 in flight\n\n${table(many)}`)
}

const bare = 'new Worker, first message'
const cold = await interleave(
  [
    { name: bare, measure: () => medianOf(5, bareWorker) },
    { name: 'ThreadPool', against: bare, goal: { atMost: 1.3 }, measure: () => medianOf(5, coldPool) },
    { name: 'flow', against: bare, goal: { atMost: 1.3 }, measure: () => medianOf(5, coldFlow) },
  ],
  { isCold: true },
)
console.log(`\n### First result of a cold pool\n\n${table(cold, 'ms')}`)

function contestsOf([peer, ...ours]: readonly [Contender, ...Contender[]], load: Load, goal: Goal): Contest[] {
  return [
    { name: peer.name, measure: () => peer.measure(load) },
    ...ours.map(one => ({ name: one.name, against: peer.name, goal, measure: () => one.measure(load) })),
  ]
}

/** A module that does nothing but post. */
async function bareWorker(): Promise<number> {
  const start = performance.now()
  const worker = new Worker(new URL('./peers/first.mjs', import.meta.url), { execArgv: [] })
  await once(worker, 'message')
  const spent = performance.now() - start
  await worker.terminate()
  return spent
}

async function coldPool(): Promise<number> {
  const start = performance.now()
  await using pool = new BarePool(threads)
  await pool.runner(increment)(1)
  return performance.now() - start
}

/** From the call of a flow on an executor of its own; the engine and its store are open. */
async function coldFlow(): Promise<number> {
  await using engine = createEngine({ store: new MemoryStore() })
  await engine.run(flow('open the store', () => 0))
  const add = task.fromModule<[number], number>(increment.url, increment.exportName)
  const body = async () => {
    await add(1)
    return performance.now()
  }
  const first = flow('first', body, { executor: new ParallelExecutor({ threads, idleTimeoutMs: 20 }) })
  const start = performance.now()
  const end = await engine.run(first)
  await setTimeout(100) // its threads end before the next is timed
  return end - start
}

async function medianOf(count: number, measure: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let index = 0; index < count; index++) times.push(await measure())
  return median(times)
}
