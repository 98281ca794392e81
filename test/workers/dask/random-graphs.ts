/** Random graphs on workers that come and go, under a scheduler that checks itself. */
import t, { test } from 'tap'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import type { DaskServer } from '../../fixtures/dask/scheduler.js'
import { startNodeWorker, startScheduler, validated } from '../../fixtures/dask/scheduler.js'
import { Random, seedFromEnvironment } from '../../fixtures/random.js'
import { Dep, type Submitted, TestClient } from './fixtures/client.js'

t.setTimeout(300_000)

const tasksEach = 150

interface Node {
  readonly call: Submitted
  readonly sum: number
  isCancelled: boolean
}

for (const environment of daskEnvironments()) {
  const seed = seedFromEnvironment()
  test(`Dask ${environment.version}: whatever is cancelled, released and lost, the rest is right (seed ${seed})`, async t => {
    const random = new Random(seed)
    const scheduler = await startScheduler(t, environment, {
      env: { ...validated, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES: '30' },
    })
    const start = () => startNodeWorker(t, scheduler.address, { args: ['--nthreads', '2'] })
    const workers: DaskServer[] = await Promise.all([start(), start(), start()])
    const client = await TestClient.open(t, scheduler.address)
    const nodes: Node[] = []
    const living = () => nodes.filter(({ isCancelled }) => !isCancelled)

    const grow = () => {
      const candidates = living().slice(-30)
      const inputs = Array.from({ length: Math.min(candidates.length, random.below(4)) }, () => random.of(candidates))
      const own = random.below(1000)
      const waits = random.below(3) === 0 ? random.below(30) : 0
      const priority = random.below(5) - 2
      const call = client.call('sums', [waits, own, ...inputs.map(({ call }) => new Dep(call.key))], {
        annotations: { priority },
      })
      nodes.push({ call, sum: own + inputs.reduce((sum, input) => sum + input.sum, 0), isCancelled: false })
    }
    // Only the newest: nothing depends on them yet, and what depends on what is cancelled is cancelled too.
    const cancel = () => {
      const newest = nodes.at(-1)
      if (!newest || newest.isCancelled) return
      newest.isCancelled = true
      newest.call.cancel()
      newest.call.release()
    }
    const lose = async () => {
      const [lost] = workers.splice(random.below(workers.length), 1)
      await lost?.kill()
      workers.push(await start())
    }

    for (let n = 0; n < tasksEach; n++) {
      grow()
      if (random.below(8) === 0) cancel()
      if (random.below(5) === 0) await new Promise(resolve => setTimeout(resolve, random.below(20)))
      if (n === 50 || n === 100) await lose()
    }
    for (const { call, sum } of living()) {
      const value = await call.value()
      if (value !== sum) t.equal(value, sum, call.key)
    }
    t.ok(living().length > tasksEach / 2)
    t.notMatch(scheduler.logText(), /AssertionError/)
    t.notMatch(workers.map(worker => worker.logText()).join('\n'), /damaged|does not know/)
  })
}
