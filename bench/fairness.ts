/**
 * What a call suffers from its neighbours in the queue: two functions in turn against one function, and how long a tiny
 * result that is there waits behind a long neighbour.
 * `node --import tsx bench/fairness.ts`. ROUNDS and TASKS change its size.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { type Body, calibrate, decrement, increment, workUntil } from './bodies.js'
import { inFlow, onThreadPool, type Run, threads, warm } from './contenders.js'
import { atOnce } from './loads.js'
import { BarePool } from './pool.js'
import { brief, heading, interleave, median, quantile, rounds, spread, table, verdictOf } from './rounds.js'

const control = 'bare workers'
const tasks = Number(process.env['TASKS'] ?? 20_000)

console.log(heading('Neighbours in the queue', `${threads} threads, ${tasks} tiny tasks at once`))
await alternating()
await waiting()

async function alternating(): Promise<void> {
  await using pool = new BarePool(threads)
  const executor = new ParallelExecutor({ threads })
  const onPool = (bodies: readonly Body[]) => turns(bodies.map(body => pool.runner(body)))
  const flowOf = async (bodies: readonly Body[]) => {
    await using engine = createEngine({ store: new MemoryStore() })
    const runs = bodies.map(({ url, exportName }) => task.fromModule<[number], unknown>(url, exportName))
    return await engine.run(flow('turns', () => turns(runs), { executor }))
  }
  const results = await interleave(
    Object.entries({ ThreadPool: onPool, flow: flowOf }).flatMap(([name, measure]) => [
      { name: `${name}, one function`, measure: () => measure([increment]) },
      {
        name: `${name}, two in turn`,
        against: `${name}, one function`,
        goal: { atLeast: 0.5 },
        measure: () => measure([increment, decrement]),
      },
    ]),
  )
  console.log(`\n### Two functions in turn\n\n${table(results)}`)
}

/** Microseconds per call; each call is of the next function. */
async function turns(runs: readonly Run[]): Promise<number> {
  for (const run of runs) await warm(run)
  return await atOnce(tasks)(index => (runs[index % runs.length] as Run)(index))
}

async function waiting(): Promise<void> {
  await using pool = onThreadPool(workUntil)
  await using inMemory = inFlow(workUntil)
  const long = (await calibrate())(200)
  const waits = new Map<string, number[][]>()
  const bare = [0, 1].map(() => new Worker(new URL('./peers/until.mjs', import.meta.url), { execArgv: [] }))
  const measured = (name: string, waitsNow: () => Promise<number[]>) => async () => {
    await waitsNow()
    const ofRound = await waitsNow()
    waits.set(name, [...(waits.get(name) ?? []), ofRound])
    return quantile(ofRound, 0.99)
  }
  const results = await interleave(
    [
      { name: control, measure: measured(control, () => waitsBeside(bare, long)) },
      ...[pool, inMemory].map(({ name, measure }) => ({
        name,
        measure: () => measure(run => measured(name, () => waitsBehind(run, long))()),
      })),
    ],
    { isCold: true },
  )
  await Promise.all(bare.map(worker => worker.terminate()))
  const rows = results.map(({ name, times }) => {
    const all = waits.get(name)?.slice(-rounds).flat() ?? []
    const figures = [spread(times), brief(quantile(all, 0.5)), brief(quantile(all, 0.99)), brief(Math.max(...all))]
    const goal = name === control ? ' | ' : `p99 ≤ 1 ms | ${verdictOf(median(times), { atMost: 1 })}`
    return `| ${name} | ${figures.join(' | ')} | ${goal} |`
  })
  console.log(`\n### A result that is there waits for a long neighbour\n
300 tiny tasks, one of 200 ms, 100 tiny tasks, all of one function and called at once. A wait is the time from the end of
the function in its thread, or from the last call if that was later, to the result: of the 300 before the long one. Bare workers show what is the machine's: one posts 300 results as they come, one
is long, and the main thread does nothing else.\n
| | ms, p99 of a round: median (least to most) | p50 of all | p99 of all | longest | goal | |
|---|---|---|---|---|---|---|
${rows.join('\n')}`)
}

/** How long those waited that are before the long one, in milliseconds. */
async function waitsBehind(run: Run, long: number): Promise<number[]> {
  const calls = Array.from({ length: 401 }, async (_, index) => {
    const ended = (await run(index === 300 ? long : 1)) as number
    return { ended, arrived: now() }
  })
  const called = now()
  const results = await Promise.all(calls)
  return results.slice(0, 300).map(({ ended, arrived }) => arrived - Math.max(ended, called))
}

/** The same without a pool: one worker has the tiny ones, the other the long one. */
async function waitsBeside([first, second]: readonly Worker[], long: number): Promise<number[]> {
  if (!first || !second) return []
  const waits: number[] = []
  const longEnds = once(second, 'message')
  let called = Number.POSITIVE_INFINITY
  const all = new Promise<void>(resolve => {
    first.on('message', (ended: number) => {
      waits.push(now() - Math.max(ended, called))
      if (waits.length === 300) resolve()
    })
  })
  second.postMessage([long])
  first.postMessage(new Array(300).fill(1))
  called = now()
  await Promise.all([all, longEnds])
  first.removeAllListeners('message')
  return waits
}

/** The machine's clock, the same in all threads. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
