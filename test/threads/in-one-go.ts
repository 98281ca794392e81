/**
 * Calls that are made by the thousand without a turn of the event loop: the pool looks meanwhile what has ended, and
 * settles it later. What is found in between must neither be forgotten nor come twice.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Test, t as tap, test } from 'tap'
import { ThreadPool, type ThreadPoolOptions } from '../../dist/lib/threads/pool.js'
import type { Outcome } from '../../lib/core/executor.js'
import type { Work, WorkCall } from '../../lib/threads/job.js'
import { root, runNode } from '../fixtures/project.js'

const folder = tap.testdir({
  'tasks.mjs': `
    const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
    export const echo = value => value
    export const spins = ms => { const end = performance.now() + ms; while (performance.now() < end); return ms }
    export const leaves = async ms => { Promise.reject(new Error('left behind')); await sleep(ms) }
  `,
})
const url = pathToFileURL(join(folder, 'tasks.mjs')).href
const { signal } = new AbortController()

interface Made {
  readonly work: Work
  readonly ends: Outcome[]
  readonly ended: Promise<Outcome>
  stop(): void
}

interface More {
  readonly id?: string
  readonly owner?: object
  readonly timeoutMs?: number
  readonly onEnded?: () => void
}

let count = 0

/** A call of one series with others, unless it has an `id` of its own. */
function make(
  exportName: string,
  args: readonly unknown[],
  { id = 'run-', owner, timeoutMs, onEnded }: More = {},
): Made {
  const ends: Outcome[] = []
  let stop = (): void => {}
  let tell = (_: Outcome): void => {}
  const ended = new Promise<Outcome>(resolve => (tell = resolve))
  const number = count++
  const call: WorkCall = {
    id: id + number,
    name: id + number,
    idNumber: number,
    nameNumber: number,
    series: { id, name: id },
    attempt: 1,
    flowRunId: 'flow-1',
    tags: [],
    signal,
    timeoutMs,
    whenStopped: listener => (stop = typeof listener === 'function' ? listener : () => listener.onStop()),
    started() {},
    log() {},
    printed() {},
    progress() {},
  }
  const work: Work = {
    call,
    code: { key: exportName, taskName: exportName, url, exportName },
    priority: 0,
    owner,
    args,
    encodeArgs: () => args,
    ended(outcome) {
      ends.push(outcome)
      tell(outcome)
      onEnded?.()
    },
  }
  return { work, ends, ended, stop: () => stop() }
}

function open(t: Test, options: Partial<ThreadPoolOptions> = {}): ThreadPool {
  const pool = new ThreadPool({ threads: 1, cancelGraceMs: 50, warn: () => {}, ...options })
  t.teardown(() => pool[Symbol.asyncDispose]())
  return pool
}

/** So many that the pool looks while they are made. */
function runAll(pool: ThreadPool, made: readonly Made[]): Promise<Outcome[]> {
  for (const { work } of made) pool.run(work)
  return Promise.all(made.map(({ ended }) => ended))
}

function many(count: number, exportName: string, argsOf: (index: number) => unknown[], more?: More): Made[] {
  return Array.from({ length: count }, (_, index) => make(exportName, argsOf(index), more))
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('each of many gets its own value, once', async t => {
  const pool = open(t, { threads: 2 })
  for (let round = 0; round < 3; round++) {
    const made = many(10_000, 'echo', index => [index])
    const outcomes = await runAll(pool, made)
    t.ok(outcomes.every((outcome, index) => outcome.type === 'returned' && outcome.value === index))
    t.ok(made.every(({ ends }) => ends.length === 1))
  }
})

test('calls that an end sets off do not make the pool forget what it finds meanwhile', async t => {
  const pool = open(t)
  await runAll(
    pool,
    many(2000, 'echo', index => [index]),
  )
  for (const after of [1, 5, 20, 60, 99]) {
    let ended = 0
    const more: Made[] = []
    const onEnded = (): void => {
      if (++ended !== after) return
      block(30)
      more.push(...many(1200, 'echo', index => [index]))
      for (const { work } of more) pool.run(work)
    }
    const first = [
      ...many(100, 'spins', () => [0.2], { onEnded }),
      ...many(50, 'spins', () => [0.2], { timeoutMs: 5000 }),
    ]
    await runAll(pool, first)
    await Promise.all(more.map(({ ended }) => ended))
    t.ok([...first, ...more].every(({ ends }) => ends.length === 1 && ends[0]?.type === 'returned'))
  }
})

test('what fails in the background of a running call fails that call, also where its end is found while calls are made', async t => {
  const pool = open(t)
  await runAll(
    pool,
    many(2000, 'echo', index => [index]),
  )
  for (const pauseAfter of [100, 600, 1000, 1400]) {
    const leaving = make('leaves', [3])
    pool.run(leaving.work)
    const behind = many(1500, 'echo', index => [index])
    for (const [index, { work }] of behind.entries()) {
      if (index === pauseAfter) block(30)
      pool.run(work)
    }
    t.match(await leaving.ended, { type: 'threw', error: { message: 'left behind' } })
    await Promise.all(behind.map(({ ended }) => ended))
  }
})

test('a thread that is still starting is past any number of calls that were stopped meanwhile', async t => {
  const pool = open(t)
  const stopped = [
    make('echo', [0]),
    ...Array.from({ length: 1100 }, (_, index) => make('echo', [0], { id: `flow-${index}-` })),
  ]
  for (const { work, stop } of stopped) {
    pool.run(work)
    if (pool.threadCount === 0) await new Promise(resolve => setImmediate(resolve))
    stop()
  }
  const last = make('echo', [42], { id: 'last-' })
  pool.run(last.work)
  t.strictSame(await last.ended, { type: 'returned', value: 42 })
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
