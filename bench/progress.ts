/**
 * What the live tree costs: `mintaka run` in a terminal, with the tree and without, by processor time. `node --import tsx bench/progress.ts`, after
 * `npm run build`. ROUNDS, TASKS and FLOW_RUNS (subflows of 1,000 tasks each) change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inPseudoTerminal } from '../test/cli/fixtures/pseudo-terminal.js'
import { heading, interleave, table } from './rounds.js'

const tasks = process.env['TASKS'] ?? '200000'
const flowRuns = process.env['FLOW_RUNS'] ?? '300'
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const cli = here('../dist/lib/cli/bin.js')

/** The processor time that a flow says it took, in a terminal of this kind. A dumb one has no tree. */
async function timeOf(flow: string, size: string, TERM: string): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
  const command = [process.execPath, cli, 'run', `${here('progress-flows.mjs')}:${flow}`, '--params', size]
  const env = { ...process.env, MINTAKA_HOME: home, MINTAKA_LOG: 'warn', TERM }
  let said = ''
  try {
    await new Promise<void>(resolve => {
      inPseudoTerminal(command, { columns: 120, rows: 40, cwd: home, env }, told => {
        if ('code' in told) resolve()
        else if ('data' in told) said += Buffer.from(told.data).toString('latin1')
      })
    })
    const result = /(\d+)\s*$/.exec(said)
    if (!result) throw new Error(`It said: ${said}`)
    return Number(result[1])
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

const pair = (flow: string, size: string) => [
  { name: `${flow}, no tree`, measure: () => timeOf(flow, size, 'dumb') },
  { name: flow, against: `${flow}, no tree`, ratio: 'as long' as const, measure: () => timeOf(flow, size, 'xterm') },
]

const results = await interleave([...pair('tasks', tasks), ...pair('subflows', flowRuns)], { isCold: true })
console.log(heading('Progress', `${tasks} task runs; ${flowRuns} subflow runs with 1,000 task runs each; 120 x 40`))
console.log(`\n${table(results, 'ms')}`)
