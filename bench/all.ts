/**
 * Runs every benchmark, each in a process of its own, one after the other. `npm run bench`; names choose among them:
 * `npm run bench -- tiny mixes`.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const names = ['tiny', 'mixes', 'latency', 'fairness', 'data', 'peers', 'overhead', 'journal']
const chosen = process.argv.slice(2)

for (const name of chosen.length > 0 ? chosen : names) {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  const { status } = spawnSync(process.execPath, ['--expose-gc', '--import', 'tsx', file], { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`bench/${name}.ts ended with ${status}.`)
    process.exitCode = 1
  }
  console.log()
}
