// A cluster that grows with what there is to do, and shrinks when there is less, by Dask's own rules.

import { DaskExecutor, flow, task } from 'mintaka'

const work = task('work', async (n: number) => {
  await new Promise(resolve => setTimeout(resolve, 200))
  return { n, worker: process.pid }
})

const main = flow('main', () => Array.from({ length: 40 }, (_, n) => work(n)), {
  executor: new DaskExecutor({ adapt: { minimum: 1, maximum: 3 }, clusterOptions: { threadsPerWorker: 1 } }),
})

const done = await main()
const workers = new Set(done.map(({ worker }) => worker)).size
console.log(`${done.length} tasks, on ${workers > 1 ? 'more than one worker' : 'one worker'}`)
