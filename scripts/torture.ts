/**
 * Random tasks of every kind, among them those that end their thread or never end, with cancels, deadlines and kills going
 * on, until so many have run or so much time has passed:
 *
 *     npm run torture -- --seed 7 --count 100000
 *     npm run torture -- --minutes 60
 *     npm run torture -- dask               on Dask, see `torture-dask.ts`
 *     npm run torture -- kill               of a process that is killed, see `torture-kill.ts`
 *     npm run torture -- agents             of agents that are killed, see `torture-agents.ts`
 *
 * They run in rounds, each on a store of its own from a seed of its own, and after each round the invariants are checked.
 * What a round has found is told with the command that repeats it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Watch } from '../test/faults/fixtures/invariants.js'
import { torture } from '../test/faults/fixtures/torture.js'

const roundOf = 10_000

interface Options {
  readonly seed: number
  readonly count: number
  readonly minutes: number | undefined
  readonly threads: number
}

function optionsOf(args: readonly string[]): Options {
  const options = {
    seed: { type: 'string' },
    count: { type: 'string' },
    minutes: { type: 'string' },
    threads: { type: 'string' },
  } as const
  const { values } = parseArgs({ args: [...args], options })
  const number = (name: keyof typeof options, otherwise: number) => {
    const value = Number(values[name] ?? otherwise)
    if (Number.isFinite(value) && value >= 0) return value
    throw new Error(`--${name} should be a number, not '${values[name]}'.`)
  }
  return {
    seed: number('seed', Date.now() % 1_000_000),
    count: number('count', 100_000),
    minutes: values.minutes === undefined ? undefined : number('minutes', 0),
    threads: number('threads', 3),
  }
}

/** Runs a round, and gives what it found. */
async function round(seed: number, count: number, threads: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mintaka-torture-'))
  const begin = performance.now()
  try {
    const watch = new Watch(folder)
    const { states, threadsStarted, wrong } = await torture(watch, { seed, count, threads })
    const found = [...wrong, ...(await watch.end())]
    const seconds = ((performance.now() - begin) / 1000).toFixed(1)
    const ends = [...states].map(([name, times]) => `${times} ${name}`).join(', ')
    console.log(`seed ${seed}: ${ends}; ${threadsStarted} threads; ${seconds} s; ${found.length || 'nothing'} wrong`)
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const { seed, count, minutes, threads } = optionsOf(process.argv.slice(2))
  console.log(`seed ${seed}`)
  const begin = performance.now()
  const isOver = (done: number) =>
    minutes === undefined ? done >= count : performance.now() - begin >= minutes * 60_000
  let done = 0
  for (let index = 0; !isOver(done); index++) {
    const size = minutes === undefined ? Math.min(roundOf, count - done) : roundOf
    const found = await round(seed + index, size, threads)
    done += size
    if (found.length === 0) continue
    for (const line of found.slice(0, 50)) console.error(line)
    console.error(`To see it again: npm run torture -- --seed ${seed + index} --count ${size} --threads ${threads}`)
    process.exitCode = 1
    return
  }
  console.log(`${done} tasks in ${((performance.now() - begin) / 1000).toFixed(0)} s, nothing wrong`)
}

if (process.argv[2] === 'dask') {
  const { tortureDask } = await import('./torture-dask.js')
  await tortureDask(process.argv.slice(3))
} else if (process.argv[2] === 'kill') {
  const { tortureKill } = await import('./torture-kill.js')
  await tortureKill(process.argv.slice(3))
} else if (process.argv[2] === 'agents') {
  const { tortureOfAgents } = await import('./torture-agents.js')
  await tortureOfAgents(process.argv.slice(3))
} else await main()
