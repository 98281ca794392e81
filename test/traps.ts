/**
 * Programs whose tasks could give another answer on threads than at home. Each is run with every executor: at home it
 * gives its answer; on threads the same one, or an error that says why not. Never another, and never none.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { createEngine, flow, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { type Test, t as tap, test } from 'tap'
import type { ErrorCode } from '../lib/core/errors.js'
import { type Ended, installIn, linesOf, runNode } from './fixtures/project.js'

tap.setTimeout(300_000)

const kit = `
import { ConcurrentExecutor, ParallelExecutor, SequentialExecutor } from 'mintaka'
const executors = { SequentialExecutor, ConcurrentExecutor, ParallelExecutor }
const Executor = executors[process.env.EXECUTOR]
export const options = { executor: new Executor(Executor === ParallelExecutor ? { threads: 2 } : {}) }

/** Prints what comes of a promise. */
export async function tell(promise) {
  const told = await promise.then(value => ({ value }), ({ code, message }) => ({ code, message }))
  console.log('told ' + JSON.stringify(told))
}
`
const folder = installIn(tap.testdir({ 'package.json': '{ "type": "module" }', 'kit.js': kit }))
const home = ['SequentialExecutor', 'ConcurrentExecutor'] as const
const everywhere = [...home, 'ParallelExecutor'] as const

interface Told {
  readonly value?: unknown
  readonly code?: ErrorCode
  readonly message?: string
}

type ExecutorName = (typeof everywhere)[number]

/** Runs a program that tells what comes of its flows, under a first line of imports. */
async function run(name: string, code: string, executor: ExecutorName, input = ''): Promise<Ended & { told: Told[] }> {
  const file = `${name.replace(/\W+/g, '-')}-${executor}.mjs`
  const imports = "import { flow, task } from 'mintaka'; import { options, tell } from './kit.js'"
  writeFileSync(join(folder, file), `${imports}\n${code}`)
  const env = { EXECUTOR: executor, MINTAKA_HOME: join(folder, `home-${file}`) }
  const ended = await runNode([file], { cwd: folder, env, input })
  return { ...ended, told: toldIn(ended) }
}

function toldIn({ stdout }: Ended): Told[] {
  return stdout.split('\n').flatMap(line => (line.startsWith('told ') ? [JSON.parse(line.slice(5)) as Told] : []))
}

async function gives(t: Test, code: string, executor: ExecutorName, answers: readonly unknown[]) {
  const ended = await run(t.name, code, executor)
  const told = answers.map(value => ({ value }))
  if (!t.strictSame(ended.told, told, executor) || !t.equal(ended.code, 0)) t.comment(ended.stderr)
}

async function refuses(t: Test, code: string, executor: ExecutorName, error: ErrorCode, words: readonly string[] = []) {
  const ended = await run(t.name, code, executor)
  if (!t.ok(ended.told.length > 0) || !t.equal(ended.code, 0)) t.comment(ended.stderr)
  for (const told of ended.told) {
    t.equal(told.code, error)
    for (const word of words) t.match(told.message, word)
  }
}

/** What a program tells is the same everywhere. */
function same(name: string, code: string, answers: readonly unknown[]) {
  test(name, t => Promise.all(everywhere.map(executor => gives(t, code, executor, answers))))
}

/** What a program tells at home is refused on threads, with these words among others. */
function refused(name: string, code: string, answers: readonly unknown[], error: ErrorCode, words: readonly string[]) {
  test(name, async t => {
    await Promise.all(home.map(executor => gives(t, code, executor, answers)))
    await refuses(t, code, 'ParallelExecutor', error, words)
  })
}

refused(
  'a local of a factory is named, and no task gets that of another',
  `
  const times = k => task('times', x => x * k)
  const twice = times(2), thrice = times(3)
  await tell(flow('f', () => Promise.all([twice(10), thrice(10)]), options)())
  `,
  [[20, 30]],
  'CAPTURES_LOCAL',
  ["uses the local variable 'k'", 'declared at line 3', 'captures: { k }'],
)

same(
  'a local that is listed travels, each with its task',
  `
  const times = k => task('times', x => x * k, { captures: { k } })
  const twice = times(2), thrice = times(3)
  await tell(flow('f', () => Promise.all([twice(10), thrice(10), twice(1)]), options)())
  `,
  [[20, 30, 2]],
)

refused(
  'a local of a flow is named',
  `
  await tell(flow('f', ({ k }) => task('add', x => x + k)(41), options)({ k: 1 }))
  `,
  [42],
  'CAPTURES_LOCAL',
  ["uses the local variable 'k'"],
)

refused(
  'the variable of a loop is a local',
  `
  const tasks = []
  for (const k of [1, 2]) tasks.push(task('k', () => k))
  await tell(flow('f', () => Promise.all(tasks.map(one => one())), options)())
  `,
  [[1, 2]],
  'CAPTURES_LOCAL',
  ["uses the local variable 'k'"],
)

refused(
  'a local that hides a variable of the module is not taken for it',
  `
  const k = 1
  const make = () => { const k = 2; return task('k', () => k) }
  const one = make()
  await tell(flow('f', () => one(), options)())
  `,
  [2],
  'CAPTURES_LOCAL',
  ["uses the local variable 'k'", 'declared at line 4'],
)

refused(
  'a function that was handed to a factory is a local',
  `
  const named = fn => task('named', fn)
  const inc = named(x => x + 1), dec = named(x => x - 1)
  await tell(flow('f', () => Promise.all([inc(1), dec(1)]), options)())
  `,
  [[2, 0]],
  'CAPTURES_LOCAL',
  ["uses the local variable 'fn'"],
)

refused(
  'the arguments of the function around a task are local',
  `
  function make() { return task('first', () => arguments[0]) }
  const first = make(5)
  await tell(flow('f', () => first(), options)())
  `,
  [5],
  'CAPTURES_LOCAL',
  ["'arguments'"],
)

refused(
  'this is refused',
  `
  class Rate { k = 3; times = task('times', x => x * this.k) }
  const rate = new Rate()
  await tell(flow('f', () => rate.times(2), options)())
  `,
  [6],
  'CAPTURES_THIS',
  ['uses this of the function around it', ':3)'],
)

refused(
  'super is refused',
  `
  class Base { rate() { return 4 } }
  class Rate extends Base { task() { return task('rate', () => super.rate()) } }
  const rate = new Rate().task()
  await tell(flow('f', () => rate(), options)())
  `,
  [4],
  'CAPTURES_THIS',
  ['uses super of the function around it'],
)

same(
  'this of an object that travels is that object',
  `
  const rate = { k: 3, times(x) { return x * this.k } }
  const times = task('times', x => rate.times(x))
  await tell(flow('f', () => times(2), options)())
  `,
  [6],
)

const reassigned = {
  'in a flow': `
  let level = 1
  const read = task('read', () => level)
  await tell(flow('f', () => { level = 2; return read() }, options)())
  `,
  'under a condition': `
  let level = 1
  if (process.argv.length > 0) level = 2
  const read = task('read', () => level)
  await tell(flow('f', () => read(), options)())
  `,
  'in a loop': `
  let level = 0
  for (const more of [1, 1]) level += more
  const read = task('read', () => level)
  await tell(flow('f', () => read(), options)())
  `,
  'by a function': `
  let level = 1
  const setLevel = value => { level = value }
  const get = () => level
  const read = task('read', () => get())
  await tell(flow('f', () => { setLevel(2); return read() }, options)())
  `,
  'by an event': `
  let level = 1
  process.once('level', value => { level = value })
  process.emit('level', 2)
  const read = task('read', () => level)
  await tell(flow('f', () => read(), options)())
  `,
  'when a promise is kept': `
  let level = 1
  await Promise.resolve(2).then(value => { level = value })
  const read = task('read', () => level)
  await tell(flow('f', () => read(), options)())
  `,
  'in what it holds': `
  const level = { now: 1 }
  const read = task('read', () => level.now)
  await tell(flow('f', () => { level.now = 2; return read() }, options)())
  `,
  'in the list that it holds': `
  const level = [0]
  const read = task('read', () => level.length)
  await tell(flow('f', () => { level.push(1); return read() }, options)())
  `,
  'in its static field': `
  class level { static now = 1 }
  const read = task('read', () => level.now)
  await tell(flow('f', () => { level.now = 2; return read() }, options)())
  `,
}
for (const [how, code] of Object.entries(reassigned)) {
  refused(`a variable of the module that changes ${how} is named`, code, [2], 'STALE_VARIABLE', [
    "uses the module variable 'level'",
  ])
}

refused(
  'a variable of the module that changes between two flows is named',
  `
  let level = 1
  const read = task('read', () => level)
  const report = flow('f', () => read(), options)
  await tell(report())
  level = 2
  await tell(report())
  `,
  [1, 2],
  'STALE_VARIABLE',
  ["uses the module variable 'level', which is assigned at line 7, after line 6 runs a flow"],
)

same(
  'a variable of the module that is built up at the top level arrives as it was built',
  `
  let level = 1
  level = 2
  const table = new Map()
  table.set('a', 1)
  const read = task('read', () => [level, table.get('a')])
  await tell(flow('f', () => read(), options)())
  `,
  [[2, 1]],
)

refused(
  'two tasks of one name are told apart by their lines',
  `
  const first = task('load', () => 'first')
  const second = task('load', () => 'second')
  await tell(flow('f', () => Promise.all([first(), second()]), options)())
  `,
  [['first', 'second']],
  'DUPLICATE_NAME',
  ["named 'load'", 'lines 3 and 4'],
)

refused(
  'a name that is made at run time is asked to be a literal',
  `
  const tasks = ['a', 'b'].map(name => task(name, x => name + x))
  await tell(flow('f', () => Promise.all(tasks.map(one => one(1))), options)())
  `,
  [['a1', 'b1']],
  'NOT_LOCATED',
  ["there is no call task('a', …) with a literal name"],
)

same(
  'a task may be made below a flow that was awaited',
  `
  const one = task('one', x => x + 1)
  await tell(flow('f', () => one(1), options)())
  const two = task('two', x => x + 2)
  await tell(flow('g', () => two(1), options)())
  `,
  [2, 3],
)

same(
  'a task may be made in the body of a flow',
  `
  await tell(flow('f', () => task('one', x => x + 1)(41), options)())
  `,
  [42],
)

same(
  'a task finds what the top level waits for',
  `
  const rate = await new Promise(resolve => setTimeout(resolve, 50, { k: 2 }))
  const times = task('times', x => x * rate.k)
  await tell(flow('f', () => times(4), options)())
  `,
  [8],
)

same(
  'a server at the top level listens once',
  `
  import { createServer } from 'node:http'
  const server = createServer((_, response) => response.end('hi')).listen(process.env.EXECUTOR + '.sock')
  const one = task('one', async x => x + 1)
  await tell(flow('f', () => one(1), options)())
  server.close()
  `,
  [2],
)

test('a question at the top level is asked once', async t => {
  const code = `
  import { createInterface } from 'node:readline/promises'
  const ask = createInterface({ input: process.stdin, output: process.stdout })
  const name = await ask.question('name? ')
  const greet = task('greet', name => 'hello ' + name)
  await tell(flow('f', () => greet(name), options)())
  ask.close()
  `
  for (const executor of everywhere) {
    const { stdout } = await run(t.name, code, executor, 'Ada\n')
    t.equal(stdout.trimEnd(), `name? told {"value":"hello Ada"}`)
  }
})

test('a watchdog ends a program whose tasks do not end', async t => {
  const code = `
  import { existsSync, writeFileSync } from 'node:fs'
  const begun = process.env.EXECUTOR + '.begun'
  const wait = task('wait', file => { writeFileSync(file, ''); return new Promise(() => {}) })
  const spin = task('spin', file => { writeFileSync(file, ''); for (;;); })
  process.on('exit', () => console.log('the end'))
  setInterval(() => existsSync(begun) && process.exit(3), 10)
  const one = process.env.EXECUTOR === 'ParallelExecutor' ? spin : wait
  await flow('f', () => one(begun), options)()
  `
  for (const executor of everywhere) {
    const ended = await run(t.name, code, executor)
    t.equal(ended.code, 3)
    t.equal(ended.stdout, 'the end\n')
    t.ok(existsSync(join(folder, `${executor}.begun`)))
  }
})

test('a program that exits after its flow exits once', async t => {
  const code = `
  import { appendFileSync } from 'node:fs'
  const one = task('one', x => x + 1)
  const report = flow('f', () => one(1), options)
  process.on('exit', () => appendFileSync(process.env.EXECUTOR + '.ends', 'end\\n'))
  tell(report()).finally(() => process.exit(0))
  `
  for (const executor of everywhere) {
    await gives(t, code, executor, [2])
    t.strictSame(linesOf(join(folder, `${executor}.ends`)), ['end'])
  }
})

test('a task that calls process.exit ends its worker, and not the program', async t => {
  const code = `\nawait tell(flow('f', () => task('quit', () => process.exit(7))(), options)())\n`
  await refuses(t, code, 'ParallelExecutor', 'WORKER_LOST')
})

test('a value that is made by chance is made once in each worker', async t => {
  const code = `
  const id = Math.random()
  const read = task('read', () => id)
  await tell(flow('f', async () => [id, await read(), await read()], options)())
  `
  for (const executor of home) {
    const { told } = await run(t.name, code, executor)
    const [value, first, second] = told[0]!.value as number[]
    t.strictSame([first, second], [value, value])
  }
  const { told } = await run(t.name, code, 'ParallelExecutor')
  const [value, ...others] = told[0]!.value as number[]
  t.ok(others.every(other => other !== value && other > 0 && other < 1))
})

refused(
  'a function is no argument',
  `
  const call = task('call', fn => fn())
  await tell(flow('f', () => call(() => 1), options)())
  `,
  [1],
  'NOT_SENDABLE',
  ["Task 'call': argument 1"],
)

refused(
  'a file that has changed since it was loaded is not sent as it is now',
  `
  import { readFileSync, writeFileSync } from 'node:fs'
  const source = readFileSync(import.meta.filename, 'utf8')
  const old = task('old', () => 'old')
  writeFileSync(import.meta.filename, source.replaceAll("'old'", "'newer'"))
  await tell(flow('f', () => old(), options)())
  `,
  ['old'],
  'SOURCE_CHANGED',
  ['has changed since it was loaded'],
)

test('a flow is not called in a task, wherever that runs', async t => {
  const code = `
  const inner = flow('inner', () => 1)
  const one = task('one', () => inner())
  await tell(flow('f', () => one(), options)())
  `
  for (const executor of everywhere) {
    await refuses(t, code, executor, 'FLOW_IN_TASK')
  }
})

const typed = (executor: string) =>
  `import('mintaka').then(({ flow, task, ${executor} }) => flow('f', () => task('one', x => x + 1)(1), ` +
  `{ executor: ${executor} })().then(value => ({ value }), ({ code, message }) => ({ code, message })))` +
  `.then(told => console.log('\\ntold ' + JSON.stringify(told))).then(() => process.exit())\n`

const typedInto = {
  '-e': { args: ['-e'] },
  '-e as a module': { args: ['--input-type=module', '-e'] },
  'standard input': { args: ['-'] },
  'standard input as a module': { args: ['--input-type=module', '-'] },
  'the REPL': { args: ['-i'], isInputOpen: true },
}
for (const [name, { args, ...rest }] of Object.entries(typedInto)) {
  test(`a task that was typed into ${name} runs at home, and is to be put in a file for threads`, async t => {
    for (const executor of everywhere) {
      const code = typed(executor)
      const env = { MINTAKA_HOME: join(folder, `home-${name}-${executor}`) }
      const takesArgument = args.includes('-e')
      const ended = await runNode([...args, ...(takesArgument ? [code] : [])], {
        cwd: folder,
        env,
        ...(!takesArgument && { input: code }),
        ...rest,
      })
      const [told] = toldIn(ended)
      if (!told) t.comment(ended.stdout, ended.stderr)
      if (executor !== 'ParallelExecutor') t.strictSame(told, { value: 2 })
      else t.match(told, { code: 'NO_FILE', message: /there is no file to ship\. Put it in a file\.$/ })
      t.equal(ended.code, 0)
    }
  })
}

const grams = { gram: 1, kilo: 1000 } as const
const weigh = task('weigh', (count: number, unit: keyof typeof grams) => ({ grams: count * grams[unit], isMainThread }))
const executor = new ParallelExecutor({ threads: 2 })

test('a task of a test file, and one made in a test, travel', async t => {
  await using engine = createEngine({ store: new MemoryStore() })
  const double = task('double', (of: { grams: number }) => ({ grams: of.grams * 2, isMainThread }))
  const report = flow('report', () => double(weigh(2, 'kilo')), { executor, engine })
  t.strictSame(await report(), { grams: 4000, isMainThread: false })
})

test('a local of a test is named', async t => {
  await using engine = createEngine({ store: new MemoryStore() })
  const factor = 3
  const more = task('more', (x: number) => x * factor)
  const captured = task('captured', (x: number) => x * factor, { captures: { factor } })
  const run = (one: typeof more) => flow('run', () => one(2), { executor, engine })()
  await t.rejects(run(more), {
    code: 'CAPTURES_LOCAL',
    message: /^Task 'more' \(traps\.ts:\d+\) uses the local variable 'factor'/,
  })
  t.equal(await run(captured), 6)
})
