// How late do flights from each airport arrive, and how sure can one be of it?
//
//   npx tsx examples/airports/report.ts [FOLDER]
//   npx mintaka run examples/airports/report.ts:airports --params '{"folder":"out"}'
//
// Reads real flights of the first quarter of 2001 (the package `vega-datasets`), computes a bootstrap confidence interval
// per airport on every core, and writes FOLDER/report.md (default: a folder for temporary files). Three subflows, each
// with the executor that fits it: reading is concurrent, computing parallel, writing sequential.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ConcurrentExecutor, flow, ParallelExecutor, SequentialExecutor, task } from 'mintaka'

const minFlights = 100
const resamples = 20_000
const defaultFolder = join(tmpdir(), 'mintaka-airports')

interface Flight {
  readonly origin: string
  /** Minutes at arrival; negative: early. */
  readonly delay: number
}
interface Estimate {
  readonly airport: string
  readonly flights: number
  readonly mean: number
  /** Of the mean: 95 % of the resampled means lie between the two. */
  readonly low: number
  readonly high: number
}
interface Row extends Estimate {
  readonly city: string
  readonly verdict: 'later' | 'earlier' | ''
}

// --- reading: I/O, concurrent

const dataPath = (name: string) => {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('vega-datasets')), '..', 'data', name)
}

// The store keeps results: a list of small numbers per airport rather than 20,000 objects.
const readFlights = task(
  'read flights',
  async () => {
    const byOrigin = new Map<string, number[]>()
    for (const { origin, delay } of JSON.parse(await readFile(dataPath('flights-20k.json'), 'utf8')) as Flight[]) {
      const delays = byOrigin.get(origin)
      if (delays) delays.push(delay)
      else byOrigin.set(origin, [delay])
    }
    return new Map([...byOrigin].map(([origin, delays]) => [origin, Int16Array.from(delays)]))
  },
  { retries: 1, description: '20,000 flights with their origin' },
)

const readBaseline = task('read baseline', async () => {
  const flights = JSON.parse(await readFile(dataPath('flights-200k.json'), 'utf8')) as Flight[]
  return { flights: flights.length, mean: flights.reduce((sum, { delay }) => sum + delay, 0) / flights.length }
})

const readCities = task(
  'read cities',
  async () => {
    const [, ...lines] = (await readFile(dataPath('airports.csv'), 'utf8')).trimEnd().split('\n')
    return new Map(lines.map(parseCity))
  },
  { persistResult: false },
)

/** `iata,name,city,state,…`, where a field with a comma is in quotes. */
function parseCity(line: string): [airport: string, city: string] {
  const fields = [...line.matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map(([, plain, quoted]) => quoted ?? plain ?? '')
  return [fields[0] ?? '', `${fields[2]}, ${fields[3]}`]
}

const read = flow('read', () => ({ flights: readFlights(), baseline: readBaseline(), cities: readCities() }), {
  executor: new ConcurrentExecutor(),
})

// --- computing: CPU, parallel

/** The percentile bootstrap: the mean of as many flights drawn with replacement, again and again. */
const estimate = task('estimate', (airport: string, delays: Int16Array): Estimate => {
  const random = randomOf(airport)
  const means = new Float64Array(resamples)
  for (let resample = 0; resample < resamples; resample++) {
    let sum = 0
    for (let draw = 0; draw < delays.length; draw++) sum += delays[Math.floor(random() * delays.length)] as number
    means[resample] = sum / delays.length
  }
  means.sort()
  const quantile = (q: number) => means[Math.floor(q * (resamples - 1))] as number
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length
  return { airport, flights: delays.length, mean, low: quantile(0.025), high: quantile(0.975) }
})

/** Mulberry32, seeded by a name: the same numbers wherever and in whatever order airports are computed. */
function randomOf(name: string): () => number {
  let state = 0
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x9e3779b1)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const compute = flow(
  'compute',
  ({ flights }: { flights: Map<string, Int16Array> }) =>
    [...flights]
      .filter(([, delays]) => delays.length >= minFlights)
      .map(([airport, delays]) => estimate(airport, delays)),
  { executor: new ParallelExecutor() },
)

// --- writing: one thing after the other

const rank = task('rank', (estimates: Estimate[], cities: Map<string, string>, usual: number): Row[] =>
  estimates
    .map(row => ({ ...row, city: cities.get(row.airport) ?? '?', verdict: verdictOn(row, usual) }))
    .sort((a, b) => b.mean - a.mean),
)

function verdictOn({ low, high }: Estimate, usual: number): Row['verdict'] {
  if (low > usual) return 'later'
  return high < usual ? 'earlier' : ''
}

const writeReport = task('write report', async (rows: Row[], usual: number, folder: string) => {
  const lines = rows.map(({ airport, city, flights, mean, low, high, verdict }) => {
    const cells = [airport, city, flights, mean.toFixed(1), `${low.toFixed(1)} to ${high.toFixed(1)}`, verdict]
    return `| ${cells.join(' | ')} |`
  })
  const path = join(folder, 'report.md')
  const text = [
    '# Arrival delay by airport of origin',
    '',
    `Minutes, with the 95 % confidence interval of the mean (${resamples.toLocaleString('en')} bootstrap resamples). The mean`,
    `of all flights is ${usual.toFixed(2)}; *later* and *earlier* say that the interval lies wholly beyond it. Of twenty`,
    'intervals, about one misses its mean by chance.',
    '',
    '| origin | city | flights | mean delay | interval | than usual |',
    '|---|---|--:|--:|--:|---|',
    ...lines,
    '',
  ]
  await mkdir(folder, { recursive: true })
  await writeFile(path, text.join('\n'))
  return path
})

const publish = flow(
  'publish',
  async (p: { estimates: Estimate[]; cities: Map<string, string>; usual: number; folder: string }) => {
    const rows = await rank(p.estimates, p.cities, p.usual)
    return { rows, path: writeReport(rows, p.usual, p.folder) }
  },
  { executor: new SequentialExecutor() },
)

// --- the whole

const airports = flow('airports', async ({ folder = defaultFolder }: { folder?: string | undefined } = {}) => {
  const { flights, baseline, cities } = await read()
  const estimates = compute({ flights })
  const report = await publish({ estimates, cities, usual: baseline.mean, folder }) // waits for `estimates`
  const read20k = [...flights.values()].reduce((sum, { length }) => sum + length, 0)
  return { ...report, flights: read20k, origins: flights.size, baseline }
})

const run = airports({ folder: process.argv[2] })
const { rows, path, flights, origins, baseline } = await run
const usual = baseline.mean.toFixed(2)

console.log(`Read ${flights} flights from ${origins} airports, and ${baseline.flights} more for comparison.`)
console.log(
  `${rows.length} airports have ${minFlights} flights or more. All flights together are ${usual} minutes late.\n`,
)
for (const { airport, city, mean, low, high, verdict } of rows) {
  const interval = `${low.toFixed(1)} to ${high.toFixed(1)}`
  console.log(
    `${airport}  ${city.padEnd(24)} ${mean.toFixed(1).padStart(5)}  ${interval.padStart(13)}  ${verdict}`.trimEnd(),
  )
}
const later = rows.filter(({ verdict }) => verdict === 'later').map(({ airport }) => airport)
const earlier = rows.filter(({ verdict }) => verdict === 'earlier').map(({ airport }) => airport)
console.log(`\nThe interval lies above ${usual}: ${later.join(', ')}`)
console.log(`The interval lies below ${usual}: ${earlier.join(', ')}`)
console.log(`\nThe report is in ${path}`)
console.log(`How it ran: npx mintaka flow-run inspect ${run.id}`)
