/** 256 MB through five tasks, in this process: `node --import tsx bench/pipeline.ts flow`, or `piscina`. Prints what it took. */
import { fileURLToPath } from 'node:url'
import { createEngine, flow, MemoryStore, ParallelExecutor, task, transfer } from 'mintaka'
import { Piscina } from 'piscina'

export interface Measured {
  readonly ms: number
  /** The most memory that the process has had, over what it had before there were data, in times the data. */
  readonly peak: number
}

const steps = 5
const floats = 33_554_432 // 256 MB
const threads = 2

const addOne = task(
  'add one',
  (xs: Float64Array) => {
    for (let index = 0; index < xs.length; index++) xs[index] = (xs[index] as number) + 1
    return transfer(xs)
  },
  { persistResult: false },
)

async function onPiscina(): Promise<Measured> {
  const filename = fileURLToPath(new URL('./peers/data.mjs', import.meta.url))
  const piscina = new Piscina({ filename, minThreads: threads, maxThreads: threads })
  await Promise.all([1, 2].map(() => piscina.run(new Float64Array(10), { name: 'addOne' })))
  const measured = await measure(async data => {
    let xs = data
    for (let step = 0; step < steps; step++) xs = (await piscina.run(xs, { name: 'addOne' })) as Float64Array
    return xs
  })
  await piscina.close()
  return measured
}

async function inFlow(): Promise<Measured> {
  await using engine = createEngine({ store: new MemoryStore() })
  const body = async () => {
    await Promise.all([addOne(new Float64Array(10)), addOne(new Float64Array(10))])
    return await measure(async data => {
      let xs = addOne(transfer(data))
      for (let step = 1; step < steps; step++) xs = addOne(transfer(xs))
      return await xs
    })
  }
  return await engine.run(flow('pipeline', body, { executor: new ParallelExecutor({ threads }) }))
}

async function measure(run: (data: Float64Array) => Promise<Float64Array>): Promise<Measured> {
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  const start = performance.now()
  const result = await run(new Float64Array(floats).fill(1))
  const ms = performance.now() - start
  if (result.length !== floats || result[0] !== 1 + steps || result[floats - 1] !== 1 + steps) throw new Error('wrong')
  return { ms, peak: (process.resourceUsage().maxRSS * 1024 - before) / (floats * 8) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(process.argv[2] === 'piscina' ? await onPiscina() : await inFlow()))
}
