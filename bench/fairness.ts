/**
 * What a call suffers from its neighbours in the queue: two functions in turn against one function, and how long a tiny
 * result that is there waits behind a long neighbour.
 * `node --import tsx bench/fairness.ts`. ROUNDS and TASKS change its size.
 */
import { createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { type Body, calibrate, decrement, increment, workUntil } from './bodies.js'
import { inFlow, onThreadPool, type Run, threads, warm } from './contenders.js'
import { atOnce } from './loads.js'
import { BarePool } from './pool.js'
import { brief, heading, interleave, median, quantile, rounds, spread, table, verdictOf } from './rounds.js'

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
  const results = await interleave(
    [pool, inMemory].map(({ name, measure }) => {
      const ofRounds: number[][] = []
      waits.set(name, ofRounds)
      const load = async (run: Run) => {
        await waitsBehind(run, long)
        const ofRound = await waitsBehind(run, long)
        ofRounds.push(ofRound)
        return quantile(ofRound, 0.99)
      }
      return { name, measure: () => measure(load) }
    }),
    { isCold: true },
  )
  const rows = results.map(({ name, times }) => {
    const all = waits.get(name)?.slice(-rounds).flat() ?? []
    const figures = [spread(times), brief(quantile(all, 0.5)), brief(quantile(all, 0.99)), brief(Math.max(...all))]
    return `| ${name} | ${figures.join(' | ')} | p99 ≤ 1 ms | ${verdictOf(median(times), { atMost: 1 })} |`
  })
  console.log(`\n### A result that is there waits for a long neighbour\n
300 tiny tasks, one of 200 ms, 100 tiny tasks, all of one function and called at once. A wait is the time from the end of
the function in its thread, or from the last call if that was later, to the result: of the 300 before the long one.\n
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

/** The machine's clock, the same in all threads. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
