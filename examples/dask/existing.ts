// A cluster that is up already: its scheduler's address is all that it takes. It is never shut down.
//
//   dask scheduler                                  prints its address
//   npx mintaka dask worker tcp://10.0.0.5:8786     on as many machines as you like: they need Node and Mintaka
//   npx tsx examples/dask/existing.ts tcp://10.0.0.5:8786

import { hostname } from 'node:os'
import { DaskExecutor, flow, task } from 'mintaka'

const where = task('where', (n: number) => ({ n, host: hostname() }))

const main = flow('main', () => Array.from({ length: 10 }, (_, n) => where(n)))

const address = process.argv[2]
if (!address) {
  console.error('Say where the scheduler is: npx tsx examples/dask/existing.ts tcp://10.0.0.5:8786')
  process.exitCode = 2
} else {
  const places = await main.with({ executor: new DaskExecutor({ address }) })()
  console.log(`${places.length} tasks on ${new Set(places.map(({ host }) => host)).size} host`)
}
