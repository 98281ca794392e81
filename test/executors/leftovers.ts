import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { t as tap, test } from 'tap'
import { Codes } from '../../dist/lib/executors/codes.js'
import { ParallelExecutor } from '../../dist/lib/executors/parallel.js'
import type { TaskCode } from '../../lib/core/executor.js'
import { callOf, surroundings, taskOf } from '../threads/fixtures/calls.js'
import { sessionOf } from './fixtures/session.js'
import { tasksIn } from './fixtures/tasks.js'

const tasks = tasksIn(tap)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const turn = () => new Promise(resolve => setTimeout(resolve, 5))

function around(flowRunId: string) {
  return { ...surroundings(), flowRunId }
}

test('what a task left behind is told to the flow run whose task it was', async t => {
  await using executor = new ParallelExecutor({ threads: 1 })
  const [first, second] = [around('first'), around('second')]
  await using one = await sessionOf(executor, first)
  await using other = await sessionOf(executor, second)
  t.match(await one.submit(callOf(taskOf(tasks, 'leavesTimer'), [10], { flowRunId: 'first' })), { type: 'returned' })
  for (let time = 0; time < 1000 && first.lines.length === 0; time++) {
    await other.submit(callOf(taskOf(tasks, 'double'), [1], { flowRunId: 'second' }))
    await turn()
  }
  t.match(first.lines, [['warn', /task 'leavesTimer' left running/, { error: { message: 'left behind' } }]])
  t.strictSame(second.lines, [])
})

test('where that flow run has ended, the latest one is told, and whose it was', async t => {
  await using executor = new ParallelExecutor({ threads: 1 })
  const [first, second] = [around('first'), around('second')]
  const one = await sessionOf(executor, first)
  await one.submit(callOf(taskOf(tasks, 'leavesTimer'), [20], { flowRunId: 'first' }))
  await one[Symbol.asyncDispose]()
  await using other = await sessionOf(executor, second)
  for (let time = 0; time < 1000 && second.lines.length === 0; time++) {
    await other.submit(callOf(taskOf(tasks, 'double'), [1], { flowRunId: 'second' }))
    await turn()
  }
  t.match(second.lines, [['warn', /task 'leavesTimer' left running/, { flowRunId: 'first' }]])
})

test('the code of a task with captures is forgotten when nobody can call that task any more', async t => {
  const source = `
    import { task } from 'mintaka'
    export const make = k => task('plus', x => x + k, { captures: { k } })`
  const file = `${t.testdir({ 'plus.mjs': source })}/plus.mjs`
  const taskOf = (captures: Record<string, unknown>): TaskCode => ({
    name: 'plus',
    fn: () => undefined,
    source: { type: 'slice', file, stamp: undefined, captures, external: [], files: [] },
  })
  const forgotten: string[] = []
  const codes = new Codes(key => forgotten.push(key))
  const kept = taskOf({ k: 0 })
  const shared = { k: 1 }
  const alsoKept = taskOf(shared)
  for (const task of [kept, alsoKept]) await codes.of(task)
  const make = async (count: number) => {
    for (let k = 0; k < count; k++) await codes.of(taskOf(k === 0 ? shared : { k }))
  }
  await make(20)
  for (let time = 0; time < 100 && forgotten.length < 19; time++) {
    collect()
    await turn()
  }
  t.equal(new Set(forgotten).size, 19)
  for (const task of [kept, alsoKept]) t.notOk(forgotten.includes((await codes.of(task)).code.key))
})

test('a code that has been forgotten gives its place in the threads to another', async t => {
  const { ThreadPool } = await import('../../dist/lib/threads/pool.js')
  const { toWire } = await import('../../dist/lib/values/wire.js')
  const url = `data:text/javascript,export default ({ k }) => x => x + k`
  await using pool = new ThreadPool({ threads: 1, warn: () => {} })
  for (let k = 0; k < 20; k++) {
    const code = { key: `plus#${k}`, taskName: 'plus', url, captures: toWire({ k }) }
    for (const x of [1, 2]) {
      const call = callOf(taskOf(tasks, 'double'), [x])
      const { args, ending } = call
      pool.run({ call, code, priority: 0, args, encodeArgs: () => toWire(args), ended: call.ended })
      t.strictSame(await ending, { type: 'returned', value: x + k })
    }
    pool.forget(code.key)
    pool.forget('nothing')
  }
})

test('nothing of an executor keeps it from being collected once its threads have ended', async t => {
  const ends = new FinalizationRegistry<string>(() => process.emit('collected' as never))
  const collected = once(process, 'collected')
  await (async () => {
    const executor = new ParallelExecutor({ threads: 1 })
    ends.register(executor, '')
    const session = await sessionOf(executor)
    await session.submit(callOf(taskOf(tasks, 'double'), [1]))
    await session[Symbol.asyncDispose]()
    await executor.close()
  })()
  const timer = setInterval(collect, 10)
  t.teardown(() => clearInterval(timer))
  await collected
})
