/**
 * How soon the command line answers from a large store: `flow-run ls` where there are 100,000 flow runs, against the start of
 * Node; `flow-run inspect` of one with 100,000 tasks. `node --import tsx bench/cli.ts`, after `npm run build`. ROUNDS, FLOW_RUNS and
 * TASKS change its size.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { heading, interleave, median, table } from './rounds.js'

const flowRuns = process.env['FLOW_RUNS'] ?? '100000'
const tasks = process.env['TASKS'] ?? '100000'
const inspectWithinMs = 1000
/** What `ls` may take more than one and a half starts of Node. */
const allowanceMs = 150
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const cli = here('../dist/lib/cli/bin.js')

function node(...args: readonly string[]): string {
  const env = { ...process.env, MINTAKA_HOME: folder }
  return execFileSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 2 ** 30 })
}

async function timeOf(...args: readonly string[]): Promise<number> {
  const begin = performance.now()
  if (node(...args).length === 0 && args[0] === cli) throw new Error('It said nothing.')
  return performance.now() - begin
}

try {
  const id = node(here('cli-store.mjs'), folder, flowRuns, tasks).trim()
  const peer = 'node -e 0'
  const results = await interleave([
    { name: peer, measure: () => timeOf('-e', '0') },
    {
      name: `flow-run ls, less ${allowanceMs} ms`,
      against: peer,
      goal: { atMost: 1.5 },
      measure: async () => (await timeOf(cli, 'flow-run', 'ls')) - allowanceMs,
    },
    { name: 'flow-run inspect', measure: () => timeOf(cli, 'flow-run', 'inspect', id) },
    { name: 'flow-run inspect --json', measure: () => timeOf(cli, 'flow-run', 'inspect', id, '--json') },
  ])
  console.log(heading('Command line', `${flowRuns} flow runs, one of them with ${tasks} tasks`))
  console.log(`\n${table(results, 'ms')}`)
  const inspected = median(results[2]?.times ?? [])
  const verdict = inspected < inspectWithinMs ? 'PASS' : 'short'
  console.log(`\n\`flow-run inspect\` within ${inspectWithinMs} ms: ${verdict}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
