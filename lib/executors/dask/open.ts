import { MintakaError } from '../../core/errors.js'
import type { ExecutorSession, ExecutorSurroundings } from '../../core/executor.js'
import { DaskClient } from '../../dask/client/client.js'
import type { Cluster } from '../../dask/clusters/cluster.js'
import type { DaskOptions, MakeCluster, TemporaryClusterOptions } from './options.js'
import { type Connection, DaskSession } from './session.js'

/** Opens the session of one flow run: with its cluster, if that is a temporary one. */
export async function openSession(options: DaskOptions, surroundings: ExecutorSurroundings): Promise<ExecutorSession> {
  const connect = () => connection(options, surroundings)
  const opened = await connect()
  return new DaskSession({
    connection: opened,
    reconnect: options.resubmit ? connect : undefined,
    isFixed: options.address === undefined && options.cluster === undefined && options.adapt === undefined,
    cancelGraceMs: options.cancelGraceMs,
    surroundings,
  })
}

async function connection(options: DaskOptions, { log }: ExecutorSurroundings): Promise<Connection> {
  if (options.address !== undefined) {
    const client = await DaskClient.connect(options.address, { tls: options.tls })
    return { client, close: () => client.close() }
  }
  const cluster = await makeCluster(options, log)
  try {
    const client = await DaskClient.connect(cluster.schedulerAddress, { tls: cluster.tls ?? options.tls })
    return { client, close: () => closeBoth(client, cluster) }
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
  const { cluster, clusterOptions = {}, adapt } = options
  if (typeof cluster === 'function') return ownCluster(cluster, options, log)
  const say = (line: string, fields?: Readonly<Record<string, unknown>>) => log.info(line, fields)
  if (cluster === undefined && adapt === undefined) {
    const { startLocalCluster } = await import('../../dask/clusters/local.js')
    return startLocalCluster({ ...clusterOptions, log: say })
  }
  const { startPythonCluster } = await import('../../dask/clusters/python-cluster.js')
  return startPythonCluster(cluster ?? 'distributed.LocalCluster', { clusterOptions, adapt, log: say })
}

/** A cluster that the user's function makes. */
async function ownCluster(
  make: MakeCluster,
  { clusterOptions = {}, adapt }: TemporaryClusterOptions,
  log: ExecutorSurroundings['log'],
): Promise<Cluster> {
  const cluster = await make(clusterOptions)
  const { schedulerAddress, dashboardLink } = cluster
  log.info(`A Dask cluster is up at ${schedulerAddress}.`, {
    schedulerAddress,
    ...(dashboardLink && { dashboardLink }),
  })
  if (!adapt) return cluster
  if (cluster.adapt) {
    await cluster.adapt(adapt)
    return cluster
  }
  await cluster[Symbol.asyncDispose]()
  throw new MintakaError('INVALID_OPTION', 'The cluster that DaskExecutor was given has no adapt(): leave adapt out.')
}
