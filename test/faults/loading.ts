/** Code that does not load fails those who call it, with the reason; threads that do not start are not started for ever. */
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { flow, ParallelExecutor, type SettledState, type TaskFuture, task } from 'mintaka'
import { type Test, t as tap, test } from 'tap'
import { installIn, linesOf, root, runNode } from '../fixtures/project.js'
import { act } from './fixtures/acts.js'
import { threads, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(300_000)

const folder = tap.testdir({
  'throws.mjs': 'throw new TypeError("does not load")',
  'syntax.mjs': 'export const run = = 1',
  'imports.mjs': 'import "./not-there.mjs"; export const run = () => 1',
  'other.mjs': 'export const walk = () => 1',
  'exits.mjs': 'process.exit(5)',
  'eats.mjs': 'const all = []; for (;;) all.push(new Array(1e5).fill(Math.random()))',
  'spins.mjs': 'for (;;);',
  'never.mjs': 'await new Promise(() => setTimeout(() => {}, 1e6)); export const run = () => 1',
  'strays.mjs': 'Promise.reject(new Error("left by a module")); export const run = x => x',
  'thenable.mjs': 'export const then = () => { throw new Error("then") }; export const run = x => x',
})
const url = (name: string) => pathToFileURL(join(folder, name)).href
const options = { cancelGraceMs: 50, idleTimeoutMs: 500, resourceLimits: { maxOldGenerationSizeMb: 24 } }
const executor = new ParallelExecutor({ threads: 2, ...options })

interface Ended {
  readonly states: SettledState[]
  readonly started: number
}

/** Calls each as often as `count` says among honest ones, which have to give their values. */
async function amongHonest(t: Test, watch: Watch, count: number, call: () => TaskFuture<unknown>): Promise<Ended> {
  const before = threads.started
  let states: SettledState[] = []
  const run = flow(
    'loading',
    async () => {
      const bad: TaskFuture<unknown>[] = []
      const good: TaskFuture<unknown>[] = []
      for (let index = 0; index < count; index++) {
        bad.push(call())
        good.push(act(watch.witness, 'nothing', index))
      }
      watch.follow([...bad, ...good])
      states = await Promise.all(bad.map(future => future.wait()))
      return Promise.all(good)
    },
    { executor },
  )
  t.strictSame(await watch.engine.run(run), [...Array(count).keys()])
  return { states, started: threads.started - before }
}

const refusals: readonly [file: string, error: object][] = [
  ['throws.mjs', { name: 'TypeError', message: 'does not load' }],
  ['syntax.mjs', { name: 'SyntaxError' }],
  ['imports.mjs', { code: 'ERR_MODULE_NOT_FOUND' }],
  ['not-there.mjs', { code: 'ERR_MODULE_NOT_FOUND' }],
  ['other.mjs', { code: 'BUILD', message: /no function 'run'/ }],
]
for (const [file, error] of refusals) {
  story(
    `a module that does not load (${file}) fails each of its calls with the reason, and no thread`,
    async (t, watch) => {
      const broken = task.fromModule(url(file), 'run')
      const { states, started } = await amongHonest(t, watch, 100, () => broken())
      t.equal(states.length, 100)
      for (const state of states) t.match(state, { type: 'FAILED', error })
      t.ok(started <= 8, `${started} threads were started`)
    },
  )
}

for (const [file, message] of [
  ['exits.mjs', /exited with code 5/],
  ['eats.mjs', /ran out of memory/],
] as const) {
  story(
    `a module that ends the thread which loads it (${file}) costs its own calls a thread each, and no more`,
    async (t, watch) => {
      const deadly = task.fromModule(url(file), 'run')
      const { states, started } = await amongHonest(t, watch, 6, () => deadly())
      for (const state of states) t.match(state, { type: 'CRASHED', error: { code: 'WORKER_LOST', message } })
      t.ok(started <= 12, `${started} threads were started for 6 calls`)
    },
  )
}

for (const file of ['spins.mjs', 'never.mjs']) {
  story(
    `a module that is never loaded (${file}) is given up at the deadline of the call, or when it is cancelled`,
    async (t, watch) => {
      const endless = task.fromModule(url(file), 'run')
      const { states } = await amongHonest(t, watch, 2, () => endless.with({ timeoutMs: 100 })())
      for (const state of states) t.match(state, { type: 'FAILED', name: 'TimedOut' })
      const run = flow(
        'cancelled',
        async () => {
          const [future] = watch.follow([endless()])
          setTimeout(() => void future?.cancel(), 100)
          return (await future?.wait())?.name
        },
        { executor },
      )
      t.equal(await watch.engine.run(run), 'Cancelled')
    },
  )
}

story('what a module leaves behind while it loads fails nobody but itself', async (t, watch) => {
  const leaving = task.fromModule<[number], number>(url('strays.mjs'), 'run')
  const { states } = await amongHonest(t, watch, 3, () => leaving(7))
  for (const { type } of states) t.match(type, /COMPLETED|FAILED/)
})

const setting = settingOf()
function settingOf(): number {
  if (!isMainThread) throw new RangeError('no such setting here')
  return 1
}
const configured = task('configured', () => setting)

story('a slice whose top level throws fails each of its calls with the reason, and no thread', async (t, watch) => {
  const { states, started } = await amongHonest(t, watch, 100, () => configured())
  for (const state of states)
    t.match(state, { type: 'FAILED', error: { name: 'RangeError', message: 'no such setting here' } })
  t.ok(started <= 8, `${started} threads were started`)
})

const program = `
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import { flow, ParallelExecutor, task } from 'mintaka'
let started = 0
subscribe('worker_threads', () => started++)
const one = task('one', x => x)
const run = flow('f', async () => {
  const states = await Promise.all(Array.from({ length: 50 }, (_, index) => one(index).wait()))
  return states.map(({ type, error }) => type + ' ' + error?.code + ' ' + error?.message.split('\\n')[0])
}, { executor: new ParallelExecutor({ threads: 2 }) })
const told = await run()
for (const line of new Set(told)) appendFileSync('told', line + '\\n')
appendFileSync('told', told.length + ' calls, ' + started + ' threads\\n')
`

const doors = {
  'throws when it is loaded': 'throw new Error("the door is broken")',
  'does not parse': 'export default = 1',
  'is not there': undefined,
  'requires what is not there': 'require("./nothing-of-the-kind.cjs")',
  'ends its thread': 'process.exit(9)',
}
for (const [how, code] of Object.entries(doors)) {
  test(`a worker whose file ${how}: each call says so, few threads are started, and the program ends`, async t => {
    const home = installIn(t.testdir({ 'package.json': '{ "type": "module" }', 'program.js': program }))
    cpSync(join(root, 'dist'), join(home, 'node_modules', 'mintaka', 'dist'), { recursive: true })
    const door = join(home, 'node_modules', 'mintaka', 'dist', 'workers', 'thread.cjs')
    if (code === undefined) rmSync(door)
    else writeFileSync(door, code)
    const ended = await runNode(['program.js'], { cwd: home, env: { MINTAKA_HOME: join(home, 'home') } })
    t.equal(ended.code, 0, ended.stderr.slice(0, 2000))
    const told = linesOf(join(home, 'told'))
    const counts = /^50 calls, (\d+) threads$/.exec(told.at(-1) ?? '')
    t.ok(counts, told.join('\n'))
    for (const line of told.slice(0, -1)) t.match(line, /^CRASHED (WORKER_LOST|EXECUTOR_FAILED) /)
    t.comment(told.join('\n'))
    t.ok(Number(counts?.[1]) <= 10, `${counts?.[1]} threads were started for 50 calls`)
  })
}
