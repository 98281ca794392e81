/**
 * A flow of a million tasks, a thousand at a time, on a `JsonStore`, with a heap of 64 MB; then its journal folded into the history
 * by another process. How much memory each takes, and how long it keeps the event loop from anything else.
 * `node --import tsx bench/million.ts`, after `npm run build`. ROUNDS (5) and TASKS (1,000,000) change its size.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Goal, heading, median, rounds, spread, verdictOf } from './rounds.js'

const tasks = process.env['TASKS'] ?? '1000000'
const program = fileURLToPath(new URL('million-tasks.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))

interface Measured {
  readonly ms: number
  readonly maxRssMiB: number
  readonly longestPauseMs: number
}

function measure(...args: readonly string[]): Measured {
  const all = ['--max-old-space-size=64', program, ...args]
  return JSON.parse(execFileSync(process.execPath, all, { encoding: 'utf8' })) as Measured
}

const ran: Measured[] = []
const folded: Measured[] = []
const waited: Measured[] = []
try {
  for (let round = 0; round < rounds; round++) {
    const store = join(folder, String(round))
    ran.push(measure('run', store, tasks))
    cpSync(store, `${store}-copy`, { recursive: true })
    const fold = measure('fold', `${store}-copy`)
    folded.push(fold)
    waited.push(measure('wait', String(Math.ceil(fold.ms))))
    for (const each of [store, `${store}-copy`]) rmSync(each, { recursive: true })
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

console.log(heading('A million tasks', `${tasks} tasks, a heap of 64 MB`))
console.log('\n| | median (least to most) | goal | |\n|---|---|---|---|')
row('the flow, µs per task', ran, ({ ms }) => (ms * 1000) / Number(tasks))
row('the flow, most memory, MiB', ran, ({ maxRssMiB }) => maxRssMiB, { atMost: 128 })
row('the flow, longest pause, ms', ran, ({ longestPauseMs }) => longestPauseMs)
row('the fold, ms', folded, ({ ms }) => ms)
row('the fold, most memory, MiB', folded, ({ maxRssMiB }) => maxRssMiB, { atMost: 128 })
row('the fold, longest pause, ms', folded, ({ longestPauseMs }) => longestPauseMs, { atMost: 50 })
row('as long without anything to do, longest pause, ms', waited, ({ longestPauseMs }) => longestPauseMs)

function row(name: string, measured: readonly Measured[], of: (each: Measured) => number, goal?: Goal): void {
  const values = measured.map(of)
  const [limit, verdict] = goal && 'atMost' in goal ? [`≤ ${goal.atMost}`, verdictOf(median(values), goal)] : ['', '']
  console.log(`| ${name} | ${spread(values)} | ${limit} | ${verdict} |`)
}
