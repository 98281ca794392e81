/** Dask's own adaptive scaling starts Node workers under load, and ends them after it without losing what they hold. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { t as tap, test } from 'tap'
import { DaskClient } from '../../../lib/dask/client/client.js'
import { taskKey } from '../../../lib/dask/client/graph.js'
import { startCluster, type TemporaryCluster } from '../../../lib/dask/clusters/start.js'
import { encodePayload, nodeResource } from '../../../lib/dask/payload.js'
import { decodeValue } from '../../../lib/dask/values/decode.js'
import { decodeError } from '../../../lib/dask/values/errors.js'
import { toWire } from '../../../lib/values/wire.js'
import { nodeWorker } from '../../fixtures/dask/ask.js'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'

tap.setTimeout(300_000)
tap.jobs = 4 // they mostly wait

type Story = readonly [says: string, wanted: TemporaryCluster]

// As eager as it can be had.
const eager = { INTERVAL: '100ms', WAIT_COUNT: '3', TARGET_DURATION: '1s' }
for (const [name, value] of Object.entries(eager)) process.env[`DASK_DISTRIBUTED__ADAPTIVE__${name}`] = value

const limits = { minimum: 1, maximum: 3 }
const url = new URL('./fixtures/work.mjs', import.meta.url).href

const byName = daskEnvironments().map(({ version, python }): Story => {
  const clusterOptions = { python, workers: 1, threadsPerWorker: 1, dashboard_address: null }
  return [`LocalCluster of Dask ${version}`, { cluster: 'distributed.LocalCluster', clusterOptions, adapt: limits }]
})
const { python } = newestDask()
const stories: Story[] = [
  ['the default cluster', { clusterOptions: { python, threadsPerWorker: 1 }, adapt: limits }],
  ...byName,
]

for (const [says, wanted] of stories) {
  test(`${says} grows to 3 and shrinks to 1, and nothing is lost`, { buffered: true }, async t => {
    const cluster = await startCluster(wanted, { nodeWorker, log() {} })
    t.teardown(() => cluster[Symbol.asyncDispose]())
    await using client = await DaskClient.connect(cluster.schedulerAddress)

    let hasGrown = false
    const grown = untilWorkers(client, 3).then(() => {
      hasGrown = true
    })
    const numbers = Array.from({ length: 30 }, (_, number) => number)
    const keys = await Promise.all(numbers.map(number => run(client, 300, number)))
    while (!hasGrown) await Promise.all(numbers.map(number => run(client, 300, number))) // a busy machine
    await grown
    await untilWorkers(client, 1)
    const values = await Promise.all(keys.map(async key => decodeValue(await client.gather(key))))
    t.strictSame(values, numbers)
    await untilWorkers(client, 1)
  })
}

/** Resolves with its key when a worker has the value, which it gives after some time. */
function run(client: DaskClient, ms: number, value: number): Promise<string> {
  const key = taskKey('slow', randomUUID())
  const payload = encodePayload({
    ...{ type: 'call', id: key, name: key, attempt: 1, flowRunId: 'test', tags: [], taskName: 'slow' },
    ...{ code: { type: 'module', url, exportName: 'slow' }, args: toWire([ms, value]), deps: [], topic: 'test' },
    inlineBytes: 0,
  })
  return new Promise((resolve, reject) => {
    client.submit(
      { key, call: { type: 'node', payload, deps: [] } },
      { resources: { [nodeResource]: 1e-9 } },
      {
        inMemory: () => resolve(key),
        erred: exception => reject(decodeError(exception).error),
        cancelled: reject,
        lost: reject,
      },
    )
  })
}

async function untilWorkers(client: DaskClient, count: number): Promise<void> {
  while ((await client.workers()).length !== count) await delay(20)
}
