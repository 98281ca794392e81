import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { DaskExecutor, flow, isMintakaError, type State, task } from 'mintaka'
import tap, { test } from 'tap'
import { newestDask } from '../../fixtures/dask/environments.js'
import { aliveAfter, aliveOf, commandOf, descendantsOf } from '../../fixtures/dask/processes.js'
import { outside, root } from '../../fixtures/project.js'
import { Bench, until } from './fixtures/bench.js'
import * as tasks from './fixtures/tasks.js'

tap.setTimeout(120_000)

const python = newestDask().python
const sorted = task.python<[number[]], number[]>('builtins:sorted')

test('what has completed when the scheduler dies stays so, the rest is CRASHED within seconds', async t => {
  const bench = await Bench.start(t)
  const [log, gate] = [bench.file('log'), bench.file('gate')]
  let killedAt = 0
  const run = bench.run(async () => {
    const done = Array.from({ length: 80 }, (_, n) => tasks.add(n, 1))
    await Promise.all(done.map(future => future.wait()))
    const open = Array.from({ length: 120 }, (_, n) => tasks.gated(log, String(n), gate))
    await until(() => bench.lines('log').length === 2)
    killedAt = Date.now()
    await bench.scheduler.kill()
    const states = await Promise.all([...done, ...open].map(future => future.wait()))
    return { states: states.map(state => state), values: await Promise.all(done) }
  })
  // A flow that returns the states of runs that did not complete has failed: they are looked at beside.
  const failed = (await run.catch(error => error)) as AggregateError
  t.ok(Date.now() - killedAt < 5_000, `${Date.now() - killedAt} ms`)
  const [flowRun] = await bench.engine.flowRuns.list()
  const runs = await bench.engine.taskRuns.list(flowRun!.run.id)
  const [done, open] = [runs.slice(0, 80), runs.slice(80)]
  t.strictSame(
    done.map(({ run: { state } }) => state.type === 'COMPLETED' && state.result),
    Array.from({ length: 80 }, (_, n) => n + 1),
  )
  t.equal(open.length, 120)
  for (const { run } of open) {
    const { state } = run as { state: State }
    if (state.type !== 'CRASHED' || !isMintakaError(state.error, 'SCHEDULER_LOST')) t.fail(`${run.name}: ${state.name}`)
    else if (!state.error.message.includes(bench.scheduler.address)) t.fail(state.error.message)
  }
  t.ok(failed instanceof Error)
})

test('with resubmit, what had not ended goes on on a new cluster', async t => {
  const bench = await Bench.start(t, { workers: [] })
  const [log, gate] = [bench.file('log'), bench.file('gate')]
  const executor = new DaskExecutor({ clusterOptions: { python, workers: 2, threadsPerWorker: 1 }, resubmit: true })
  const resubmitted = flow('resubmitted', async () => {
    const done = Array.from({ length: 80 }, (_, n) => tasks.add(n, 1))
    const large = tasks.bytes(300_000)
    await Promise.all([...done, large].map(future => future.wait()))
    const open = Array.from({ length: 10 }, (_, n) => tasks.gated(log, String(n), gate))
    const length = tasks.lengthOf.with({ waitFor: open })(large)
    await until(() => bench.lines('log').length >= 2)
    process.kill(temporaryScheduler(), 'SIGKILL')
    await until(() => bench.log.all.some(line => line.includes('was lost')))
    writeFileSync(gate, '')
    return { sum: tasks.sum(done), names: open, length }
  })
  t.strictSame(await bench.engine.run(resubmitted, undefined, { executor }), {
    sum: 3240,
    names: Array.from({ length: 10 }, (_, n) => String(n)),
    length: 300_000,
  })
})

test('a scheduler that dies while nothing runs is missed by the next call', async t => {
  const bench = await Bench.start(t)
  const states = bench.run(async () => {
    await tasks.add(1, 1)
    await bench.scheduler.kill()
    const calls = [() => tasks.add(2, 2), () => sorted([2, 1]), () => tasks.add(3, 3), () => sorted([3, 1])]
    const names: string[] = []
    for (const call of calls) names.push((await call().wait()).name)
    return names
  })
  t.strictSame(await states, ['Crashed', 'Crashed', 'Crashed', 'Crashed'])

  const executor = new DaskExecutor({ clusterOptions: { python, workers: 1, threadsPerWorker: 1 }, resubmit: true })
  const resubmitted = flow('resubmitted', async () => {
    await tasks.add(1, 1)
    const scheduler = temporaryScheduler()
    process.kill(scheduler, 'SIGKILL')
    await until(() => aliveOf([scheduler]).length === 0)
    return tasks.add(2, 2)
  })
  t.equal(await bench.engine.run(resubmitted, undefined, { executor }), 4)
})

test('a flow that ends while a new cluster is made for it leaves nothing behind', async t => {
  const bench = await Bench.start(t, { workers: [] })
  const executor = new DaskExecutor({ clusterOptions: { python, workers: 1, threadsPerWorker: 1 }, resubmit: true })
  const ended = flow('ended', async () => {
    await tasks.bytes(300_000).wait()
    process.kill(temporaryScheduler(), 'SIGKILL')
    await until(() => bench.log.all.some(line => line.includes('was lost')))
    return 'done'
  })
  t.equal(await bench.engine.run(ended, undefined, { executor }), 'done')
  const left = descendantsOf(process.pid).map(commandOf)
  t.strictSame(
    left.filter(command => command.includes('mintaka-dask-')),
    [],
  )
})

test('a host that is killed leaves nothing behind', async t => {
  const program = `${root}/test/executors/dask/fixtures/host.ts`
  const host = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program], {
    env: { ...outside(), MINTAKA_PYTHON: python, MINTAKA_HOME: t.testdir() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => host.kill('SIGKILL'))
  await said(host, /running/)
  const family = descendantsOf(host.pid as number)
  t.ok(family.length >= 3, `a scheduler and two workers at least: ${family.length}`)
  host.kill('SIGKILL')
  t.strictSame(await aliveAfter(family, 5_000), [])
})

/** The scheduler of the temporary cluster that this process has started. */
function temporaryScheduler(): number {
  const found = descendantsOf(process.pid).find(pid => commandOf(pid).includes('mintaka_dask.scheduler'))
  if (found === undefined) throw new Error('There is no scheduler.')
  return found
}

async function said(child: ChildProcess, what: RegExp): Promise<void> {
  let text = ''
  child.stdout?.on('data', data => {
    text += data
  })
  const ended = once(child, 'close').then(() => {
    throw new Error(`It ended without ${what}: ${text}`)
  })
  await Promise.race([until(() => what.test(text), 30_000), ended])
}
