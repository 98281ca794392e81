/**
 * The same functions on the same number of threads, by the pools that people use and by this library.
 * `node --import tsx bench/peers.ts`. ROUNDS changes how many rounds count.
 */
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FixedThreadPool } from 'poolifier'
import Tinypool from 'tinypool'
import workerpool from 'workerpool'
import { type Body, calibrate, increment, work } from './bodies.js'
import { type Contender, contender, inFlow, type Load, onPiscina, onThreadPool, threads } from './contenders.js'
import { atOnce, inFlight, makespan, oneAtATime } from './loads.js'
import { brief, heading, interleave, median, type Result, ratiosOf, spread, verdictOf } from './rounds.js'

interface Row {
  readonly name: string
  readonly body: Body
  readonly load: Load
}

const blocksOf = await calibrate()
const sizes = (count: number, ms: (index: number) => number) =>
  Array.from({ length: count }, (_, index) => blocksOf(ms(index)))

const rows: Row[] = [
  { name: 'tiny × 10,000 at once, µs per task', body: increment, load: atOnce(10_000) },
  { name: 'tiny, 64 in flight, µs per task', body: increment, load: inFlight(10_000, 64) },
  { name: 'tiny, one at a time, µs, p50', body: increment, load: oneAtATime(2000) },
  { name: '400 × 1 ms, ms until all have ended', body: work, load: makespan(sizes(400, () => 1)) },
  { name: '60 × 10 ms, ms until all have ended', body: work, load: makespan(sizes(60, () => 10)) },
  {
    name: '1,000, each 20th of 10 ms, the rest of 5 µs, ms until all have ended',
    body: work,
    load: makespan(sizes(1000, index => (index % 20 === 7 ? 10 : 0.005))),
  },
]

const makers: ((body: Body) => Contender)[] = [onPiscina, onTinypool, onPoolifier, onWorkerpool]
const ourMakers: ((body: Body) => Contender)[] = [onThreadPool, body => inFlow(body)]
const peerCount = makers.length

console.log(heading('Pools', `${threads} threads, default options, median times`))
const cells: string[][] = []
const verdicts: string[] = []
for (const row of rows) {
  const results = await resultsOf(row)
  cells.push([row.name, ...results.map(({ times }) => brief(median(times)))])
  verdicts.push(...results.slice(peerCount).map(own => ahead(row, own, results.slice(0, peerCount))))
}
const names = ['piscina', 'tinypool', 'poolifier', 'workerpool', 'ThreadPool', 'flow']
console.log(`
| | ${names.join(' | ')} |
|${'---|'.repeat(names.length + 1)}
${cells.map(line => `| ${line.join(' | ')} |`).join('\n')}

| | best peer | paired ratio: median (least to most) | goal | |
|---|---|---|---|---|
${verdicts.join('\n')}`)

async function resultsOf({ body, load }: Row): Promise<Result[]> {
  const contenders = [...makers, ...ourMakers].map(open => open(body))
  const results = await interleave(contenders.map(({ name, measure }) => ({ name, measure: () => measure(load) })))
  await Promise.all(contenders.map(contender => contender[Symbol.asyncDispose]()))
  return results
}

/** Against the peer that comes off best. */
function ahead(row: Row, own: Result, peers: readonly Result[]): string {
  const pairs = peers.map(peer => ({ name: peer.name, ratios: ratiosOf(own.times, peer.times, 'as fast') }))
  const [best] = pairs.sort((one, other) => median(one.ratios) - median(other.ratios))
  const { name = '', ratios = [] } = best ?? {}
  const verdict = verdictOf(median(ratios), { atLeast: 1 })
  return `| ${row.name}: ${own.name} | ${name} | ${spread(ratios)} × as fast | ≥ 1 × | ${verdict} |`
}

function onTinypool({ url, exportName }: Body): Contender {
  const pool = new Tinypool({ filename: url, name: exportName, minThreads: threads, maxThreads: threads, execArgv: [] })
  return contender(
    'tinypool',
    value => pool.run(value),
    () => pool.destroy(),
  )
}

function onPoolifier({ exportName }: Body): Contender {
  const pool = new FixedThreadPool<number>(threads, pathOf('poolifier.mjs'), { workerOptions: { execArgv: [] } })
  return contender(
    'poolifier',
    value => pool.execute(value, exportName),
    // It sometimes misses that a worker has exited, and would wait for ever.
    () => Promise.race([pool.destroy(), setTimeout(1000)]),
  )
}

function onWorkerpool({ exportName }: Body): Contender {
  const options = { minWorkers: threads, maxWorkers: threads, workerThreadOpts: { execArgv: [] } }
  const pool = workerpool.pool(pathOf('workerpool.mjs'), { ...options, workerType: 'thread' })
  return contender(
    'workerpool',
    value => pool.exec(exportName, [value]),
    () => Promise.resolve(pool.terminate()),
  )
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(`./peers/${file}`, import.meta.url))
}
