// CPU work on every core: the same tasks, another executor. No worker file, no main guard: this file is all there is.

import { availableParallelism } from 'node:os'
import { flow, ParallelExecutor, SequentialExecutor, task } from 'mintaka'

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
}

// What a task uses from the top level of its file travels with it to the worker threads.
const countPrimes = task('count primes', (from: number, to: number) => {
  let count = 0
  for (let n = from; n < to; n++) if (isPrime(n)) count += 1
  return count
})
const sum = task('sum', (counts: number[]) => counts.reduce((a, b) => a + b, 0))

const primes = flow('primes', ({ below, parts }: { below: number; parts: number }) => {
  const step = Math.ceil(below / parts)
  return sum(Array.from({ length: parts }, (_, part) => countPrimes(part * step, Math.min(below, (part + 1) * step))))
})

for (const executor of [new SequentialExecutor(), new ParallelExecutor()]) {
  const start = performance.now()
  const count = await primes.with({ executor })({ below: 8_000_000, parts: 40 })
  console.log(`${executor.name}: ${count} primes below 8,000,000`)
  console.error(`  ${Math.round(performance.now() - start)} ms, ${availableParallelism()} processors`)
}
