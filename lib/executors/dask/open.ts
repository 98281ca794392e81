import type { ExecutorSession, ExecutorSurroundings } from '../../core/executor.js'
import { DaskClient } from '../../dask/client/client.js'
import type { Cluster } from '../../dask/clusters/cluster.js'
import { defaultThreads } from '../../threads/thread-count.js'
import type { Connection } from './link.js'
import type { DaskOptions, TemporaryClusterOptions } from './options.js'
import { DaskSession } from './session.js'

/** Opens the session of one flow run: with its cluster, if that is a temporary one. */
export async function openSession(options: DaskOptions, surroundings: ExecutorSurroundings): Promise<ExecutorSession> {
  const connect = () => connection(options, surroundings)
  const opened = await connect()
  return new DaskSession({
    connection: opened,
    reconnect: options.resubmit ? connect : undefined,
    cancelGraceMs: options.cancelGraceMs,
    surroundings,
  })
}

async function connection(options: DaskOptions, { log }: ExecutorSurroundings): Promise<Connection> {
  if (options.address !== undefined) {
    const client = await DaskClient.connect(options.address, { tls: options.tls })
    return { client, isWhole: () => false, close: () => client.close() }
  }
  const cluster = await makeCluster(options, log)
  try {
    const client = await DaskClient.connect(cluster.schedulerAddress, { tls: cluster.tls ?? options.tls })
    return { client, isWhole: () => cluster.isWhole ?? false, close: () => closeBoth(client, cluster) }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

async function closeBoth(client: DaskClient, cluster: Cluster): Promise<void> {
  try {
    await client.close()
  } finally {
    await cluster[Symbol.asyncDispose]()
  }
}

async function makeCluster(options: TemporaryClusterOptions, log: ExecutorSurroundings['log']): Promise<Cluster> {
  const { startCluster } = await import('../../dask/clusters/start.js')
  return startCluster(options, { log: (line, fields) => log.info(line, fields), processors: defaultThreads() })
}
