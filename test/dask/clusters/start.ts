import { t as tap, test } from 'tap'
import type { AdaptLimits, Cluster } from '../../../lib/dask/clusters/cluster.js'
import { startCluster } from '../../../lib/dask/clusters/start.js'
import { nodeWorker } from '../../fixtures/dask/ask.js'
import { newestDask } from '../../fixtures/dask/environments.js'

tap.setTimeout(120_000)

const { python } = newestDask()
const surroundings = { nodeWorker, log() {} }

class OwnCluster implements Cluster {
  readonly schedulerAddress = 'tcp://127.0.0.1:1'
  disposals = 0
  limits: AdaptLimits | undefined

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposals += 1
  }
}

class AdaptiveCluster extends OwnCluster {
  async adapt(limits: AdaptLimits): Promise<void> {
    this.limits = limits
  }
}

test('a function makes the cluster, of the options that were given', async t => {
  const own = new OwnCluster()
  const lines: string[] = []
  let given: unknown
  const cluster = (options: object) => {
    given = options
    return own
  }
  const log = (line: string) => lines.push(line)
  t.equal(await startCluster({ cluster, clusterOptions: { size: 'small' } }, { ...surroundings, log }), own)
  t.strictSame(given, { size: 'small' })
  t.strictSame(lines, ['A Dask cluster is up at tcp://127.0.0.1:1.'])
})

test('what it throws is thrown', async t => {
  const error = new Error('no machine today')
  await t.rejects(startCluster({ cluster: () => Promise.reject(error) }, surroundings), error)
})

for (const [says, made] of [
  ['nothing', undefined],
  ['an address', 'tcp://127.0.0.1:1'],
  ['what has no end', { schedulerAddress: 'tcp://127.0.0.1:1' }],
  ['a scheduler of this process', { schedulerAddress: 'inproc://1', [Symbol.asyncDispose]: async () => {} }],
] as const) {
  test(`a function that makes ${says} is refused`, async t => {
    // @ts-expect-error: none of these is a cluster
    await t.rejects(startCluster({ cluster: () => made }, surroundings), {
      code: 'INVALID_OPTION',
      message: /'cluster'/,
    })
  })
}

test('a cluster of a function adapts by itself, if it can', async t => {
  const adaptive = new AdaptiveCluster()
  await startCluster({ cluster: () => adaptive, adapt: { minimum: 1, maximum: 2 } }, surroundings)
  t.strictSame(adaptive.limits, { minimum: 1, maximum: 2 })

  const fixed = new OwnCluster()
  const starting = startCluster({ cluster: () => fixed, adapt: { minimum: 1, maximum: 2 } }, surroundings)
  await t.rejects(starting, { code: 'INVALID_OPTION', message: /no adapt\(\)/ })
  t.equal(fixed.disposals, 1)
})

test('Python workers do not go with adapt', async t => {
  const wanted = { clusterOptions: { python, pythonWorkers: 1 }, adapt: { minimum: 0, maximum: 1 } }
  await t.rejects(startCluster(wanted, surroundings), { code: 'INVALID_OPTION', message: /'pythonWorkers'/ })
})

test('the default cluster has no options but its own, adaptive or not', async t => {
  const wanted = { clusterOptions: { python, n_workers: 1 } }
  const refused = { code: 'INVALID_OPTION', message: /'n_workers'/ }
  await t.rejects(startCluster(wanted, surroundings), refused)
  await t.rejects(startCluster({ ...wanted, adapt: { minimum: 0, maximum: 1 } }, surroundings), refused)
})
