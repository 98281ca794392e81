/**
 * Flows on `DaskExecutor` with two Node workers, held against Dask's own client with two Python workers: each side has a
 * scheduler of its own, of the same version, and workers of one thread. `node --import tsx bench/dask.ts`, after `npm test`
 * or `node scripts/dask-env.mjs` has installed Dask. ROUNDS changes how many rounds count.
 */
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createEngine, DaskExecutor, flow, MemoryStore, task } from 'mintaka'
import { newestDask } from '../test/fixtures/dask/environments.js'
import { startProcess } from '../test/fixtures/dask/process.js'
import { startNodeWorker, startPythonWorker, startScheduler } from '../test/fixtures/dask/scheduler.js'
import { BlockEnding } from '../test/fixtures/ending.js'
import { heading, interleave, median, type Result } from './rounds.js'

const environment = newestDask()
const { python, version } = environment
const ending = new BlockEnding()

const increment = task('increment', (n: number) => n + 1)
const make = task('make', (size: number) => Buffer.alloc(size))
const lengthOf = task('length of', (value: Uint8Array) => value.byteLength)

type What = 'many' | 'chain' | 'one' | 'large'
type Side = (what: What, amount: number) => Promise<number>

/** Our side: a flow run per measurement, its session connected before the clock starts. */
async function ours(): Promise<Side> {
  const { address } = await startScheduler(ending, environment)
  for (const name of ['a', 'b']) await startNodeWorker(ending, address, { args: ['--name', name, '--nthreads', '1'] })
  const engine = createEngine({ store: new MemoryStore() })
  const executor = new DaskExecutor({ address })
  return async (what, amount) => {
    let time = 0
    const body = flow('measured', async () => {
      await increment(0) // the code is on its way before the clock starts, as the peer's workers have theirs
      const begin = performance.now()
      if (what === 'many') await Promise.all(Array.from({ length: amount }, (_, n) => increment(n)))
      if (what === 'chain') await chain(amount)
      if (what === 'large') await large(amount)
      time = what === 'one' ? await one(amount) : performance.now() - begin
      return time
    })
    await engine.run(body, undefined, { executor })
    return time
  }
}

async function chain(amount: number): Promise<number> {
  let last = increment(0)
  for (let link = 1; link < amount; link++) last = increment(last)
  return last
}

async function large(size: number): Promise<number> {
  const made = make.with({ annotations: { workers: ['a'] } })(size)
  return lengthOf.with({ annotations: { workers: ['b'] } })(made)
}

async function one(amount: number): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < amount; n++) {
    const begin = performance.now()
    await increment(n)
    times.push(performance.now() - begin)
  }
  return median(times)
}

/** Dask's own client, in a process of its own. */
async function peer(): Promise<Side> {
  const { address } = await startScheduler(ending, environment)
  for (const name of ['a', 'b']) await startPythonWorker(ending, address, environment, { args: ['--name', name] })
  const program = fileURLToPath(new URL('dask-peer.py', import.meta.url))
  const { process: client } = startProcess(ending, python, [program, address])
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return async (what, amount) => {
    client.stdin.write(`${what} ${amount}\n`)
    return Number((await lines.next()).value)
  }
}

const loads: readonly (readonly [name: string, what: What, amount: number])[] = [
  ['5,000 tiny tasks at once, until all results are here, ms', 'many', 5_000],
  ['a chain of 200, ms', 'chain', 200],
  ['one at a time, p50, ms', 'one', 50],
  ['100 MB from one worker to the other, ms', 'large', 100_000_000],
]

try {
  const [python, node] = [await peer(), await ours()]
  console.log(heading('Dask', `distributed ${version}, two workers of one thread on each side`))
  console.log()
  console.log('| load | Python client and workers | flow with Node workers | paired ratio: median (least to most) |')
  console.log('|---|---|---|---|')
  for (const [name, what, amount] of loads) {
    const [theirs, own] = (await interleave([
      { name: 'python', measure: () => python(what, amount) },
      { name: 'node', measure: () => node(what, amount), against: 'python' },
    ])) as [Result, Result]
    const ratios = [...own.ratios].sort((a, b) => a - b)
    const spread = `${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)}`
    const cells = [name, median(theirs.times).toFixed(1), median(own.times).toFixed(1)]
    console.log(`| ${cells.join(' | ')} | ${median(ratios).toFixed(2)} (${spread}) × as fast |`)
  }
} finally {
  await ending[Symbol.asyncDispose]()
}
process.exit()
