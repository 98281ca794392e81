import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, t as tap, test } from 'tap'
import type { ClusterWith } from '../../../lib/dask/clusters/cluster.js'
import { type LocalClusterOptions, startLocalCluster } from '../../../lib/dask/clusters/local.js'
import { nodeWorker, workersNamed, workersOf } from '../../fixtures/dask/ask.js'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { aliveOf, commandOf, descendantsOf } from '../../fixtures/dask/processes.js'

tap.setTimeout(180_000)

const { python } = newestDask()

type Started = ClusterWith<'scale' | 'ended' | 'isWhole'> & { readonly lines: string[] }

/** A cluster of the newest Dask, one thread a worker, until the test ends. */
async function start(t: Test, options: Partial<LocalClusterOptions> = {}): Promise<Started> {
  const lines: string[] = []
  const cluster = await startLocalCluster({
    ...{ python, nodeWorker, threadsPerWorker: 1, log: line => lines.push(line) },
    ...options,
  })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  return Object.assign(cluster, { lines })
}

// Where clusters of this file have their folders, and nobody else.
process.env['TMPDIR'] = mkdtempSync(join(tmpdir(), 'mintaka-test-'))
tap.teardown(() => rmSync(tmpdir(), { recursive: true, force: true }))

function foldersOfClusters(): string[] {
  return readdirSync(tmpdir()).filter(name => name.startsWith('mintaka-dask-'))
}

for (const environment of daskEnvironments()) {
  test(`with Dask ${environment.version}: Node and Python workers, and nothing of them afterwards`, async t => {
    const cluster = await start(t, { python: environment.python, workers: 2, pythonWorkers: 1, resources: { GPU: 1 } })
    t.match(cluster.schedulerAddress, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    t.equal(cluster.dashboardLink, undefined, 'there is no bokeh')
    t.strictSame(cluster.lines, [`A Dask cluster is up at ${cluster.schedulerAddress}.`])
    t.ok(cluster.isWhole)
    const [zero, one, inPython] = await workersOf(cluster.schedulerAddress)
    t.match(zero, { name: 0, nthreads: 1, resources: { node: 1, GPU: 1 } })
    t.match(one, { name: 1, nthreads: 1, resources: { node: 1, GPU: 1 } })
    t.match(inPython, { name: 'python-0', nthreads: 1, resources: { python: 1, GPU: 1 } })

    const processes = descendantsOf(process.pid)
    t.ok(processes.length >= 4)
    await cluster[Symbol.asyncDispose]()
    t.strictSame(aliveOf(processes), [])
    t.strictSame(foldersOfClusters(), [])
  })
}

test('the memory of a worker is limited as told', async t => {
  const cluster = await start(t, { workers: 1, pythonWorkers: 1, memoryLimit: '300MB' })
  const workers = await workersNamed(cluster.schedulerAddress, [0, 'python-0'])
  t.strictSame(
    workers.map(worker => worker.memory_limit),
    [300e6, 300e6],
  )
})

test('it is scaled up and down', async t => {
  const cluster = await start(t, { workers: 1 })
  await cluster.scale(3)
  await workersNamed(cluster.schedulerAddress, [0, 1, 2])
  await cluster.scale(1)
  t.strictSame(
    (await workersOf(cluster.schedulerAddress)).map(({ name }) => name),
    [0],
    'they have left when it resolves',
  )
  await cluster.scale(2)
  await workersNamed(cluster.schedulerAddress, [0, 1])
  await t.rejects(cluster.scale(-1), { code: 'INVALID_OPTION' })
  t.equal(cluster.lines.length, 1, 'none of it is worth a line')
})

test('a worker that is killed is started again', async t => {
  const cluster = await start(t, { workers: 1 })
  await workersNamed(cluster.schedulerAddress, [0])
  const [worker] = descendantsOf(process.pid).filter(pid => commandOf(pid).includes('dask-worker.js'))
  process.kill(worker ?? 0, 'SIGKILL')
  await workersNamed(cluster.schedulerAddress, [])
  while (cluster.isWhole) await delay(5) // the scheduler sees a connection end before we see a process end
  await workersNamed(cluster.schedulerAddress, [0])
  while (!cluster.isWhole) await delay(20)
  t.strictSame(cluster.lines.slice(1), ['Worker 0 was ended by SIGKILL; it is started again.'])
})

test('a scheduler that is killed ends the cluster, and its workers', async t => {
  const cluster = await start(t, { workers: 1, pythonWorkers: 1 })
  await workersNamed(cluster.schedulerAddress, [0, 'python-0'])
  const processes = descendantsOf(process.pid)
  const [scheduler] = processes.filter(pid => commandOf(pid).includes('mintaka_dask.scheduler'))
  process.kill(scheduler ?? 0, 'SIGKILL')
  t.match(await cluster.ended, {
    code: 'DASK_CLUSTER',
    message: /^The scheduler of a temporary Dask cluster was ended by SIGKILL\. It said last:\n.*Scheduler at/s,
  })
  await cluster[Symbol.asyncDispose]()
  t.strictSame(aliveOf(processes), [])
})

test('workers that cannot start end the cluster, with what they said', async t => {
  const broken = [process.execPath, '-e', "console.error('no such thing'); process.exit(2)", '--']
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  const error: unknown = await startLocalCluster({ python, nodeWorker: broken, workers: 1, log }).catch(
    thrown => thrown,
  )
  t.match(error, {
    code: 'DASK_CLUSTER',
    message: 'Worker 0 of a temporary Dask cluster ended with code 2 again and again. It said last:\nno such thing',
  })
  t.match(
    lines.filter(line => line.includes('Worker')),
    [
      'Worker 0 ended with code 2; it is started again.',
      'Worker 0 ended with code 2; it is started again.',
      'Worker 0 ended with code 2 again; it is not started any more.',
    ],
  )
})

test('a start without Python leaves nothing', async t => {
  await t.rejects(start(t, { python: '/nowhere', workers: 2 }), { code: 'DASK_PYTHON' })
  t.strictSame(aliveOf(descendantsOf(process.pid)), [])
  t.strictSame(foldersOfClusters(), [])
})

test('a start can be ended', async t => {
  const reason = new Error('enough')
  await t.rejects(start(t, { workers: 2, signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const starting = start(t, { workers: 2, signal: controller.signal })
  setImmediate(() => controller.abort(reason))
  await t.rejects(starting, reason)
  t.strictSame(aliveOf(descendantsOf(process.pid)), [])
})

test('options are checked before anything is started', async t => {
  await t.rejects(start(t, { workers: -1 }), { code: 'INVALID_OPTION' })
  await t.rejects(start(t, { ...{ wrokers: 1, workers: 1 } }), { code: 'INVALID_OPTION', message: /'wrokers'/ })
})
