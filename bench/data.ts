/**
 * What large values cost: one that is moved there and back, one that many calls read, and one that goes through five
 * tasks, with the memory that takes. `node --expose-gc --import tsx bench/data.ts`. ROUNDS changes its size.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createEngine, flow, MemoryStore, ParallelExecutor, task, transfer, unmapped } from 'mintaka'
import { Piscina } from 'piscina'
import type { Measured } from './pipeline.js'
import { brief, heading, interleave, median, ratiosOf, rounds, spread, table, verdictOf } from './rounds.js'

const threads = 2
const peers = fileURLToPath(new URL('./peers/data.mjs', import.meta.url))
const executor = new ParallelExecutor({ threads })
const repeats = 10
const floats = 1_310_720 // 10 MB
const calls = 200

const same = task('same', (xs: Float64Array) => xs, { persistResult: false })
const given = task('given', (xs: Float64Array) => transfer(xs), { persistResult: false })
const lookUp = task('look up', (rows: readonly Row[], key: number) => rows[key]?.value)

interface Row {
  readonly key: number
  readonly text: string
  readonly value: number
}

const rows: readonly Row[] = Array.from({ length: 5000 }, (_, key) => ({
  key,
  text: `row number ${key}`,
  value: key * 2,
}))
const keys = Array.from({ length: calls }, (_, index) => index)

console.log(heading('Large values', `${threads} threads`))

const piscina = new Piscina({ filename: peers, minThreads: threads, maxThreads: threads })
const there = 'piscina.run: cloned'
const moves = await interleave(
  [
    { name: there, measure: () => thereAndBack(xs => piscina.run(xs, { name: 'same' })) },
    {
      name: 'flow: transfer both ways',
      against: there,
      goal: { atMost: 0.15 },
      measure: () => inFlow(() => thereAndBack(xs => given(transfer(xs)))),
    },
    {
      name: 'flow: as it is',
      against: there,
      ratio: 'as long',
      measure: () => inFlow(() => thereAndBack(xs => same(xs))),
    },
  ],
  { isCold: true },
)
console.log(`\n### A Float64Array of 10 MB there and back\n\n${table(moves, 'ms')}`)

const each = 'piscina.run: cloned for each'
const shared = await interleave(
  [
    { name: each, measure: () => msPerCall(() => keys.map(key => piscina.run({ rows, key }, { name: 'lookUp' }))) },
    {
      name: 'flow: unmapped(rows)',
      against: each,
      measure: () => inFlow(() => msPerCall(() => lookUp.map(unmapped(rows), keys))),
    },
  ],
  { isCold: true },
)
await piscina.close()
console.log(`\n### ${calls} calls that read one table of ${rows.length} rows\n\n${table(shared, 'ms per call')}`)

const measured = { piscina: [] as Measured[], flow: [] as Measured[] }
for (let round = 0; round < rounds; round++) {
  for (const way of ['piscina', 'flow'] as const) measured[way].push(pipeline(way))
}
console.log(`\n### 256 MB through five tasks, each in a process of its own\n\n${pipelineTable()}`)

async function inFlow(measure: () => Promise<number>): Promise<number> {
  await using engine = createEngine({ store: new MemoryStore() })
  const body = async () => {
    await Promise.all([same(new Float64Array(1)), given(new Float64Array(1)), lookUp(rows, 0), lookUp(rows, 1)])
    return await measure()
  }
  return await engine.run(flow('measure', body, { executor }))
}

/** Milliseconds for each time. */
async function thereAndBack(go: (xs: Float64Array) => PromiseLike<Float64Array>): Promise<number> {
  let xs: Float64Array = new Float64Array(floats).fill(1)
  const start = performance.now()
  for (let index = 0; index < repeats; index++) xs = await go(xs)
  const spent = performance.now() - start
  if (xs.length !== floats || xs[floats - 1] !== 1) throw new Error('something was lost on the way')
  return spent / repeats
}

async function msPerCall(call: () => PromiseLike<unknown>[]): Promise<number> {
  const start = performance.now()
  const found = await Promise.all(call())
  if (found.some((value, key) => value !== key * 2)) throw new Error('a wrong row')
  return (performance.now() - start) / calls
}

function pipeline(way: 'piscina' | 'flow'): Measured {
  const file = fileURLToPath(new URL('./pipeline.ts', import.meta.url))
  const text = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', file, way], { encoding: 'utf8' })
  return JSON.parse(text) as Measured
}

function pipelineTable(): string {
  const times = { piscina: measured.piscina.map(({ ms }) => ms), flow: measured.flow.map(({ ms }) => ms) }
  const peaks = { piscina: measured.piscina.map(({ peak }) => peak), flow: measured.flow.map(({ peak }) => peak) }
  const ratios = ratiosOf(times.flow, times.piscina, 'as fast')
  const [faster, less] = [verdictOf(median(ratios), { atLeast: 1 }), verdictOf(median(peaks.flow), { atMost: 1.2 })]
  return [
    '| | ms (median) | paired ratio: median (least to most) | goal | | peak over the start, × the data | goal | |',
    '|---|---|---|---|---|---|---|---|',
    `| piscina.run: cloned | ${brief(median(times.piscina))} | | | | ${spread(peaks.piscina)} | | |`,
    `| flow: transfer | ${brief(median(times.flow))} | ${spread(ratios)} × as fast | ≥ 1 × | ${faster} | ${spread(peaks.flow)} | ≤ 1.2 | ${less} |`,
  ].join('\n')
}
