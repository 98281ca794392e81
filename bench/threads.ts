/**
 * What a call costs on threads, against `piscina.run` per call on as many threads: at the pool, with calls made by hand,
 * and through a flow that keeps every state in memory.
 * `node --expose-gc --import tsx bench/threads.ts`. ROUNDS and TASKS change its size.
 */
import { cpus } from 'node:os'
import { createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { Piscina } from 'piscina'
import { ThreadPool } from '../dist/lib/threads/pool.js'
import { type Contest, interleave, median, table } from './rounds.js'

const rounds = Number(process.env['ROUNDS'] ?? 5)
const tasks = Number(process.env['TASKS'] ?? 20_000)
const threads = 2
const url = new URL('./peers/work.mjs', import.meta.url)

type Run = (rounds: number) => PromiseLike<unknown>
type Load = (run: Run) => Promise<number>

const work = task.fromModule<[number], number>(url.href, 'work')

/** Microseconds per call of `count` calls at once. */
const atOnce =
  (count: number, roundsOf: (index: number) => number): Load =>
  async run => {
    const start = performance.now()
    await Promise.all(Array.from({ length: count }, (_, index) => run(roundsOf(index))))
    return ((performance.now() - start) / count) * 1000
  }

/** Microseconds per call, `lanes` calls at any time. */
const inFlight =
  (count: number, lanes: number): Load =>
  async run => {
    let left = count
    const lane = async () => {
      while (left-- > 0) await run(0)
    }
    const start = performance.now()
    await Promise.all(Array.from({ length: lanes }, lane))
    return ((performance.now() - start) / count) * 1000
  }

/** The median of single calls, in microseconds. */
const oneAtATime =
  (count: number): Load =>
  async run => {
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const start = performance.now()
      await run(0)
      times.push((performance.now() - start) * 1000)
    }
    return median(times)
  }

const tenMs = await roundsFor(10)
const loads: Record<string, Load> = {
  [`tiny × ${tasks} at once`]: atOnce(tasks, () => 0),
  'tiny, 64 in flight': inFlight(tasks, 64),
  'tiny, one at a time (p50)': oneAtATime(1000),
  '5 % of 10 ms, 95 % tiny': atOnce(1000, index => (index % 20 === 7 ? tenMs : 0)),
}

async function onPiscina(load: Load): Promise<number> {
  const pool = new Piscina({ filename: url.href, name: 'work', minThreads: threads, maxThreads: threads })
  try {
    await Promise.all([pool.run(0), pool.run(0)])
    return await load(rounds => pool.run(rounds))
  } finally {
    await pool.destroy()
  }
}

let count = 0
async function onThreadPool(load: Load): Promise<number> {
  await using pool = new ThreadPool({ threads, warn: () => {} })
  const code = { key: 'work', taskName: 'work', url: url.href, exportName: 'work' }
  const { signal } = new AbortController()
  const run = (rounds: number) => {
    const id = `flow-1:${++count}`
    const say = { whenStopped() {}, started() {}, log() {}, printed() {}, progress() {} }
    const call = { id, name: `work-${count}`, attempt: 1, flowRunId: 'flow-1', tags: [], signal, ...say }
    return pool.run({ call, code, priority: 0, encodeArgs: () => [rounds] })
  }
  await Promise.all([run(0), run(0)])
  return await load(run)
}

async function inFlow(load: Load): Promise<number> {
  const engine = createEngine({ store: new MemoryStore() })
  const executor = new ParallelExecutor({ threads })
  const many = flow(
    'many',
    async () => {
      await Promise.all([work(0), work(0)])
      return await load(rounds => work(rounds))
    },
    { executor },
  )
  const time = await engine.run(many)
  await engine.close()
  return time
}

/** How many rounds of hashing take that long here. */
async function roundsFor(ms: number): Promise<number> {
  const { work } = (await import(url.href)) as { work(rounds: number): unknown }
  work(200)
  const start = performance.now()
  work(2000)
  return Math.round((2000 * ms) / (performance.now() - start))
}

const contests: Contest[] = Object.entries(loads).flatMap(([name, load]) => [
  { name: `${name}: piscina.run`, measure: () => onPiscina(load) },
  { name: `${name}: ThreadPool`, against: `${name}: piscina.run`, measure: () => onThreadPool(load) },
  { name: `${name}: flow`, against: `${name}: piscina.run`, goal: 0.9, measure: () => inFlow(load) },
])
console.log(`Node ${process.version}, ${cpus().length} cores, ${threads} threads, ${rounds} rounds\n`)
console.log(table(await interleave(contests, rounds)))
