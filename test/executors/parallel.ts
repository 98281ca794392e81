import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { t as tap, test } from 'tap'
import { ParallelExecutor } from '../../dist/lib/executors/parallel.js'
import { transfer } from '../../dist/lib/values/transfer.js'
import type { Outcome, TaskCode } from '../../lib/core/executor.js'
import { callOf, surroundings, taskOf } from '../threads/fixtures/calls.js'
import { open } from './fixtures/session.js'

const code = `
import { threadId, isMainThread } from 'node:worker_threads'
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
const { task, flow, taskContext, transfer } = globalThis[Symbol.for('mintaka.door')]
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

export const add = (a, b) => a + b
export const where = () => ({ isMainThread, threadId })
export const echo = value => value
export const slowly = async value => { await sleep(20); return value }
export function fails() { throw Object.assign(new RangeError('bad value'), { code: 'E_BAD', at: new Date(5) }) }
export const throwsText = () => { throw 'text' }
export const context = () => {
  const { taskRunId, taskRunName, flowRunId, attempt, tags } = taskContext()
  return { taskRunId, taskRunName, flowRunId, attempt, tags }
}
export async function logs(n) {
  const { log, progress } = taskContext()
  for (let i = 0; i < n; i++) log.info('line ' + i, { i, conn: i === 0 ? () => 1 : undefined })
  taskContext().progress(0.5, 'half')
  return 'done'
}
export function logsAndExits(n) {
  for (let i = 0; i < n; i++) taskContext().log.info('line ' + i)
  process.exit(7)
}
export const exits = code => process.exit(code)
export const eats = () => { const all = []; for (;;) all.push(new Array(1e5).fill(Math.random())) }
export const unsendable = () => ({ rows: [{ f: () => 1 }] })
export const spins = file => { writeFileSync(file, 'x'); for (;;); }
export const spinsFor = ms => { const end = Date.now() + ms; while (Date.now() < end); return ms }
export const polls = () => { for (;;) taskContext().throwIfCancelled() }
export const waits = () => new Promise((_, reject) => {
  const { signal } = taskContext()
  if (signal.aborted) reject(signal.reason)
  signal.addEventListener('abort', () => reject(signal.reason))
})
export const ignores = () => sleep(1e6)
export const writes = file => { appendFileSync(file, 'ran '); return file }
export const leavesTimer = () => { setTimeout(() => { throw new Error('left behind') }, 10); return 'ok' }
export const leavesPromise = () => { setTimeout(() => Promise.reject(new Error('left behind')), 10); return 'ok' }
export const failsInBackground = () => { setTimeout(() => { throw new Error('mine') }, 10); return sleep(1e6) }
export const moves = bytes => transfer(new Float64Array([bytes.byteLength, 1]))
export const inner = task('inner', x => x * 2)
export const innerAsync = task('innerAsync', async x => { await sleep(1); return x + 1 })
export async function nested(x) {
  const first = inner(x)
  const state = first.state.name
  const second = await innerAsync([first].length && first)
  const failed = task('bad', () => { throw new Error('inner') })()
  return { state, second, plain: inner.fn(x), mapped: await Promise.all(inner.map([1, 2])), failed: failed.state.name }
}
export const callsFlow = () => flow('nightly', () => 1)()
export const topLevelFlow = flow('top', () => 1)()
export const prints = () => { console.log('printed in a worker'); return 1 }
`

const folder = tap.testdir({
  'tasks.mjs': code,
  'broken.mjs': 'throw new Error("does not load")',
  'bad.mjs': 'export const a = = 1',
})
const tasks = join(folder, 'tasks.mjs')
const session = await open({ threads: 2, cancelGraceMs: 100 })
tap.teardown(() => session[Symbol.asyncDispose]())

const run = (name: string, ...args: unknown[]): Promise<Outcome> => session.submit(callOf(taskOf(tasks, name), args))

test('a task runs on a worker thread and its value comes back', async t => {
  t.strictSame(await run('add', 1, 2), { type: 'returned', value: 3 })
  t.match(await run('where'), { type: 'returned', value: { isMainThread: false } })
  t.strictSame(await run('slowly', new Map([[1, new Date(5)]])), {
    type: 'returned',
    value: new Map([[1, new Date(5)]]),
  })
})

test('its start is told once, before its end, in the time of the worker', async t => {
  const before = Date.now()
  const call = callOf(taskOf(tasks, 'slowly'))
  await session.submit(call)
  t.equal(call.startedAt.length, 1)
  t.ok(call.startedAt[0]! >= before && call.startedAt[0]! <= Date.now())
})

test('a long task is known to run while it runs', async t => {
  const call = callOf(taskOf(tasks, 'waits'))
  const outcome = session.submit(call)
  await call.begun
  call.controller.abort()
  t.strictSame(await outcome, { type: 'stopped' })
})

test('what a task throws arrives with all that it says', async t => {
  const outcome = await run('fails')
  t.match(outcome, {
    type: 'threw',
    error: { name: 'RangeError', message: 'bad value', code: 'E_BAD', at: new Date(5) },
  })
  const { error } = outcome as { error: Error }
  t.ok(error instanceof RangeError)
  t.match(error.stack, /tasks\.mjs:11/)
  t.strictSame(await run('throwsText'), { type: 'threw', error: 'text' })
})

test('taskContext() knows the run', async t => {
  const call = callOf(taskOf(tasks, 'context'), [], { attempt: 3, tags: ['a', 'b'] })
  const value = { taskRunId: call.id, taskRunName: call.name, flowRunId: 'flow-1', attempt: 3, tags: ['a', 'b'] }
  t.strictSame(await session.submit(call), { type: 'returned', value })
})

test('logs and progress arrive complete, in order and before the result', async t => {
  const call = callOf(taskOf(tasks, 'logs'), [500])
  t.strictSame(await session.submit(call), { type: 'returned', value: 'done' })
  t.equal(call.logged.length, 500)
  t.strictSame(
    call.logged.map(line => line[1]),
    Array.from({ length: 500 }, (_, index) => `line ${index}`),
  )
  t.match(call.logged[0], ['info', 'line 0', { i: 0, conn: /function/i }, Number])
  t.strictSame(call.progressed, [[0.5, 'half']])
})

test('what was logged before a worker exits is not lost', async t => {
  const call = callOf(taskOf(tasks, 'logsAndExits'), [500])
  t.match(await session.submit(call), { type: 'crashed' })
  t.equal(call.logged.length, 500)
})

test('a worker that exits crashes its own task only, and others follow', async t => {
  const bystanders = Promise.all([run('slowly', 1), run('slowly', 2), run('slowly', 3)])
  const outcome = await run('exits', 7)
  t.match(outcome, {
    type: 'crashed',
    error: {
      code: 'WORKER_LOST',
      task: 'exits',
      exitCode: 7,
      message: "The worker running task 'exits' exited with code 7 (process.exit() in the task?)",
    },
  })
  t.strictSame(
    await bystanders,
    [1, 2, 3].map(value => ({ type: 'returned', value })),
  )
  t.match(await Promise.all([run('add', 1, 1), run('add', 2, 2)]), [{ value: 2 }, { value: 4 }])
})

test('a worker that runs out of memory crashes its task', async t => {
  const small = await open({ threads: 1, resourceLimits: { maxOldGenerationSizeMb: 16 } })
  t.teardown(() => small[Symbol.asyncDispose]())
  t.match(await small.submit(callOf(taskOf(tasks, 'eats'))), {
    type: 'crashed',
    error: { code: 'WORKER_LOST', message: "The worker running task 'eats' ran out of memory" },
  })
  t.match(await small.submit(callOf(taskOf(tasks, 'add'), [1, 2])), { value: 3 })
})

test('an argument that cannot be sent fails the task before anything is sent', async t => {
  const call = callOf(taskOf(tasks, 'echo'), [1, [{ conn: () => 1 }]])
  t.match(await session.submit(call), {
    type: 'threw',
    error: {
      code: 'NOT_SENDABLE',
      message:
        "Task 'echo': argument 2[0].conn is the function conn, which can't be sent to a worker (functions stay where they were made).",
    },
  })
  t.strictSame(call.startedAt, [])
  const many = Array.from({ length: 5000 }, () => run('echo', () => 1))
  t.ok(
    (await Promise.all(many)).every(outcome => outcome.type === 'threw'),
    'however many',
  )
})

test('a result that cannot be sent fails the task and nothing else', async t => {
  const [outcome, other] = await Promise.all([run('unsendable'), run('slowly', 1)])
  t.match(outcome, {
    type: 'threw',
    error: {
      code: 'NOT_SENDABLE',
      message:
        "Task 'unsendable': the result.rows[0].f is the function f, which can't be sent to a worker (functions stay where they were made).",
    },
  })
  t.match(other, { value: 1 })
})

test('a module that does not load fails its task with the reason', async t => {
  t.match(await session.submit(callOf(taskOf(join(folder, 'broken.mjs'), 'a'))), {
    type: 'threw',
    error: { message: 'does not load' },
  })
  t.match(await session.submit(callOf(taskOf(join(folder, 'bad.mjs'), 'a'))), {
    type: 'threw',
    error: { name: 'SyntaxError' },
  })
  t.match(await session.submit(callOf(taskOf(tasks, 'nothing'))), {
    type: 'threw',
    error: { code: 'BUILD', message: /no function 'nothing'/ },
  })
})

test('a queued task that is cancelled never runs, and at once', async t => {
  const file = join(folder, 'never')
  const blockers = [callOf(taskOf(tasks, 'waits')), callOf(taskOf(tasks, 'waits'))]
  const blocked = blockers.map(call => session.submit(call))
  await Promise.all(blockers.map(call => call.begun))
  const queued = callOf(taskOf(tasks, 'writes'), [file])
  const outcome = session.submit(queued)
  queued.controller.abort()
  t.strictSame(await outcome, { type: 'stopped' })
  for (const call of blockers) call.controller.abort()
  await Promise.all(blocked)
  t.match(await run('add', 1, 1), { value: 2 })
  t.notOk(existsSync(file))
  t.strictSame(queued.startedAt, [])
})

test('a call that is cancelled before it is submitted does not run', async t => {
  const call = callOf(taskOf(tasks, 'add'))
  call.controller.abort()
  t.strictSame(await session.submit(call), { type: 'stopped' })
})

test('a task that polls or listens stops by itself and keeps its thread', async t => {
  const one = await open({ threads: 1, cancelGraceMs: 60_000 })
  t.teardown(() => one[Symbol.asyncDispose]())
  const threadIds: unknown[] = []
  for (const name of ['polls', 'waits']) {
    const call = callOf(taskOf(tasks, name))
    const outcome = one.submit(call)
    await call.begun
    call.controller.abort()
    t.strictSame(await outcome, { type: 'stopped' }, name)
    threadIds.push(
      ((await one.submit(callOf(taskOf(tasks, 'where')))) as { value: { threadId: number } }).value.threadId,
    )
  }
  t.equal(threadIds[0], threadIds[1])
})

test('a task that does not stop is stopped with its thread, and its neighbour runs on', async t => {
  for (const name of ['spins', 'ignores']) {
    const call = callOf(taskOf(tasks, name), [join(folder, 'spinning')])
    const outcome = session.submit(call)
    await call.begun
    const neighbour = run('slowly', 'fine')
    call.controller.abort()
    t.strictSame(await outcome, { type: 'stopped' }, name)
    t.match(await neighbour, { value: 'fine' })
  }
  t.match(await Promise.all([run('add', 1, 2), run('add', 3, 4)]), [{ value: 3 }, { value: 7 }])
})

test('a task that is cancelled while its thread starts never runs', async t => {
  const cold = await open({ threads: 1 })
  t.teardown(() => cold[Symbol.asyncDispose]())
  const file = join(folder, 'cold')
  const call = callOf(taskOf(tasks, 'writes'), [file])
  const outcome = cold.submit(call)
  await new Promise(resolve => setImmediate(resolve))
  call.controller.abort()
  t.strictSame(await outcome, { type: 'stopped' })
  t.notOk(existsSync(file))
})

test('more tasks than threads run at most one per thread, first come first served', async t => {
  const one = await open({ threads: 1 })
  t.teardown(() => one[Symbol.asyncDispose]())
  const order: number[] = []
  const calls = Array.from({ length: 50 }, (_, index) =>
    one.submit(callOf(taskOf(tasks, 'add'), [index, 0])).then(() => order.push(index)),
  )
  await Promise.all(calls)
  t.strictSame(
    order,
    Array.from({ length: 50 }, (_, index) => index),
  )
})

test('a higher priority runs first, equals in call order', async t => {
  const one = await open({ threads: 1 })
  t.teardown(() => one[Symbol.asyncDispose]())
  const order: string[] = []
  const submit = (name: string, priority: number) =>
    one.submit(callOf(taskOf(tasks, 'echo'), [name], { annotations: { priority } })).then(() => order.push(name))
  await Promise.all([
    submit('low', -1),
    submit('a', 0),
    submit('b', 0),
    submit('high', 10),
    submit('high 2', 10),
    submit('c', 0),
  ])
  t.strictSame(order, ['high', 'high 2', 'a', 'b', 'c', 'low'])
})

test('tasks in a task run in place, and a flow is refused', async t => {
  t.strictSame(await run('nested', 4), {
    type: 'returned',
    value: { state: 'Completed', second: 9, plain: 8, mapped: [2, 4], failed: 'Failed' },
  })
  t.match(await run('callsFlow'), {
    type: 'threw',
    error: {
      code: 'FLOW_IN_TASK',
      message:
        "Flow 'nightly' was called inside task 'callsFlow' on a worker; flows run on the main thread. Call it from a flow.",
    },
  })
})

test('marked buffers are moved both ways', async t => {
  const bytes = transfer(new Uint8Array(10))
  t.strictSame(await run('moves', bytes), { type: 'returned', value: new Float64Array([10, 1]) })
  t.equal(bytes.byteLength, 0)
  t.match(await run('echo', bytes), {
    type: 'threw',
    error: { code: 'NOT_SENDABLE', message: /argument 1 is an emptied buffer/ },
  })
})

test("what a task leaves behind is no other task's fault", async t => {
  const one = surroundings()
  const single = await open({ threads: 1 }, one)
  t.teardown(() => single[Symbol.asyncDispose]())
  for (const name of ['leavesTimer', 'leavesPromise']) {
    t.strictSame(await single.submit(callOf(taskOf(tasks, name))), { type: 'returned', value: 'ok' })
    t.strictSame(await single.submit(callOf(taskOf(tasks, 'spinsFor'), [50])), { type: 'returned', value: 50 })
    while (one.lines.length === 0) t.match(await single.submit(callOf(taskOf(tasks, 'slowly'), [1])), { value: 1 })
    t.match(one.lines.splice(0), [['warn', /failed after the task had ended/, { error: { message: 'left behind' } }]])
  }
})

test('what fails in the background of a running task fails that task', async t => {
  t.match(await run('failsInBackground'), { type: 'threw', error: { message: 'mine' } })
})

test('a task is sent as a slice of its file, with what it captured', async t => {
  const source = `
    import { appendFileSync } from 'node:fs'
    import { ParallelExecutor, flow, task, taskContext } from 'mintaka'
    const factor = 10
    const executor = new ParallelExecutor({ threads: 2 })
    const half = task('half', x => x / 2)
    export const scale = task('scale', async x => ({ value: factor * await half(x), run: taskContext().taskRunName }))
    const plus = k => task('plus', x => x + k, { captures: { k } })
    export const tasks = [plus(1), plus(2)]
    const local = () => { const secret = 1; return task('leaks', () => secret) }
    export const main = flow('main', () => scale(4), { executor })
    appendFileSync('/dev/null/never', 'the top level of the file runs')
    await main()
  `
  const file = join(t.testdir({ 'flow.mjs': source }), 'flow.mjs')
  const taskCode = (name: string, captures?: Record<string, unknown>): TaskCode => ({
    name,
    fn: () => undefined,
    source: { type: 'slice', file, stamp: undefined, captures, external: [], files: [] },
  })
  const call = callOf(taskCode('scale'), [4])
  t.strictSame(await session.submit(call), { type: 'returned', value: { value: 20, run: call.name } })
  const codes = [taskCode('plus', { k: 1 }), taskCode('plus', { k: 2 }), taskCode('plus', { k: 1 })]
  const calls = [...codes, ...codes].map(code => session.submit(callOf(code, [10])))
  t.strictSame(
    (await Promise.all(calls)).map(outcome => (outcome as { value: number }).value),
    [11, 12, 11, 11, 12, 11],
  )
  for (let time = 0; time < 2; time++) {
    t.match(await session.submit(callOf(taskCode('leaks'))), {
      type: 'threw',
      error: { code: 'CAPTURES_LOCAL', message: /'secret'/ },
    })
  }
  t.match(await session.submit(callOf(taskCode('plus', { k: () => 1 }))), {
    type: 'threw',
    error: { code: 'NOT_SENDABLE', message: /^Task 'plus': captures\.k is the function k/ },
  })
})

test('a session that was never used costs nothing, and none takes calls after its end', async t => {
  const closed = await open({})
  await closed[Symbol.asyncDispose]()
  await t.rejects(closed.submit(callOf(taskOf(tasks, 'add'))), { code: 'EXECUTOR_CLOSED' })
})

test('an option that does not exist or has no sense is refused', async t => {
  t.throws(() => new ParallelExecutor({ thread: 2 } as never), {
    code: 'INVALID_OPTION',
    message: /no option 'thread'. It has: threads,/,
  })
  for (const options of [
    { threads: 0 },
    { threads: 1.5 },
    { cancelGraceMs: -1 },
    { resourceLimits: 5 },
    { resourceLimits: { maxOldGenerationSizeMb: 2 } },
    { idleTimeoutMs: Number.NaN },
  ]) {
    t.throws(() => new ParallelExecutor(options as never), { code: 'INVALID_OPTION' })
  }
  new ParallelExecutor({ threads: undefined } as never)
})
