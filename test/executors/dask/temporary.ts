import { ConcurrentExecutor, DaskExecutor, flow, isMintakaError } from 'mintaka'
import tap, { test } from 'tap'
import { DaskClient } from '../../../lib/dask/client/client.js'
import { engineFor } from '../../engine/fixtures/engine.js'
import { makeCertificates } from '../../fixtures/dask/certificates.js'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { startNodeWorker, startScheduler } from '../../fixtures/dask/scheduler.js'
import { Bench, Lines, until } from './fixtures/bench.js'
import * as tasks from './fixtures/tasks.js'

tap.setTimeout(180_000)

const { python } = newestDask()
const small = { python, workers: 1, threadsPerWorker: 2 }

test('a cluster is there for the flow run, and gone after it', async t => {
  const log = new Lines()
  const engine = engineFor(t, { logger: log })
  const executor = new DaskExecutor({ clusterOptions: small })
  const run = flow('temporary', () => tasks.sum([tasks.add(1, 2), tasks.add(3, 4)]), { executor })
  t.equal(await engine.run(run), 10)
  const address = /is up at (tcp:\S+)\./.exec(log.all.join('\n'))?.[1] ?? ''
  await t.rejects(DaskClient.connect(address, { timeoutMs: 2_000 }), { code: 'DASK_CONNECT' })
})

test('a local parent, a subflow on Dask, and a local flow within that give what all local ones give', async t => {
  const engine = engineFor(t)
  const local = flow('local', (n: number) => tasks.add(n, 1), { executor: new ConcurrentExecutor() })
  const middle = flow('middle', async (n: number) => local(tasks.sum([tasks.add(n, 1), tasks.add(n, 2)])))
  const parent = flow('parent', async (executor: DaskExecutor | ConcurrentExecutor) => {
    const first = tasks.add(1, 1)
    const second = middle.with({ executor })(await first)
    return tasks.add(second, first)
  })
  const everywhere = await engine.run(parent, new ConcurrentExecutor())
  t.equal(everywhere, 10)
  t.equal(await engine.run(parent, new DaskExecutor({ clusterOptions: small })), everywhere)
})

test('what a fixed cluster will never offer fails its task, and says what there is', async t => {
  const engine = engineFor(t)
  const executor = new DaskExecutor({ clusterOptions: { ...small, resources: { GPU: 2 } } })
  const run = flow('too much', async () => {
    const state = await tasks.add
      .with({ annotations: { resources: { TPU: 1 } } })(1, 1)
      .wait()
    return [
      state.type === 'FAILED' && state.error,
      await tasks.add.with({ annotations: { resources: { GPU: 2 } } })(1, 1),
    ]
  })
  const [state, two] = (await engine.run(run, undefined, { executor })) as [Error, number]
  t.equal(two, 2)
  t.ok(isMintakaError(state, 'RESOURCES_UNAVAILABLE'))
  t.match(state.message, /Task 'add' takes 1 TPU, and no worker .* can run it\. Its workers are .*2 GPU/)
})

test('what comes after a task that no worker can run does not wait for it', async t => {
  const engine = engineFor(t)
  const run = flow('too much', async () => {
    const first = tasks.add.with({ annotations: { resources: { TPU: 1 } } })(1, 1)
    const after = [tasks.echo(first), tasks.add.with({ waitFor: [first] })(1, 1)]
    return (await Promise.all(after.map(future => future.wait()))).map(({ name }) => name)
  })
  const executor = new DaskExecutor({ clusterOptions: small })
  t.strictSame(await engine.run(run, undefined, { executor }), ['NotReady', 'NotReady'])
})

test('on a cluster that may grow, what nobody offers is said, and waited for', async t => {
  const bench = await Bench.start(t, { workers: [['--name', 'a']] })
  const value = bench.run(() => tasks.add.with({ annotations: { resources: { TPU: 1 } } })(1, 1))
  await until(() => bench.log.all.some(line => /takes 1 TPU/.test(line)))
  t.match(
    bench.log.all.filter(line => /TPU/.test(line)),
    [/Its workers are a \(Node\)\. It waits for one that does\./],
  )
  await bench.worker('--name', 'late', '--resources', 'TPU=1')
  t.equal(await value, 2)
})

test('without any worker, that is said', async t => {
  const bench = await Bench.start(t, { workers: [] })
  const value = bench.run(() => tasks.add(1, 1))
  await until(() => bench.log.all.some(line => /needs a Node worker.*It has no workers/.test(line)))
  await bench.worker('--name', 'late')
  t.equal(await value, 2)
})

test("Dask's own LocalCluster adapts from one worker to three and back, and nothing is lost", async t => {
  const log = new Lines()
  const engine = engineFor(t, { logger: log })
  const options = { python, threadsPerWorker: 1 }
  const executor = new DaskExecutor({
    cluster: 'distributed.LocalCluster',
    clusterOptions: options,
    adapt: { minimum: 1, maximum: 3 },
  })
  const counts = new Set<number>()
  const adaptive = flow('adaptive', async () => {
    const address = /is up at (tcp:\S+)\./.exec(log.all.join('\n'))?.[1] ?? ''
    await using client = await DaskClient.connect(address)
    const count = async () => {
      const { length } = await client.workers()
      counts.add(length)
      return length
    }
    await until(async () => (await count()) === 1, 30_000)
    const kept = tasks.bytes(200_000)
    const work = Array.from({ length: 60 }, () => tasks.waits(250))
    await until(async () => (await count()) === 3, 30_000)
    const pids = await Promise.all(work)
    await until(async () => (await count()) === 1, 60_000)
    return { kept: (await kept).byteLength, done: pids.length, workers: new Set(pids).size }
  })
  const { kept, done, workers } = await engine.run(adaptive, undefined, { executor })
  t.strictSame([kept, done], [200_000, 60], 'nothing was lost on the way down')
  t.ok(workers >= 2, `${workers} workers ran them`)
  t.ok(counts.has(1) && counts.has(3))
})

test('a cluster of a function of your own is used and ended', async t => {
  const engine = engineFor(t)
  const scheduler = await startScheduler(t)
  await startNodeWorker(t, scheduler.address)
  let ends = 0
  const executor = new DaskExecutor({
    cluster: async options => {
      t.strictSame(options, { workers: 3 })
      return {
        schedulerAddress: scheduler.address,
        async [Symbol.asyncDispose]() {
          ends++
        },
      }
    },
    clusterOptions: { workers: 3 },
  })
  t.equal(
    await engine.run(
      flow('own', () => tasks.add(1, 1)),
      undefined,
      { executor },
    ),
    2,
  )
  t.equal(ends, 1)
})

for (const environment of daskEnvironments()) {
  test(`a cluster at tls:// of ${environment.version} lets in who has a certificate, and nobody else`, async t => {
    const engine = engineFor(t)
    const tls = makeCertificates(t)
    const scheduler = await startScheduler(t, environment, { tls })
    await Promise.all(['a', 'b'].map(name => startNodeWorker(t, scheduler.address, { tls, args: ['--name', name] })))
    const { address } = scheduler
    const run = flow('secret', () => {
      const large = tasks.bytes.with({ annotations: { workers: ['a'] } })(2_000_000)
      return tasks.lengthOf.with({ annotations: { workers: ['b'] } })(large)
    })
    const { ca, cert, key } = tls
    t.equal(
      await engine.run(run, undefined, { executor: new DaskExecutor({ address, tls: { ca, cert, key } }) }),
      2_000_000,
    )
    const other = makeCertificates(t, 'another authority')
    const wrong = { ca: other.ca, cert: other.cert, key: other.key }
    for (const tls of [undefined, wrong]) {
      const refused = engine.run(run, undefined, { executor: new DaskExecutor({ address, tls }) })
      await t.rejects(refused, { code: 'EXECUTOR_FAILED', cause: { code: 'DASK_CONNECT' } })
    }
  })
}

test('a scheduler that is not there is said with its address', async t => {
  const engine = engineFor(t)
  const executor = new DaskExecutor({ address: 'tcp://127.0.0.1:9' })
  const run = engine.run(
    flow('nowhere', () => tasks.add(1, 1)),
    undefined,
    { executor },
  )
  await t.rejects(run, { code: 'EXECUTOR_FAILED', message: /tcp:\/\/127\.0\.0\.1:9/ })
})

test('a Python without Dask is said, with the command that installs it', async t => {
  const engine = engineFor(t)
  const executor = new DaskExecutor({ clusterOptions: { python: '/usr/bin/python3-that-is-not-there' } })
  const run = engine.run(
    flow('no python', () => tasks.add(1, 1)),
    undefined,
    { executor },
  )
  await t.rejects(run, { cause: { code: 'DASK_PYTHON', message: /pip install distributed/ } })
})
