/**
 * Random graphs on real Dask clusters of every version that is installed for the tests, while workers are killed:
 *
 *     npm run torture -- dask --seed 7 --count 5000
 *     npm run torture -- dask --minutes 30
 *
 * Each round has a scheduler of its own, which checks its whole state after every step. What a round has found is told with
 * the command that repeats it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { MortalWorkers } from '../test/executors/dask/fixtures/killed-workers.js'
import { torture } from '../test/executors/dask/fixtures/torture.js'
import { type DaskEnvironment, daskEnvironments } from '../test/fixtures/dask/environments.js'

interface Scheduler extends AsyncDisposable {
  readonly address: string
  log(): string
}

async function startScheduler({ python }: DaskEnvironment): Promise<Scheduler> {
  const env = {
    ...process.env,
    DASK_DISTRIBUTED__SCHEDULER__VALIDATE: 'true',
    DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES: '1000',
  }
  const flags = ['--host', '127.0.0.1', '--port', '0', '--dashboard-address', '127.0.0.1:0', '--no-dashboard']
  const child = spawn(python, ['-m', 'distributed.cli.dask_scheduler', ...flags], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      log = (log + text).slice(-1_000_000)
    })
  }
  const address = await addressOf(child, () => log)
  return {
    address,
    log: () => log,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function addressOf(child: ChildProcess, log: () => string): Promise<string> {
  for (;;) {
    const found = /Scheduler at: +(\S+)/.exec(log())?.[1]
    if (found) return found
    if (child.exitCode !== null) throw new Error(`The scheduler ended: ${log()}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Runs a round, and gives what it found. */
async function round(environment: DaskEnvironment, seed: number, count: number): Promise<readonly string[]> {
  const begin = performance.now()
  await using scheduler = await startScheduler(environment)
  await using workers = new MortalWorkers(scheduler.address, seed, 3, 2_000)
  const { states, wrong } = await torture(scheduler.address, { seed, count })
  const found = scheduler.log().includes('AssertionError') ? [...wrong, 'The scheduler contradicts itself.'] : wrong
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
