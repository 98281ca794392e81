// Every flow brings its own executor: a local parent, a subflow on Dask, and back to this process within that.

import { ConcurrentExecutor, DaskExecutor, type Executor, flow, ParallelExecutor, task } from 'mintaka'

const square = task('square', (n: number) => n * n)
const sum = task('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b, 0))
const describe = task('describe', (total: number) => `the sum is ${total}`)

const local = flow('local', ({ total }: { total: number }) => describe(total), { executor: new ConcurrentExecutor() })

const crunch = flow('crunch', async ({ n }: { n: number }) => {
  const total = sum(Array.from({ length: n }, (_, index) => square(index)))
  return local({ total }) // a flow of this process, that waits for a task on Dask
})

const main = flow('main', async ({ inner }: { inner: Executor }) => {
  const first = square(2)
  const told = await crunch.with({ executor: inner })({ n: 100 })
  return `${told}, and the square is ${await first}`
})

const dask = new DaskExecutor({ clusterOptions: { workers: 1, threadsPerWorker: 2 } })
console.log(`dask:     ${await main({ inner: dask })}`)
console.log(`parallel: ${await main({ inner: new ParallelExecutor({ threads: 2 }) })}`)
