/**
 * How late a deadline is kept: from `timeoutMs + cancelGraceMs` after the start of code that never ends to the state that
 * says that it has been stopped, among a thousand tasks most of which are honest. And how the event loop of this process
 * fares while every thread spins, against bare workers that do.
 * `node --import tsx bench/deadlines.ts`. ROUNDS and TASKS change its size.
 */
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { createEngine, type Engine, flow, MemoryStore, ParallelExecutor, type TaskFuture, task } from 'mintaka'
import { threads } from './contenders.js'
import { heading, interleave, quantile, rounds, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 1000)
const goalMs = 100
const timeoutMs = 50
const cancelGraceMs = 50

const spins = task('spins', () => {
  for (;;);
})
const sleeps = task('sleeps', () => new Promise(resolve => setTimeout(resolve, 1e6)))
const blocks = task('blocks', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
const searches = task('searches', () => /^(a|a)*$/.test(`${'a'.repeat(60)}b`))
const honest = task('honest', (value: number, ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
  return value
})
const endless = [spins, sleeps, blocks, searches].map(one => one.with({ timeoutMs }))
const executor = new ParallelExecutor({ threads, cancelGraceMs })
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Milliseconds that each endless task of a thousand went on beyond what it had. */
async function overtimes(engine: Engine): Promise<number[]> {
  const guilty: TaskFuture<unknown>[] = []
  const mixed = flow(
    'mixed',
    async () => {
      const neighbours: TaskFuture<number>[] = []
      for (let index = 0; index < tasks; index++) {
        const one = index % 25 === 12 ? endless[guilty.length % endless.length] : undefined
        if (one) guilty.push((one as typeof spins)())
        else neighbours.push(honest(index, index % 2))
      }
      await Promise.all(guilty.map(future => future.wait()))
      const values = await Promise.all(neighbours)
      if (values.some((value, index) => value < index)) throw new Error('A neighbour has another value.')
      return 'over'
    },
    { executor },
  )
  const run = engine.run(mixed)
  await run
  const ids = new Set(guilty.map(({ id }) => id))
  const stored = (await engine.taskRuns.list(run.id)).filter(({ run }) => ids.has(run.id))
  return stored.map(({ run: { startTime = 0, endTime = 0, state } }) => {
    if (state.name !== 'TimedOut') throw new Error(`An endless task is ${state.name}.`)
    return endTime - startTime - timeoutMs - cancelGraceMs
  })
}

/** What the same takes with bare workers: a timer, then `terminate()`, as many at a time as there are threads. */
async function bareOvertimes(count: number): Promise<number[]> {
  const found: number[] = []
  const lane = async () => {
    while (found.length < count) {
      const worker = new Worker('for (;;);', { eval: true, execArgv: [] })
      await once(worker, 'online')
      const start = performance.now()
      await delay(timeoutMs + cancelGraceMs)
      await worker.terminate()
      found.push(performance.now() - start - timeoutMs - cancelGraceMs)
    }
  }
  await Promise.all(Array.from({ length: threads }, lane))
  return found
}

/** The 99th percentile of the lag of the event loop, in milliseconds. */
async function lag(ms = 1000): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await delay(ms)
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

async function lagBesideBareWorkers(): Promise<number> {
  const workers = Array.from({ length: threads }, () => new Worker('for (;;);', { eval: true, execArgv: [] }))
  await Promise.all(workers.map(worker => once(worker, 'online')))
  const ms = await lag()
  await Promise.all(workers.map(worker => worker.terminate()))
  return ms
}

async function lagWhileTasksSpin(engine: Engine): Promise<number> {
  const spinning = engine.run(flow('spinning', () => Array.from({ length: threads }, () => spins()), { executor }))
  await delay(500)
  const ms = await lag()
  await spinning.cancel()
  return ms
}

console.log(heading('Deadlines', `${threads} threads, ${timeoutMs} ms and ${cancelGraceMs} ms of grace`))
await using engine = createEngine({ store: new MemoryStore(), logger: silent })
const late: number[] = []
const bareLate: number[] = []
for (let round = -1; round < rounds; round++) {
  const found = await overtimes(engine)
  const bareFound = await bareOvertimes(found.length)
  if (round < 0) continue
  late.push(...found)
  bareLate.push(...bareFound)
}
const verdict = quantile(late, 0.99) <= goalMs ? 'yes' : 'no'
console.log(`
### Overtime

| | p50 | p99 | at most | p99 ≤ ${goalMs} ms |
|---|---|---|---|---|
| ${late.length} endless tasks | ${msOf(late)} | ${verdict} |
| ${bareLate.length} bare workers, by a timer and terminate() | ${msOf(bareLate)} | |`)

const bare = 'bare workers that spin'
const lags = await interleave(
  [
    { name: bare, measure: lagBesideBareWorkers },
    { name: 'tasks that spin', against: bare, measure: () => lagWhileTasksSpin(engine), ratio: 'as long' },
  ],
  { isCold: true },
)
console.log(`\n### Lag of the event loop beside\n\n${table(lags, 'ms, p99')}`)

function msOf(times: readonly number[]): string {
  return [0.5, 0.99, 1].map(part => `${quantile(times, part).toFixed(0)} ms`).join(' | ')
}
