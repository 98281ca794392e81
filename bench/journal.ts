/**
 * What a transition costs: the journal of `JsonStore`, `MemoryStore`, and lowdb writing its file once per transition.
 * `npx tsx bench/journal.ts`. Rounds are interleaved in one process, so that what else the machine does hits all alike.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { JSONFilePreset } from 'lowdb/node'
import { enter, type TaskRun } from '../lib/core/run.js'
import { states } from '../lib/core/state.js'
import type { Store } from '../lib/core/store.js'
import { JsonStore } from '../lib/store/json.js'
import { MemoryStore } from '../lib/store/memory.js'
import { codec } from '../lib/values/json.js'
import {
  asThreads,
  begin,
  callOf,
  callsOf,
  end,
  flood as floodWith,
  flowRunId,
  flowRunIn,
  seriesOf,
  taskRun,
} from './records.js'

const rounds = Number(process.env['ROUNDS'] ?? 7)
const tasks = Number(process.env['TASKS'] ?? 30_000)
const held = 1000
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
let made = 0

const cases: Record<string, () => Promise<number>> = {
  'lowdb, a write per transition, 1,000 records held': lowdbPerTransition,
  'journal, as threads': async () => threads(await opened('process')),
  'journal, as threads, power': async () => threads(await opened('power')),
  'memory, as threads': async () => threads(new MemoryStore()),
  'no store, as threads': async () => threads(undefined),
  'journal, as threads, reading back': async () => readingBack(await opened('process')),
  'journal, flood': async () => flood(await opened('process')),
  'journal, flood, power': async () => flood(await opened('power')),
  'journal, 100 lanes awaiting': async () => lanes(await opened('process'), 100, 20_000),
  'journal, 1 lane awaiting': async () => lanes(await opened('process'), 1, 5_000),
  'journal, 100 lanes awaiting, power': async () => lanes(await opened('power'), 100, 5_000),
  'journal, 1 lane awaiting, power': async () => lanes(await opened('power'), 1, 200),
  'memory, flood': async () => flood(new MemoryStore()),
}

const rates = new Map(Object.keys(cases).map(name => [name, [] as number[]]))
for (let round = -1; round < rounds; round += 1)
  for (const [name, measure] of Object.entries(cases)) {
    const rate = await measure()
    if (round >= 0) rates.get(name)!.push(rate) // the first round warms up
  }

const base = rates.get('lowdb, a write per transition, 1,000 records held')!
console.log(`Node ${process.version}, ${cpus().length} cores, ${rounds} rounds, ${tasks} task runs of 3 transitions\n`)
console.log('| store | transitions/s (median) | µs | x lowdb (median of pairs, least to most) |')
console.log('|---|---|---|---|')
for (const [name, own] of rates) {
  const ratios = own.map((rate, round) => rate / base[round]!).sort((a, b) => a - b)
  const rate = median(own)
  const spread = `${Math.round(ratios[0]!)} to ${Math.round(ratios.at(-1)!)}`
  console.log(
    `| ${name} | ${Math.round(rate)} | ${(1e6 / rate).toFixed(2)} | ${Math.round(median(ratios))} (${spread}) |`,
  )
}
const share = (name: string) =>
  median(rates.get(name)!.map((rate, round) => 3e6 / rate - 3e6 / rates.get('no store, as threads')![round]!)).toFixed(
    2,
  )
const power = rates
  .get('journal, as threads')!
  .map((rate, round) => rates.get('journal, as threads, power')![round]! / rate)
console.log(
  `\nOf a task run with three transitions the journal's share is ${share('journal, as threads')} µs, the memory's ` +
    `${share('memory, as threads')} µs. With durability power a flood has ${median(power).toFixed(2)} times the rate.`,
)
rmSync(folder, { recursive: true, force: true })

async function flood(store: Store): Promise<number> {
  return rateOf(store, floodWith)
}

async function threads(store: Store | undefined): Promise<number> {
  return rateOf(store, asThreads)
}

async function rateOf<S extends Store | undefined>(
  store: S,
  use: (store: S, runs: readonly TaskRun[]) => Promise<void>,
): Promise<number> {
  const runs = callsOf(await flowRunIn(store, `engine${made}`), tasks)
  const start = performance.now()
  await use(store, runs)
  const rate = (tasks * 3) / (performance.now() - start)
  await store?.close()
  return rate * 1000
}

/** The same, and what counts is how long it takes to read all of it. */
async function readingBack(store: Store): Promise<number> {
  await threads(store)
  const reader = new JsonStore({ folder: join(folder, String(made)) })
  await reader.open({ owner: 'reader', codec, readOnly: true, warn: message => console.error(message) })
  const start = performance.now()
  const read = await reader.listTaskRuns(flowRunId)
  const rate = (tasks * 3) / (performance.now() - start)
  if (read.length !== tasks || !read.every(({ states }) => states.length === 3)) throw new Error('not all are there')
  return rate * 1000
}

/** A number of callers, each of whom waits for the end of one task run before it makes the next. */
async function lanes(store: Store, count: number, total: number): Promise<number> {
  const calls = seriesOf(await flowRunIn(store, `engine${made}`))
  let next = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (next < total) {
        const task = callOf(calls, next++)
        store.createTaskRun(task)
        begin(store, task)
        await end(store, task)
      }
    }),
  )
  const rate = (total * 3) / (performance.now() - start)
  await store.close()
  return rate * 1000
}

/** lowdb as its readme has it: change the data, await the write of the whole file. */
async function lowdbPerTransition(): Promise<number> {
  const low = await JSONFilePreset<{ runs: unknown[] }>(join(folder, `low-${++made}.json`), { runs: [] })
  low.data.runs = Array.from({ length: held }, (_, index) => {
    const task = taskRun('flow-run', index)
    enter(task, states.running(1_700_000_000_000, 1))
    return { ...task, states: [states.pending(1_700_000_000_000), task.state] }
  })
  await low.write()
  const records = low.data.runs as (TaskRun & { states: unknown[] })[]
  const transitions = 60
  const start = performance.now()
  for (let index = 0; index < transitions; index += 1) {
    const record = records[index]!
    enter(record, states.completed(1_700_000_000_001, index))
    record.states.push(record.state)
    await low.write()
  }
  const rate = transitions / (performance.now() - start)
  if (statSync(join(folder, `low-${made}.json`)).size < held * 100) throw new Error('lowdb has not written')
  return rate * 1000
}

async function opened(durability: 'process' | 'power'): Promise<Store> {
  return new JsonStore({ folder: join(folder, String(++made)), durability })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
