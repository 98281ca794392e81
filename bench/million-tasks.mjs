// For bench/million.ts: node million-tasks.mjs run FOLDER TASKS | fold FOLDER | wait MS. Prints, as JSON, how long it took, the most
// memory it had, and how long the loop was kept from anything else at the longest.
import { existsSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { ConcurrentExecutor, createEngine, flow, JsonStore, task } from 'mintaka'

const [what, folder, count] = process.argv.slice(2)
const increment = task('increment', async n => n + 1)
const many = flow(
  'many',
  async tasks => {
    let done = 0
    for (let from = 0; from < tasks; from += 1000) {
      done += (await Promise.all(Array.from({ length: 1000 }, (_, index) => increment(from + index)))).length
    }
    return done
  },
  { executor: new ConcurrentExecutor() },
)

async function run() {
  // What is folded is measured apart.
  const engine = createEngine({ store: new JsonStore({ folder, foldBytes: Number.MAX_SAFE_INTEGER }) })
  const done = await engine.run(many, Number(count))
  if (done !== Number(count)) throw new Error(`${done} of ${count} tasks`)
  await engine.close()
}

/** Opens the store as anybody does, and waits until the history has everything. */
async function fold() {
  const engine = createEngine({ store: new JsonStore({ folder, foldJournals: 1 }) })
  await engine.flowRuns.list({ limit: 1 })
  while (!isFolded()) await delay(20)
  await engine.close()
}

function isFolded() {
  const path = `${folder}/catalogue.json`
  return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).folded.length > 0
}

const lag = monitorEventLoopDelay({ resolution: 1 })
const begin = performance.now()
lag.enable()
await { run, fold, wait: () => delay(Number(folder)) }[what]()
lag.disable()
const longestPauseMs = lag.max / 1e6 - 1 // what is measured is a timer of a millisecond
const maxRssMiB = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ ms: performance.now() - begin, maxRssMiB, longestPauseMs }))
