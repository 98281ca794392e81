import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type Test, t as tap, test } from 'tap'
import { mintakaIn } from './cli/fixtures/mintaka.js'

tap.setTimeout(180_000) // a dozen processes, on whatever machine this is

const run = promisify(execFile)
const examples = fileURLToPath(new URL('../examples', import.meta.url))
const tsx = import.meta.resolve('tsx')

/** What an example prints, run as a user runs it, in a folder and with a store of its own. */
function output(t: Test, file: string, ...args: string[]): Promise<string[]> {
  return outputOf(join(examples, file), args, t.testdir({ 'tsconfig.json': '{}' }))
}

async function outputOf(path: string, args: string[], folder: string): Promise<string[]> {
  const env = { PATH: process.env['PATH'], MINTAKA_HOME: join(folder, 'home'), MINTAKA_LOG: 'silent' }
  const { stdout } = await run(process.execPath, ['--import', tsx, path, ...args], { cwd: folder, env })
  return stdout.trimEnd().split('\n')
}

const printed: Record<string, string[]> = {
  '01-hello.ts': [
    '3 task runs, the first is Pending',
    "[ 'Hello, Alnitak!', 'Hello, Alnilam!', 'Hello, Mintaka!' ]",
    'the flow run is Completed',
  ],
  '02-retries.ts': [
    "{ known: 30, unknown: 'no such symbol: ???' }",
    'fetch price 0: Pending > Running > AwaitingRetry > Retrying > AwaitingRetry > Retrying > Completed',
    'fetch price 1: Pending > Running > Failed',
  ],
  '03-data-edges.ts': [
    '{',
    '  both: 15,',
    '  more: [ 20, 25, 115 ],',
    "  waiting: 'NotReady',",
    "  told: 'Failed: the source is broken'",
    '}',
    "[ 'first', 'second' ]",
  ],
  '04-concurrent-io.ts': ['260 bytes from 30 pages, 5 requests at once at most'],
  '05-parallel-cpu.ts': ['sequential: 539777 primes below 8,000,000', 'parallel: 539777 primes below 8,000,000'],
  '06-nested-subflows.ts': ['{"first":9,"rows":89,"last":98,"others":19712}'],
  '07-custom-executor.ts': [
    'concurrent: 6 tasks, turns of the event loop: 1',
    'polite: 6 tasks, turns of the event loop: 6',
  ],
  '08-http-server.ts': [
    '200 {"price":12}',
    '200 {"price":81}',
    `400 {"error":"The parameters of flow 'order' do not fit its schema: pieces: Invalid input: expected number, received NaN."}`,
    "[ 'Completed', 'Completed', 'Failed' ]",
    '1 line of the log is an error',
  ],
  '09-resources-and-limits.ts': [
    "{ words: [ 'one', 'two', 'three' ], renders: 2, saves: 2 }",
    "Failed Task 'huge' takes 2 GPU, and its ParallelExecutor offers 1 GPU: it could never run. Say what there is, new ParallelExecutor({ resources: { GPU: 2 } }), or take less.",
  ],
  '10-resume.ts': [
    'downloading 2024',
    'downloading 2025',
    'downloading 2026',
    'ended by SIGKILL',
    'the flow run is Crashed',
    'downloading 2026',
    'downloading 2027',
    '8102000 rows',
    'download: Cached',
    'download: Cached',
    'download: Completed',
    'download: Completed',
    'total: Completed',
  ],
  '11-deployments.ts': [
    'roof 12 °C, cellar 18 °C',
    'roof 12 °C, cellar 18 °C',
    'a run of watch/often is Completed, and was due on a full second: true',
    'a run of watch/often is Completed, and was due on a full second: true',
  ],
}

for (const [file, lines] of Object.entries(printed)) {
  test(`${file} prints what it always prints`, async t => t.strictSame(await output(t, file), lines))
}

test('every example is run here', async t => {
  const files = readdirSync(examples).filter(name => name.endsWith('.ts'))
  t.strictSame(files.sort(), Object.keys(printed))
})

test('11-deployments.yaml describes deployments of the flow', async t => {
  const { code, stdout } = await mintakaIn(t.testdir())('deployment', 'create', join(examples, '11-deployments.yaml'))
  t.equal(code, 0)
  t.strictSame(stdout.trimEnd().split('\n'), [
    'created   watch/nightly  cron 0 2 * * * (Europe/Vienna)',
    'created   watch/quarter-hourly  every 15 m, paused',
    'created   watch/on demand',
  ])
})

test('nested flows give the same values on every pair of executors', async t => {
  const all = `
    import { nested } from '${pathToFileURL(join(examples, '06-nested-subflows.ts'))}'
    const executors = ['sequential', 'concurrent', 'parallel']
    for (const outer of executors) for (const inner of executors) console.log(JSON.stringify(await nested(outer, inner)))`
  const folder = t.testdir({ 'tsconfig.json': '{}', 'all.mjs': all })
  const lines = await outputOf(join(folder, 'all.mjs'), [], folder)
  t.strictSame(lines, Array.from({ length: 1 + 9 }, () => printed['06-nested-subflows.ts']).flat())
})

test('the airports job reads real flights and reports what is in them', async t => {
  const folder = join(t.testdir(), 'out')
  const lines = await output(t, 'airports/report.ts', folder)
  const text = lines.join('\n')
  t.equal(lines[0], 'Read 20000 flights from 220 airports, and 200000 more for comparison.')
  t.equal(lines[1], '52 airports have 100 flights or more. All flights together are 7.50 minutes late.')
  t.match(text, /^JFK {2}New York, NY +16\.2 +10\.3 to 22\.7 {2}later$/m)
  t.match(text, /The interval lies above 7\.50: JFK, SEA, SMF, MIA, BOS, PHX, DEN, DFW\n/)
  t.match(text, /npx mintaka flow-run inspect [a-z0-9]+$/)
  const report = readFileSync(join(folder, 'report.md'), 'utf8')
  t.equal(report.match(/^\| [A-Z]{3} \|/gm)?.length, 52)
  const flights = [...report.matchAll(/^\| [A-Z]{3} \| [^|]+ \| (\d+) \|/gm)].map(([, count]) => Number(count))
  const counted = countByOrigin().filter(count => count >= 100)
  t.strictSame(
    flights.sort((a, b) => a - b),
    counted.sort((a, b) => a - b),
  )
})

/** Counted without the library. */
function countByOrigin(): number[] {
  const path = new URL('../node_modules/vega-datasets/data/flights-20k.json', import.meta.url)
  const counts = new Map<string, number>()
  for (const { origin } of JSON.parse(readFileSync(path, 'utf8')) as { origin: string }[]) {
    counts.set(origin, (counts.get(origin) ?? 0) + 1)
  }
  return [...counts.values()]
}
