// A cluster for one flow run: it is there when the flow begins, and gone when it ends.
//
//   python3 -m pip install distributed
//   npx tsx examples/dask/temporary.ts

import { DaskExecutor, flow, task } from 'mintaka'

const countPrimes = task('count primes', (from: number, to: number) => {
  let count = 0
  for (let n = Math.max(2, from); n < to; n++) {
    let isPrime = true
    for (let d = 2; d * d <= n && isPrime; d++) isPrime = n % d !== 0
    if (isPrime) count++
  }
  return count
})
const sum = task('sum', (counts: number[]) => counts.reduce((a, b) => a + b, 0))

const primes = flow(
  'primes',
  ({ below, parts }: { below: number; parts: number }) => {
    const step = below / parts
    // The sums wait for the counts on the cluster: nothing comes back in between.
    return sum(Array.from({ length: parts }, (_, part) => countPrimes(part * step, (part + 1) * step)))
  },
  { executor: new DaskExecutor({ clusterOptions: { workers: 2, threadsPerWorker: 1 } }) },
)

console.log(`${await primes({ below: 1_000_000, parts: 20 })} primes below 1,000,000`)
