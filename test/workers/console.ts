import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, t as tap, test } from 'tap'
import { ParallelExecutor } from '../../dist/lib/executors/parallel.js'
import type { Outcome } from '../../lib/core/executor.js'
import { installIn, runNode } from '../fixtures/project.js'
import { callOf, type HandmadeCall, surroundings, taskOf } from '../threads/fixtures/calls.js'

const code = `
import { existsSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
const { taskContext } = globalThis[Symbol.for('mintaka.door')]
const { log } = console
console.log('at the top level')
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

export function everyMethod() {
  console.log('log %d%%', 5, { a: [1] })
  console.info('info')
  console.debug('debug')
  console.warn('warn')
  console.error(new RangeError('error').message)
  console.trace('trace')
  console.dir({ deep: { deeper: { deepest: {} } } }, { depth: 0 })
  console.table([{ a: 1 }])
  console.assert(1 === 2, 'assert')
  console.count('times')
  console.group('group')
  console.log('two\\nlines')
  console.groupEnd()
  console.log('out of the group')
  console.clear()
  log('taken before')
  console.log()
}
export const grouped = () => { console.group('never ended'); console.log('inside') }
export const plain = text => { console.log(text) }
export const nested = () => console.log({ [inspect.custom]() { console.debug('inner'); return 'outer' } })
export function mixes(n) {
  for (let i = 0; i < n; i++) (i % 2 ? taskContext().log.info : console.log)('line ' + i)
  return 'done'
}
export function exits(n) { for (let i = 0; i < n; i++) console.log('line ' + i); process.exit(0) }
export function eats(n) {
  for (let i = 0; i < n; i++) console.log('line ' + i)
  const all = []
  for (;;) all.push(new Array(1e5).fill(Math.random()))
}
export const spins = () => { console.log('one'); console.log('two'); for (;;); }
export const later = file => {
  const timer = setInterval(() => { if (existsSync(file)) { clearInterval(timer); console.log('after the end') } }, 1)
  return 'over'
}
export const waits = async ms => { await sleep(ms); console.log('waited') }
export const throwing = () => console.log({ [inspect.custom]() { throw new Error('no name') } })
`

const folder = tap.testdir({ 'tasks.mjs': code })
const tasks = join(folder, 'tasks.mjs')
const session = await open({ threads: 1, cancelGraceMs: 50 })
tap.teardown(() => session[Symbol.asyncDispose]())

async function open(options: ConstructorParameters<typeof ParallelExecutor>[0]) {
  const session = await new ParallelExecutor(options).start(surroundings())
  return {
    submit: async (call: HandmadeCall): Promise<Outcome> => session.submit(call) ?? call.ending,
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}

/** What is printed on the console of this process while a test runs, by method. It is printed nowhere else. */
function listen(t: Test): [method: string, text: unknown][] {
  const printed: [string, unknown][] = []
  for (const method of ['log', 'debug', 'warn', 'error'] as const) {
    t.intercept(console, method, { value: (...args: unknown[]) => void printed.push([method, ...(args as [unknown])]) })
  }
  return printed
}

const callTo = (name: string, ...args: unknown[]): HandmadeCall => callOf(taskOf(tasks, name), args)
const lines = (n: number) => Array.from({ length: n }, (_, index) => `line ${index}`)
const textsOf = (call: HandmadeCall) => call.printedLines.map(([, text]) => text)

test('every method prints what it would, once, and at its level', async t => {
  const printed = listen(t)
  const call = callTo('everyMethod')
  t.match(await session.submit(call), { type: 'returned' })
  const said = call.printedLines.map(([level, text]) => [level, text] as [string, string])
  const trace = said.splice(5, 1)[0]!
  t.match(trace, ['warn', /^Trace: trace\n {4}at everyMethod \(.*tasks\.mjs:15/])
  t.strictSame(said, [
    ['info', 'log 5% { a: [ 1 ] }'],
    ['info', 'info'],
    ['debug', 'debug'],
    ['warn', 'warn'],
    ['error', 'error'],
    ['info', '{ deep: [Object] }'],
    ['info', '┌─────────┬───┐\n│ (index) │ a │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘'],
    ['warn', 'Assertion failed: assert'],
    ['info', 'times: 1'],
    ['info', 'group'],
    ['info', '  two\n  lines'],
    ['info', 'out of the group'],
    ['info', 'taken before'],
    ['info', ''],
  ])
  t.strictSame(printed[0], ['log', 'at the top level'], 'which belongs to no call, and is printed all the same')
  const methods: Record<string, string> = { info: 'log', debug: 'debug', warn: 'warn', error: 'error' }
  const again = call.printedLines.map(([level, text]) => [methods[level as string], text])
  t.strictSame(printed.slice(1), again)
})

test('a group ends with the call that opened it', async t => {
  listen(t)
  const [grouped, plain] = [callTo('grouped'), callTo('plain', 'flush left')]
  await Promise.all([session.submit(grouped), session.submit(plain)])
  t.strictSame([textsOf(grouped), textsOf(plain)], [['never ended', '  inside'], ['flush left']])
})

test('what prints while it is printed does not change the level of the outer line', async t => {
  listen(t)
  const call = callTo('nested')
  await session.submit(call)
  t.match(call.printedLines, [
    ['debug', 'inner'],
    ['info', 'outer'],
  ])
})

test('printed and logged lines come in order and before the result', async t => {
  listen(t)
  const call = callTo('mixes', 1000)
  t.strictSame(await session.submit(call), { type: 'returned', value: 'done' })
  t.strictSame(
    call.story.filter(said => said !== 'started'),
    lines(1000).map((line, index) => (index % 2 ? `log ${line}` : `printed ${line}`)),
  )
})

test('a thousand lines before process.exit(0) all arrive', async t => {
  const printed = listen(t)
  const call = callTo('exits', 1000)
  t.match(await session.submit(call), { type: 'crashed' })
  t.strictSame(textsOf(call), lines(1000))
  t.strictSame(
    printed.map(([, text]) => text),
    lines(1000),
  )
})

test('a thousand lines before running out of memory all arrive', async t => {
  listen(t)
  const small = await open({ threads: 1, resourceLimits: { maxOldGenerationSizeMb: 16 } })
  t.teardown(() => small[Symbol.asyncDispose]())
  const call = callTo('eats', 1000)
  t.match(await small.submit(call), { type: 'crashed', error: { message: /ran out of memory/ } })
  t.strictSame(textsOf(call), lines(1000))
})

test('what a spinning task has printed arrives while it spins, and stays when it is ended', async t => {
  listen(t)
  const call = callTo('spins')
  const outcome = session.submit(call)
  while (call.printedLines.length < 2) await delay(5)
  t.strictSame(textsOf(call), ['one', 'two'])
  call.controller.abort()
  t.strictSame(await outcome, { type: 'stopped' })
  t.strictSame(textsOf(call), ['one', 'two'])
})

test('what is printed after the end is printed, and in no log', async t => {
  const printed = listen(t)
  const file = join(folder, 'go')
  const call = callTo('later', file)
  t.match(await session.submit(call), { value: 'over' })
  writeFileSync(file, '')
  while (!printed.some(([, text]) => text === 'after the end')) await delay(5)
  t.strictSame(textsOf(call), [])
})

test('what cannot be formatted throws where it is printed, as console does', async t => {
  listen(t)
  t.match(await session.submit(callTo('throwing')), { type: 'threw', error: { message: 'no name' } })
  const call = callTo('waits', 1)
  await session.submit(call)
  t.strictSame(textsOf(call), ['waited'], 'and the next line is printed')
})

test('a console here that throws costs no line of the log', async t => {
  t.intercept(console, 'log', {
    value: () => {
      throw new Error('torn')
    },
  })
  const call = callTo('plain', 'kept')
  t.match(await session.submit(call), { type: 'returned' })
  t.strictSame(textsOf(call), ['kept'])
})

// Few enough for the socket to its parent: what does not fit there, Node itself loses when a process exits.
const program = `
  import { createEngine, flow, JsonStore, ParallelExecutor, task, taskContext } from 'mintaka'
  const speak = task('speak', (name, n) => {
    for (let i = 0; i < n; i++) console.log(name + ' says ' + i)
    console.error('\\u001b[31m' + name + ' is red\\u001b[39m')
    process.stdout.write(name + ' writes\\n')
    taskContext().log.warn(name + ' logs')
    return n
  })
  const main = flow('main', async () => {
    console.log('the flow speaks')
    return Promise.all([speak('a', 30), speak('b', 30)])
  }, { executor: new ParallelExecutor({ threads: 2 }) })
  const engine = createEngine({ store: new JsonStore({ folder: 'store' }) })
  const run = engine.run(main)
  await run
  if (process.argv[2] === 'exit') process.exit(0)
  const logs = await engine.logs(run.id)
  await engine.close()
  console.log(JSON.stringify({ logs: logs.map(({ level, message }) => [level, message]) }))
`

test('a host that exits right after the flow has every line, once', async t => {
  const cwd = installIn(t.testdir({ 'main.mjs': program }))
  const { code, stdout, stderr } = await runNode(['main.mjs', 'exit'], { cwd })
  t.equal(code, 0)
  const out = stdout.trimEnd().split('\n')
  for (const name of ['a', 'b']) {
    const said = out.filter(line => line.startsWith(`${name} says`))
    t.strictSame(
      said,
      Array.from({ length: 30 }, (_, index) => `${name} says ${index}`),
    )
    t.equal(stderr.split(`\u001b[31m${name} is red\u001b[39m\n`).length, 2)
    t.equal(stderr.split(`${name} logs`).length, 2, 'the logger is told of what was logged only')
    t.equal(stdout.split(`${name} writes\n`).length, 2)
  }
  t.equal(out.length, 63)
})

test('the log of the run has what was printed, without colours, and what was logged', async t => {
  const cwd = installIn(t.testdir({ 'main.mjs': program }))
  const { stdout } = await runNode(['main.mjs'], { cwd })
  const { logs } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { logs: [string, string][] }
  const ofA = logs.filter(([, message]) => message.startsWith('a '))
  t.strictSame(ofA, [
    ...Array.from({ length: 30 }, (_, index) => ['info', `a says ${index}`]),
    ['error', 'a is red'],
    ['warn', 'a logs'],
  ])
  t.equal(logs.length, 64, 'a flow body prints on the console of its process, which is its own')
})
