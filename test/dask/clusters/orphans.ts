/** A process that holds a cluster is killed with -9: 5 s later nothing of the cluster is alive. */
import { join } from 'node:path'
import { t as tap, test } from 'tap'
import { nodeWorker, workersNamed } from '../../fixtures/dask/ask.js'
import { newestDask } from '../../fixtures/dask/environments.js'
import { startProcess } from '../../fixtures/dask/process.js'
import { aliveAfter, aliveOf, descendantsOf } from '../../fixtures/dask/processes.js'
import { root } from '../../fixtures/project.js'

tap.setTimeout(180_000)

const { python } = newestDask()
const local = { clusterOptions: { python, workers: 2, threadsPerWorker: 1 } }
const names = [0, 1]

const stories: [says: string, wanted: object, workers: (string | number)[]][] = [
  ['a local cluster', { clusterOptions: { ...local.clusterOptions, pythonWorkers: 1 } }, [...names, 'python-0']],
  ['one that adapts', { ...local, adapt: { minimum: 2, maximum: 3 } }, names],
  ["Dask's own LocalCluster", { ...local, cluster: 'distributed.LocalCluster' }, names],
]

for (const [says, wanted, workers] of stories) {
  test(`of ${says} nothing outlives its host`, async t => {
    const file = join(root, 'test', 'dask', 'clusters', 'fixtures', 'host.mjs')
    const host = startProcess(t, process.execPath, [file, JSON.stringify({ wanted, nodeWorker })])
    const [, address = ''] = await host.said(/up at (\S+)/)
    await workersNamed(address, workers)
    const pids = descendantsOf(host.process.pid ?? 0)
    t.ok(pids.length > workers.length, `${pids.length} processes`)
    t.strictSame(aliveOf(pids).length, pids.length)
    await host.kill('SIGKILL')
    t.strictSame(await aliveAfter(pids, 5000), [])
  })
}

test('nor what had just begun to start', async t => {
  const file = join(root, 'test', 'dask', 'clusters', 'fixtures', 'host.mjs')
  const host = startProcess(t, process.execPath, [file, JSON.stringify({ wanted: local, nodeWorker })])
  let pids: number[] = []
  while (pids.length < 3) {
    await new Promise(setImmediate)
    pids = descendantsOf(host.process.pid ?? 0)
  }
  await host.kill('SIGKILL')
  t.strictSame(await aliveAfter(pids, 5000), [])
})
