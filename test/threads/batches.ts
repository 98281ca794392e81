import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Test, t as tap, test } from 'tap'
import { ThreadPool, type ThreadPoolOptions } from '../../dist/lib/threads/pool.js'
import type { Outcome } from '../../lib/core/executor.js'
import { callOf, type HandmadeCall, runIn, taskOf } from './fixtures/calls.js'

tap.setTimeout(240_000)

const folder = tap.testdir({
  'tasks.mjs': `
    import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
    import { threadId } from 'node:worker_threads'
    const { taskContext, transfer } = globalThis[Symbol.for('mintaka.door')]
    const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
    const spin = ms => { const end = performance.now() + ms; while (performance.now() < end); }
    export const echo = value => value
    export const echoLater = async value => { await null; return value }
    export const where = () => threadId
    export const spins = (ms, value) => { spin(ms); return value }
    export const waits = async (ms, value) => { await sleep(ms); return value }
    export const hangs = file => { if (file) writeFileSync(file, ''); for (;;); }
    export const until = file => { while (!existsSync(file)) spin(1) }
    export const witness = (file, value) => { appendFileSync(file, value + ' '); return value }
    export const exits = () => process.exit(3)
    export const eats = () => { const all = []; for (;;) all.push(new Array(1e5).fill(Math.random())) }
    export const unsendable = () => () => 1
    export const throws = text => { throw new Error(text) }
    export const says = (text, times) => {
      const { log, progress, taskRunId } = taskContext()
      for (let time = 0; time < times; time++) log.info(text + ' ' + time)
      progress(1)
      return taskRunId
    }
    export const whoAmI = async () => { const before = taskContext().taskRunId; await null; return [before, taskContext().taskRunId] }
    export const moves = bytes => transfer(new Float64Array([bytes.byteLength, 1]))
    export const leaves = () => { setTimeout(() => { throw new Error('left behind') }, 5); return 1 }
    export async function mixed(file, index, how) {
      appendFileSync(file, index + '\\n')
      if (how === 'spin') spin(12)
      if (how === 'wait') await sleep(8)
      if (how === 'throw') throw new Error('thrown ' + index)
      if (how === 'exit') process.exit(1)
      if (how === 'hang') await sleep(1e6)
      if (how === 'log') taskContext().log.info('line ' + index)
      return index
    }
  `,
})
const url = pathToFileURL(join(folder, 'tasks.mjs')).href
const existing = join(folder, 'existing')
writeFileSync(existing, '')
const warned: unknown[][] = []

interface Bench {
  readonly pool: ThreadPool
  run(name: string, args?: unknown[], more?: Parameters<typeof callOf>[2]): Running
  many(count: number, name: string, argsOf: (index: number) => unknown[]): Running[]
}

interface Running {
  readonly call: HandmadeCall
  readonly outcome: Promise<Outcome>
}

/** A pool whose threads know the codes well enough to take them in batches. */
async function open(t: Test, options: Partial<ThreadPoolOptions> = {}, known = ['echo']): Promise<Bench> {
  const pool = new ThreadPool({ threads: 1, cancelGraceMs: 50, warn: (...line) => void warned.push(line), ...options })
  t.teardown(() => pool[Symbol.asyncDispose]())
  const run: Bench['run'] = (name, args = [], more) => {
    const call = callOf(taskOf(join(folder, 'tasks.mjs'), name), args, more)
    const code = { key: name, taskName: name, url, exportName: name }
    return { call, outcome: runIn(pool, call, code) }
  }
  const many: Bench['many'] = (count, name, argsOf) =>
    Array.from({ length: count }, (_, index) => run(name, argsOf(index)))
  for (const name of known) {
    for (let time = 0; time < 3; time++) {
      const args = name === 'spins' || name === 'waits' ? [0] : [existing, '']
      await Promise.all(many(2 * (options.threads ?? 1), name, () => args).map(({ outcome }) => outcome))
    }
  }
  return { pool, run, many }
}

const values = async (runs: readonly Running[]) =>
  (await Promise.all(runs.map(run => run.outcome))).map(outcome => (outcome as { value?: unknown }).value)
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

test('each of many calls gives its own value, and its start is told once, in order and in time', async t => {
  const { many } = await open(t, { threads: 2 }, ['echo', 'echoLater'])
  const before = Date.now()
  const runs = [
    ...many(1000, 'echo', index => [index]),
    ...many(1000, 'echoLater', index => [{ index }]),
    ...many(100, 'spins', index => [1, index]),
  ]
  const told = await values(runs)
  t.strictSame(told.slice(0, 1000), [...Array(1000).keys()])
  t.strictSame(
    told.slice(1000, 2000),
    Array.from({ length: 1000 }, (_, index) => ({ index })),
  )
  t.strictSame(told.slice(2000), [...Array(100).keys()])
  t.ok(runs.every(({ call }) => call.startedAt.length === 1))
  t.ok(runs.every(({ call }) => call.startedAt[0]! >= before && call.startedAt[0]! <= Date.now()))
  const [first, last] = [runs[2000]!.call.startedAt[0]!, runs[2099]!.call.startedAt[0]!]
  t.ok(last - first >= 40, 'not when they were sent, but when they began')
})

test('a result does not wait for a long neighbour that is known to be long', async t => {
  const { run, many } = await open(t, {}, ['echo', 'spins'])
  for (let time = 0; time < 3; time++) await run('spins', [2]).outcome
  const blocker = run('spins', [20])
  const tiny = many(50, 'echo', index => [index])
  const long = run('spins', [400])
  let isOver = false
  void long.outcome.then(() => (isOver = true))
  await blocker.outcome
  await values(tiny)
  t.notOk(isOver)
  await long.outcome
})

test('a result does not wait for a neighbour of its own kind that is suddenly long', async t => {
  const { run, many } = await open(t, {}, ['spins'])
  const blocker = run('spins', [10])
  const tiny = many(300, 'spins', index => [0, index])
  const hold = join(folder, 'suddenly')
  const long = run('until', [hold])
  const behind = run('spins', [0, 'behind'])
  await blocker.outcome
  t.strictSame(await values(tiny), [...Array(300).keys()])
  writeFileSync(hold, '')
  await values([long, behind])
})

test('a result does not wait for a neighbour of its own kind that is suddenly long, also where ends are told together', async t => {
  const { run, many } = await open(t, {}, ['spins'])
  // Long enough each for their ends to be gathered, and enough of them.
  const short = many(40, 'spins', index => [0.1, index])
  const hold = join(folder, 'suddenly, later')
  const long = run('until', [hold])
  t.strictSame(await values(short), [...Array(40).keys()])
  writeFileSync(hold, '')
  await values([long])
})

test('calls that are made without a pause are carried out meanwhile', async t => {
  const { run } = await open(t, { threads: 2 }, ['echo'])
  const calls: Running[] = []
  const until = performance.now() + 5_000
  let ended = 0
  // No turn of the loop: what ends can be seen in the file only.
  const file = join(t.testdir(), 'witnesses')
  writeFileSync(file, '')
  while (ended < 500 && performance.now() < until) {
    calls.push(run('witness', [file, 'x']))
    if (calls.length % 200 === 0) ended = readFileSync(file).length / 2
  }
  t.ok(ended >= 500, `${ended} of ${calls.length} calls had ended when the last one was made`)
  const outcomes = await Promise.all(calls.map(({ outcome }) => outcome))
  t.ok(outcomes.every(({ type }) => type === 'returned'))
  t.equal(readFileSync(file).length / 2, calls.length)
})

test('a result does not wait for a neighbour that waits', async t => {
  const { run, many } = await open(t, {}, ['echo', 'waits'])
  const blocker = run('spins', [10])
  const tiny = many(50, 'echo', index => [index])
  const long = run('waits', [400])
  let isOver = false
  void long.outcome.then(() => (isOver = true))
  await blocker.outcome
  await values(tiny)
  t.notOk(isOver)
  await long.outcome
})

test('what a long call keeps waiting is done by the other thread', async t => {
  const { run, many } = await open(t, { threads: 2 }, ['echo', 'spins', 'until'])
  const blockers = [run('spins', [10]), run('spins', [10])]
  const file = join(folder, 'go on')
  // Both in one batch with it and behind it.
  const runs = [...many(20, 'echo', index => [index]), run('until', [file]), ...many(300, 'echo', index => [index])]
  await values(blockers)
  const rest = runs.filter((_, index) => index !== 20)
  await values(rest)
  t.strictSame(runs[20]!.call.startedAt.length, 1, 'it is known to run')
  writeFileSync(file, '')
  await runs[20]!.outcome
})

test('a call of a higher priority goes before all that has not begun', async t => {
  const { run, many } = await open(t, {}, ['echo', 'spins'])
  const blocker = run('spins', [20])
  const low = many(100, 'spins', () => [2])
  await blocker.outcome
  await low[0]!.outcome
  const high = run('echo', ['high'], { annotations: { priority: 5 } })
  const submittedAt = Date.now()
  await Promise.all([values(low), high.outcome])
  const [begunAt] = high.call.startedAt
  const between = low.filter(({ call: { startedAt } }) => startedAt[0]! > submittedAt && startedAt[0]! < begunAt!)
  t.ok(between.length <= 1, `${between.length} began before it`)
})

test('a call that is stopped before it has begun never runs, and at once', async t => {
  const { run, many } = await open(t, {}, ['echo', 'witness'])
  const file = join(folder, 'stopped')
  const hold = join(folder, 'hold')
  const blocker = run('spins', [10])
  const head = run('until', [hold])
  const behind = Array.from({ length: 20 }, (_, index) => run('witness', [file, index]))
  await blocker.outcome
  await head.call.begun
  for (const index of [3, 4, 19]) behind[index]!.call.controller.abort()
  for (const index of [3, 4, 19]) t.strictSame(await behind[index]!.outcome, { type: 'stopped' })
  writeFileSync(hold, '')
  await values([head, ...behind])
  t.equal(readFileSync(file, 'utf8'), [...Array(19).keys()].filter(index => index !== 3 && index !== 4).join(' ') + ' ')
  t.strictSame(behind[3]!.call.startedAt, [])
  await many(1, 'echo', () => [1])[0]!.outcome
})

for (const [how, outcome] of [
  ['hangs', { type: 'stopped' }],
  ['exits', { type: 'crashed', error: { code: 'WORKER_LOST', exitCode: 3 } }],
] as const) {
  test(`a thread that is lost (${how}) costs one call, and the others run once and in order`, async t => {
    const { run } = await open(t, { cancelGraceMs: 50 }, ['echo', 'witness', 'spins'])
    const file = join(folder, `lost-${how}`)
    const blocker = run('spins', [10])
    const before = Array.from({ length: 5 }, (_, index) => run('witness', [file, index]))
    const lost = run(how)
    const after = Array.from({ length: 50 }, (_, index) => run('witness', [file, index + 5]))
    await blocker.outcome
    if (how === 'hangs') {
      await lost.call.begun
      lost.call.controller.abort()
    }
    t.match(await lost.outcome, outcome)
    t.strictSame(await values([...before, ...after]), [...Array(55).keys()])
    t.equal(readFileSync(file, 'utf8'), `${[...Array(55).keys()].join(' ')} `)
  })
}

test('a thread that runs out of memory costs one call', async t => {
  const { run, many } = await open(t, { resourceLimits: { maxOldGenerationSizeMb: 24 } }, ['echo'])
  const runs = [...many(20, 'echo', index => [index]), run('eats'), ...many(20, 'echo', index => [20 + index])]
  const outcomes = await Promise.all(runs.map(({ outcome }) => outcome))
  t.match(outcomes[20], { type: 'crashed', error: { code: 'WORKER_LOST', message: /ran out of memory/ } })
  t.ok(outcomes.every((outcome, index) => index === 20 || outcome.type === 'returned'))
})

test('what cannot be sent, and what is thrown, costs its own call', async t => {
  const { run, many } = await open(t, {}, ['echo', 'says'])
  await run('unsendable').outcome
  await run('throws', ['x']).outcome
  const blocker = run('spins', [10])
  const runs = [
    ...many(10, 'echo', index => [index]),
    run('unsendable'),
    run('throws', ['mine']),
    run('echo', [() => 1]),
    run('moves', [new Uint8Array(100_000)]),
    ...many(10, 'echo', index => [index]),
  ]
  const outcomes = await Promise.all(runs.map(({ outcome }) => outcome))
  await blocker.outcome
  t.match(outcomes[10], { type: 'threw', error: { code: 'NOT_SENDABLE' } })
  t.match(outcomes[11], { type: 'threw', error: { message: 'mine' } })
  t.match(outcomes[12], { type: 'threw', error: { code: 'NOT_SENDABLE' } })
  t.strictSame(outcomes[13], { type: 'returned', value: new Float64Array([100_000, 1]) })
  const rest = outcomes.filter((_, index) => index < 10 || index > 13)
  t.strictSame(
    rest,
    [...Array(20).keys()].map(index => ({ type: 'returned', value: index % 10 })),
  )
})

test('what calls of a batch say is told to each, complete and before its end', async t => {
  const { run } = await open(t, {}, ['echo', 'says', 'whoAmI'])
  const blocker = run('spins', [10])
  const runs = Array.from({ length: 60 }, (_, index) => run('says', [`call ${index}`, 5]))
  const who = Array.from({ length: 20 }, () => run('whoAmI'))
  for (const { call, outcome } of runs) void outcome.then(() => call.story.push('end'))
  await blocker.outcome
  t.strictSame(
    await values(runs),
    runs.map(({ call }) => call.id),
  )
  await sleep(5)
  for (const [index, { call }] of runs.entries()) {
    const story = call.story.filter(line => line !== 'started')
    const lines = Array.from({ length: 5 }, (_, time) => `log call ${index} ${time}`)
    if (story.join() !== [...lines, 'progress 1', 'end'].join()) t.fail(story.join())
  }
  t.strictSame(
    await values(who),
    who.map(({ call }) => [call.id, call.id]),
  )
})

test('what a call of a batch leaves behind is no fault of another', async t => {
  const { run, many } = await open(t, {}, ['echo', 'spins'])
  await run('echo').outcome
  warned.length = 0
  const blocker = run('spins', [10])
  const runs = [run('leaves'), ...many(40, 'waits', index => [2, index])]
  await blocker.outcome
  t.strictSame(await values(runs), [1, ...Array(40).keys()])
  t.match(warned, [[/task 'leaves' left running/, { error: { message: 'left behind' } }]])
})

test('a call with a deadline goes alone, so that its time is its own', async t => {
  const { run, many } = await open(t, {}, ['echo', 'spins'])
  const blocker = run('spins', [10])
  const runs = [...many(5, 'echo', index => [index]), run('echo', ['alone'], { timeoutMs: 50 })]
  await blocker.outcome
  t.strictSame(await values(runs), [0, 1, 2, 3, 4, 'alone'])
})

for (const seed of [1, 2, 3]) {
  test(`each call runs once and ends once, whatever happens (seed ${seed})`, async t => {
    let state = seed
    const random = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
    const file = join(folder, `mix-${seed}`)
    const { run } = await open(t, { threads: 3, cancelGraceMs: 10 }, ['echo'])
    const runs: (Running & { how: string; ends: number; isStopped: boolean })[] = []
    for (let index = 0; index < 1500; index++) {
      const dice = random()
      const how =
        dice < 0.01
          ? 'spin'
          : dice < 0.02
            ? 'wait'
            : dice < 0.06
              ? 'throw'
              : dice < 0.064
                ? 'exit'
                : dice < 0.067
                  ? 'hang'
                  : dice < 0.1
                    ? 'log'
                    : 'plain'
      const priority = random() < 0.02 ? 1 : 0
      const entry = {
        ...run('mixed', [file, index, how], { annotations: { priority } }),
        how,
        ends: 0,
        isStopped: false,
      }
      runs.push(entry)
      void entry.outcome.then(() => entry.ends++)
      const stop = () => {
        entry.isStopped = true
        entry.call.controller.abort()
      }
      if (how === 'hang') void entry.call.begun.then(stop)
      else if (random() < 0.05) setTimeout(stop, random() * 100)
      if (random() < 0.01) await sleep(random() * 5)
    }
    const outcomes = await Promise.all(runs.map(({ outcome }) => outcome))
    await sleep(20)
    const ran = new Map<number, number>()
    for (const line of existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []) {
      ran.set(Number(line), (ran.get(Number(line)) ?? 0) + 1)
    }
    let lost = 0
    for (const [index, { how, ends, isStopped, call }] of runs.entries()) {
      const outcome = outcomes[index]!
      const times = ran.get(index) ?? 0
      const wrong = (why: string) => t.fail(`${index} (${how}): ${why}`, { outcome, times, isStopped })
      if (ends !== 1) wrong(`ended ${ends} times`)
      if (times > 1) wrong(`ran ${times} times`)
      if (call.startedAt.length > 1) wrong('started twice')
      if (outcome.type === 'stopped') {
        if (!isStopped) wrong('stopped by nobody')
        continue
      }
      if (times !== 1) wrong('never ran')
      if (outcome.type === 'crashed') {
        if (how === 'exit') continue
        if (!/had ended, but its worker/.test(String(outcome.error))) wrong('crashed for another')
        lost++
      } else if (how === 'throw' ? outcome.type !== 'threw' : outcome.type !== 'returned' || outcome.value !== index) {
        wrong('another outcome')
      }
      if (how === 'log' && outcome.type === 'returned' && call.logged.length !== 1) wrong('a line was lost')
    }
    t.equal(lost, 0, 'no result is lost with its thread')
    t.ok(ran.size > 1000)
  })
}
