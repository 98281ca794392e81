import { readFileSync } from 'node:fs'
import { flow, HeldResult, ParallelExecutor, SequentialExecutor, task } from 'mintaka'
import tap, { test } from 'tap'
import { engineFor } from '../../engine/fixtures/engine.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { startPythonWorker } from '../../fixtures/dask/scheduler.js'
import { Bench } from './fixtures/bench.js'
import * as tasks from './fixtures/tasks.js'

tap.setTimeout(180_000)
tap.jobs = 3 // mostly they wait

const factorial = task.python<[number], bigint>('math:factorial')
const arange = task.python<[number], object>('numpy:arange')
const cumsum = task.python<[unknown], object>('numpy:cumsum')
const total = task.python<[unknown], number>('numpy:sum')
const sorted = task.python<[number[]], number[]>('builtins:sorted')
const dict = task.python<[[string, unknown][]], Record<string, unknown>>('builtins:dict')
const divide = task.python<[number, number], number>('operator:truediv')
const missing = task.python<[], never>('no_such_module:fn')
const sumOf = task.python<[unknown], number>('builtins:sum')

for (const environment of daskEnvironments()) {
  tap.test(`Python tasks on Dask ${environment.version}`, { buffered: true }, async t => {
    const bench = await Bench.start(t, { environment, workers: [['--name', 'node']] })

    await t.test('without a Python worker, a Python task says so', async t => {
      await bench.run(async () => {
        const state = await factorial(3).wait()
        t.match(state, { type: 'FAILED', error: { code: 'RESOURCES_UNAVAILABLE' } })
        t.match(state.message, /no Python worker is connected to tcp:/)
        return 'seen'
      })
    })

    await startPythonWorker(t, bench.scheduler.address, environment, { args: ['--name', 'python'] })

    await t.test('values come back as JavaScript has them', async t => {
      const values = await bench.run(() => [
        factorial(25),
        sorted([3, 1, 2]),
        dict([
          ['a', 1],
          ['b', [1.5, null, true, 'ü']],
        ]),
      ])
      t.strictSame(values, [15511210043330985984000000n, [1, 2, 3], { a: 1, b: [1.5, null, true, 'ü'] }])
    })

    await t.test('JavaScript and Python feed each other', async t => {
      const value = await bench.run(() => {
        const list = tasks.echo([5, 6, 7]) as never
        const six = tasks.add(sumOf(list), -12)
        return tasks.add(divide(six, 3), 0.5)
      })
      t.equal(value, 2.5)
    })

    await t.test('an array of numpy goes from task to task, and never through this process', async t => {
      const before = bytesRead()
      const [isHeld, typeName, sum] = (await bench.run(async () => {
        const array = arange(20_000_000)
        const sums = cumsum(array)
        const state = await sums.wait()
        const held = state.type === 'COMPLETED' ? (state.result as unknown) : undefined
        const last = tasks.add(total(array), 1)
        return [held instanceof HeldResult, held instanceof HeldResult && held.typeName, await last]
      })) as [boolean, string, number]
      t.ok(isHeld)
      t.match(typeName, /ndarray/)
      t.equal(sum, (20_000_000 * 19_999_999) / 2 + 1)
      t.ok(bytesRead() - before < 50_000_000, 'two arrays of 160 MB are not here')
    })

    await t.test('what cannot be read here is awaited as itself, and can be passed on', async t => {
      const value = await bench.run(async () => {
        const handle = await arange(4)
        t.ok(handle instanceof HeldResult)
        return total(handle as never)
      })
      t.equal(value, 6)
    })

    await t.test('what Python raises arrives with its type, its arguments and its traceback', async t => {
      const [zero, none] = (await bench.run(async () => {
        const states = await Promise.all([divide(1, 0).wait(), missing().wait()])
        return states.map(state => state.type === 'FAILED' && state.error)
      })) as (Error & { pyType?: string; pyArgs?: unknown[] })[]
      t.match(zero, { name: 'ZeroDivisionError', message: 'division by zero', pyType: 'builtins.ZeroDivisionError' })
      t.strictSame([...(zero?.pyArgs ?? [])], ['division by zero'])
      t.match(zero?.stack, /Traceback \(most recent call last\)/)
      t.match(none, { name: 'ModuleNotFoundError', message: "No module named 'no_such_module'" })
    })

    await t.test('tasks in JavaScript stay off Python workers, and Python off Node workers', async t => {
      const pids = (await bench.run(() => Array.from({ length: 20 }, () => tasks.processId()))) as number[]
      t.equal(new Set(pids).size, 1)
      const versions = task.python<[], string>('platform:python_version')
      const all = (await bench.run(() => Array.from({ length: 20 }, () => versions()))) as string[]
      t.match([...new Set(all)], [/^3\./])
    })
  })
}

/** What this process has read from files and sockets, as Linux counts. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

for (const executor of [new SequentialExecutor(), new ParallelExecutor({ threads: 1 })]) {
  test(`on ${executor.name}, a Python task says that it needs Dask`, async t => {
    const engine = engineFor(t)
    const run = engine.run(flow('no dask', () => factorial(3), { executor }))
    await t.rejects(run, { code: 'NEEDS_DASK', message: /math:factorial.*Give its flow a DaskExecutor/s })
  })
}

test('a Python task is named by its function, or as it is told', t => {
  t.equal(factorial.name, 'factorial')
  t.equal(task.python('a.b:C.method').name, 'method')
  t.equal(task.python('math:sqrt', { name: 'root' }).name, 'root')
  t.throws(() => task.python('math.factorial'), { code: 'INVALID_ARGUMENT' })
  t.throws(() => task.python('math:'), { code: 'INVALID_ARGUMENT' })
  t.end()
})
