/**
 * Random graphs on real Dask clusters of every version that is installed for the tests, while workers are killed:
 *
 *     npm run torture -- dask --seed 7 --count 5000
 *     npm run torture -- dask --minutes 30
 *
 * Each round has a scheduler of its own, which checks its whole state after every step. What a round has found is told with
 * the command that repeats it.
 */
import { parseArgs } from 'node:util'
import { MortalWorkers } from '../test/executors/dask/fixtures/killed-workers.js'
import { torture } from '../test/executors/dask/fixtures/torture.js'
import { type DaskEnvironment, daskEnvironments } from '../test/fixtures/dask/environments.js'
import { startScheduler, validated } from '../test/fixtures/dask/scheduler.js'
import { BlockEnding } from '../test/fixtures/ending.js'

const checking = { ...validated, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES: '1000' }

/** Runs a round, and gives what it found. */
async function round(environment: DaskEnvironment, seed: number, count: number): Promise<readonly string[]> {
  const begin = performance.now()
  await using ending = new BlockEnding()
  const scheduler = await startScheduler(ending, environment, { env: checking })
  await using workers = new MortalWorkers(scheduler.address, seed, 3, 2_000)
  const { states, wrong } = await torture(scheduler.address, { seed, count })
  const found = scheduler.logText().includes('AssertionError') ? [...wrong, 'The scheduler contradicts itself.'] : wrong
  const ends = [...states].map(([name, times]) => `${times} ${name}`).join(', ')
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  const rest = `${workers.deaths} workers killed; ${seconds} s; ${found.length || 'nothing'} wrong`
  console.log(`Dask ${environment.version}, seed ${seed}: ${ends}; ${rest}`)
  return found
}

export async function tortureDask(args: readonly string[]): Promise<void> {
  const options = { seed: { type: 'string' }, count: { type: 'string' }, minutes: { type: 'string' } } as const
  const { values } = parseArgs({ args: [...args], options })
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  const count = Number(values.count ?? 2_000)
  const until = performance.now() + Number(values.minutes ?? 0) * 60_000
  for (let index = 0; index === 0 || performance.now() < until; index++) {
    for (const environment of daskEnvironments()) {
      const found = await round(environment, seed + index, count)
      if (found.length === 0) continue
      for (const line of found.slice(0, 50)) console.error(line)
      console.error(`To see it again: npm run torture -- dask --seed ${seed + index} --count ${count}`)
      process.exitCode = 1
      return
    }
  }
}
