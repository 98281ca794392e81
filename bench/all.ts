/**
 * Runs every benchmark, each in a process of its own, one after the other. `npm run bench`; names choose among them:
 * `npm run bench -- tiny mixes`. What they print is markdown: `npm run --silent bench >bench/node-20.md`.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const names =
  'tiny mixes latency fairness deadlines data peers engine overhead journal store million cli help progress ephemeral durable-steps dask-wire dask'.split(
    ' ',
  )
const chosen = process.argv.slice(2)

for (const name of chosen.length > 0 ? chosen : names) {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  const start = performance.now()
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', file], { stdio: 'inherit' })
  console.log()
  console.error(`bench/${name}.ts: ${status === 0 ? '' : `ended with ${status}, `}${secondsSince(start)} s\n`)
  if (status !== 0) process.exitCode = 1
}

function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 1000)
}
