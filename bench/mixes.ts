/**
 * How long two threads take for mixes of short and long tasks, against the limit: two bare workers that know every size
 * beforehand, share the work longest first, and get and answer one message each.
 * `node --import tsx bench/mixes.ts`. ROUNDS changes how many rounds count, MIX=… takes those mixes only whose
 * name has that text.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { calibrate, work } from './bodies.js'
import { type Contender, inFlow, onPiscina, onThreadPool, threads } from './contenders.js'
import { makespan } from './loads.js'
import { type Contest, heading, interleave, table } from './rounds.js'

interface Mix {
  readonly name: string
  /** In milliseconds, in the order of the calls. */
  readonly sizes: readonly number[]
  /** Without: it shows what a call costs, and has no goal. */
  readonly atMost?: number
}

const mixes: Mix[] = [
  { name: 'a call costs as much: 20,000 × 5 µs', sizes: repeat(20_000, () => 0.005) },
  { name: 'tiny: 3,000 × 0.1 ms', sizes: repeat(3000, () => 0.1), atMost: 1.2 },
  { name: '400 × 1 ms', sizes: repeat(400, () => 1), atMost: 1.1 },
  { name: '60 × 10 ms', sizes: repeat(60, () => 10), atMost: 1.1 },
  {
    name: 'bimodal: 1,000, 5 % of 10 ms, the rest of 5 µs',
    sizes: chosen(7, 1000, () => 0.05, 10),
    atMost: 1.2,
  },
  {
    name: 'heavy-tailed: 1,000 × 5 µs, from the 257th on 1 % of 50 ms',
    sizes: chosen(3, 1000, index => (index > 256 ? 0.01 : 0), 50),
    atMost: 1.2,
  },
  {
    name: 'one of 200 ms after 500 of 10,000 × 5 µs',
    sizes: repeat(10_001, index => (index === 500 ? 200 : 0.005)),
    atMost: 1.2,
  },
  { name: 'sorted: 10,000 × 5 µs, then one of 200 ms', sizes: [...repeat(10_000, () => 0.005), 200], atMost: 1.2 },
  { name: 'sorted: 200 from 0.02 to 5 ms', sizes: repeat(200, index => ((index + 1) * 5) / 200), atMost: 1.2 },
]

const blocksOf = await calibrate()
const limit = openLimit()
{
  await using piscina = onPiscina(work)
  await using pool = onThreadPool(work)
  await using inMemory = inFlow(work)
  console.log(heading('Mixes', `${threads} threads; LIMIT: ${threads} bare workers that know every size`))
  for (const mix of mixes.filter(({ name }) => name.includes(process.env['MIX'] ?? ''))) {
    const contests = contestsOf(mix, [piscina, pool, inMemory])
    console.log(`\n### ${mix.name}\n\n${table(await interleave(contests), 'ms until all have ended')}`)
  }
}
await limit.close()

function contestsOf({ sizes, atMost }: Mix, [peer, ...ours]: readonly [Contender, ...Contender[]]): Contest[] {
  const blocks = sizes.map(blocksOf)
  const against = 'LIMIT'
  const load = makespan(blocks)
  return [
    { name: against, measure: () => limit.makespan(blocks) },
    { name: peer.name, against, ratio: 'as long', measure: () => peer.measure(load) },
    ...ours.map(one => ({ name: one.name, against, ...goalOf(atMost), measure: () => one.measure(load) })),
  ]
}

function goalOf(atMost: number | undefined) {
  return atMost === undefined ? ({ ratio: 'as long' } as const) : { goal: { atMost } }
}

/** Workers without a pool. */
function openLimit() {
  const url = new URL('./peers/limit.mjs', import.meta.url)
  const workers = repeat(threads, () => new Worker(url, { execArgv: [] }))
  return {
    async makespan(sizes: readonly number[]): Promise<number> {
      const start = performance.now()
      const shares = longestFirst(sizes, workers.length)
      await Promise.all(
        workers.map((worker, index) => {
          const answer = once(worker, 'message')
          worker.postMessage(shares[index])
          return answer
        }),
      )
      return performance.now() - start
    },
    close: () => Promise.all(workers.map(worker => worker.terminate())),
  }
}

/** Each size goes to the share with the least so far. */
function longestFirst(sizes: readonly number[], count: number): number[][] {
  const shares = repeat(count, () => ({ sizes: [] as number[], sum: 0 }))
  for (const size of [...sizes].sort((a, b) => b - a)) {
    const share = shares.reduce((least, other) => (other.sum < least.sum ? other : least))
    share.sizes.push(size)
    share.sum += size
  }
  return shares.map(share => share.sizes)
}

/** `ms` by chance, the rest tiny; by the same chance every time. */
function chosen(seed: number, count: number, chance: (index: number) => number, ms: number): number[] {
  let state = seed
  const random = () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff
  return repeat(count, index => (random() < chance(index) ? ms : 0.005))
}

function repeat<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
