/**
 * Calls that are made by the thousand without a turn of the event loop: the pool looks meanwhile what has ended, and
 * settles it later. What is found in between must neither be forgotten nor come twice.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Test, t as tap, test } from 'tap'
import { ThreadPool } from '../../dist/lib/threads/pool.js'
import type { Call, Outcome } from '../../lib/core/executor.js'
import { root, runNode } from '../fixtures/project.js'
import { callOf, type HandmadeCall, runIn, taskOf } from './fixtures/calls.js'

tap.setTimeout(240_000)

const folder = tap.testdir({
  'tasks.mjs': `
    const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
    export const echo = value => value
    export const spins = ms => { const end = performance.now() + ms; while (performance.now() < end); return ms }
    export const leaves = async ms => { Promise.reject(new Error('left behind')); await sleep(ms) }
  `,
})
const file = join(folder, 'tasks.mjs')
const url = pathToFileURL(file).href

/** A call that has been made, and how often it has ended. */
interface Made {
  readonly call: HandmadeCall
  readonly outcome: Promise<Outcome>
  readonly ends: number
}

function open(t: Test): ThreadPool {
  const pool = new ThreadPool({ threads: 1, cancelGraceMs: 50, warn: () => {} })
  t.teardown(() => pool[Symbol.asyncDispose]())
  return pool
}

/** As those of a flow, calls of one task share all but their numbers. */
const series = { id: 'run-', name: 'run-' }
let count = 0

function run(pool: ThreadPool, name: string, value: number, more: Partial<Call> = {}, onEnded?: () => void): Made {
  const number = count++
  const call = callOf(taskOf(file, name), [value], { series, idNumber: number, nameNumber: number, ...more })
  let ends = 0
  const ended = (): void => {
    ends++
    onEnded?.()
  }
  const outcome = runIn(pool, call, { key: name, taskName: name, url, exportName: name }, ended)
  return {
    call,
    outcome,
    get ends() {
      return ends
    },
  }
}

function many(count: number, makeOne: (index: number) => Made): Made[] {
  return Array.from({ length: count }, (_, index) => makeOne(index))
}

function outcomesOf(made: readonly Made[]): Promise<Outcome[]> {
  return Promise.all(made.map(({ outcome }) => outcome))
}

/** So that no time is lost for threads to start and load. */
async function warm(pool: ThreadPool): Promise<void> {
  await outcomesOf(many(2000, index => run(pool, 'echo', index)))
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('each of many gets its own value, once', async t => {
  await using pool = new ThreadPool({ threads: 2, warn: () => {} })
  for (let round = 0; round < 3; round++) {
    const made = many(10_000, index => run(pool, 'echo', index))
    const outcomes = await outcomesOf(made)
    t.ok(outcomes.every((outcome, index) => outcome.type === 'returned' && outcome.value === index))
    t.ok(made.every(({ ends }) => ends === 1))
  }
})

test('calls that an end sets off do not make the pool forget what it finds meanwhile', async t => {
  const pool = open(t)
  await warm(pool)
  for (const after of [1, 5, 20, 60, 99]) {
    let ended = 0
    const more: Made[] = []
    const onEnded = (): void => {
      if (++ended !== after) return
      block(30)
      more.push(...many(1200, index => run(pool, 'echo', index)))
    }
    const first = many(100, () => run(pool, 'spins', 0.2, {}, onEnded))
    const urgent = many(50, () => run(pool, 'spins', 0.2, { timeoutMs: 5000, series: undefined }))
    const outcomes = [...(await outcomesOf([...first, ...urgent])), ...(await outcomesOf(more))]
    t.equal(outcomes.length, 1350)
    t.ok(outcomes.every(({ type }) => type === 'returned'))
    t.ok([...first, ...urgent, ...more].every(({ ends }) => ends === 1))
  }
})

test('what fails in the background of a running call fails that call, also where its end is found while calls are made', async t => {
  const pool = open(t)
  await warm(pool)
  for (const pauseAfter of [100, 600, 1000, 1400]) {
    const leaving = run(pool, 'leaves', 3)
    const behind = many(1500, index => {
      if (index === pauseAfter) block(30)
      return run(pool, 'echo', index)
    })
    t.match(await leaving.outcome, { type: 'threw', error: { message: 'left behind' } })
    await outcomesOf(behind)
  }
})

test('a thread that is still starting is past any number of calls that were stopped meanwhile', async t => {
  const pool = open(t)
  for (let index = 0; index <= 1100; index++) {
    const { call } = run(pool, 'echo', 0, { series: { id: `flow-${index}-`, name: `flow-${index}-` } })
    while (pool.threadCount === 0) await new Promise(resolve => setImmediate(resolve))
    call.controller.abort()
  }
  t.strictSame(await run(pool, 'echo', 42).outcome, { type: 'returned', value: 42 })
})

test('a process goes on until all that has ended is settled, also when the others were stopped at once', async t => {
  const pool = JSON.stringify(pathToFileURL(join(root, 'dist/lib/threads/pool.js')).href)
  const program = `
    import { ThreadPool } from ${pool}
    const pool = new ThreadPool({ threads: 1, warn() {} })
    const owner = {}
    const code = { key: 'echo', taskName: 'echo', url: ${JSON.stringify(url)}, exportName: 'echo' }
    const call = { id: '1', name: 'n', attempt: 1, flowRunId: 'f', tags: [], whenStopped() {}, started() {}, log() {}, printed() {}, progress() {} }
    let open = 0
    let settled
    const run = x => {
      open++
      const ended = () => { if (--open === 0) settled?.() }
      pool.run({ call, code, owner, priority: 0, args: [x], encodeArgs: () => [x], ended })
    }
    const all = () => new Promise(resolve => { settled = resolve; if (open === 0) resolve() })
    const block = ms => { const end = performance.now() + ms; while (performance.now() < end); }
    for (let x = 0; x < 3000; x++) run(x)
    await all()
    for (let time = 0; time < 40; time++) {
      const calls = 1100 + 64 * time
      for (let x = 0; x < calls; x++) {
        if (x % 512 === 511) block(5)
        run(x)
      }
      pool.stopAllOf(owner)
      await all()
    }
    console.log('all settled')
  `
  const ended = await runNode(['--input-type=module', '-e', program], { cwd: folder })
  t.equal(ended.stdout, 'all settled\n', ended.stderr)
  t.equal(ended.code, 0)
})
