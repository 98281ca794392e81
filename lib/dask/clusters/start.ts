import { MintakaError } from '../../core/errors.js'
import type { AdaptLimits, Cluster, ClusterLog, ClusterOptions } from './cluster.js'
import { startLocalCluster } from './local.js'
import { checkAdapt, checkClusterOptions, workersFor } from './options.js'
import { startPythonCluster } from './python-cluster.js'

/** Makes a cluster of the options that were given for it. */
export type MakeCluster = (options: Readonly<Record<string, unknown>>) => Cluster | Promise<Cluster>

/** What a temporary cluster is made of. */
export interface TemporaryCluster {
  /** Default: a scheduler and workers on this machine. A function, or a Python class by its dotted name. */
  readonly cluster?: string | MakeCluster | undefined
  readonly clusterOptions?: (ClusterOptions & Readonly<Record<string, unknown>>) | undefined
  /** Lets Dask scale it. */
  readonly adapt?: AdaptLimits | undefined
}

export interface StartOptions {
  readonly log: ClusterLog
  readonly signal?: AbortSignal | undefined
  /** Among how many processors the default numbers are divided. Default: those that Node reports. */
  readonly processors?: number | undefined
  /** What starts a Node worker on this machine; its flags come after it. */
  readonly nodeWorker?: readonly string[] | undefined
}

/** Starts a temporary cluster of whatever kind. Rejects with INVALID_OPTION, DASK_PYTHON, DASK_CLUSTER. */
export async function startCluster(wanted: TemporaryCluster, options: StartOptions): Promise<Cluster> {
  const { cluster, clusterOptions = {}, adapt } = wanted
  if (typeof cluster === 'function') return startOwn(cluster, wanted, options.log)
  const { processors, ...surroundings } = options
  if (cluster !== undefined) return startPythonCluster(cluster, { clusterOptions, adapt, ...surroundings })
  if (!adapt) return startLocalCluster({ ...clusterOptions, ...options })
  return startPythonCluster(localClass, {
    ...surroundings,
    clusterOptions: adaptiveOptions(clusterOptions, adapt, processors),
    adapt,
  })
}

// What scales is Dask's own class, held by a Python process.
const localClass = 'distributed.LocalCluster'

function adaptiveOptions(options: ClusterOptions, adapt: AdaptLimits, processors: number | undefined) {
  checkClusterOptions(options)
  checkAdapt(adapt)
  if (options.pythonWorkers) {
    const fix = 'Leave one of the two out, or give the address of a cluster that has Python workers.'
    throw new MintakaError('INVALID_OPTION', `A cluster that adapts has no 'pythonWorkers'. ${fix}`)
  }
  const { pythonWorkers, dashboard = true, workers = adapt.minimum, ...others } = options
  const dashboardAddress = dashboard ? '127.0.0.1:8787' : null
  const { threadsPerWorker } = workersFor({ threadsPerWorker: options.threadsPerWorker }, processors)
  return { ...others, workers, threadsPerWorker, host: '127.0.0.1', dashboard_address: dashboardAddress }
}

async function startOwn(
  make: MakeCluster,
  { clusterOptions = {}, adapt }: TemporaryCluster,
  log: ClusterLog,
): Promise<Cluster> {
  const cluster: unknown = await make(clusterOptions)
  if (!isCluster(cluster)) {
    const what = 'an object with a schedulerAddress (tcp://… or tls://…) and [Symbol.asyncDispose]'
    throw new MintakaError('INVALID_OPTION', `The option 'cluster' should be a function that returns ${what}.`)
  }
  const { schedulerAddress, dashboardLink } = cluster
  log(`A Dask cluster is up at ${schedulerAddress}.`, { schedulerAddress, ...(dashboardLink && { dashboardLink }) })
  if (adapt) await adaptOwn(cluster, adapt)
  return cluster
}

async function adaptOwn(cluster: Cluster, adapt: AdaptLimits): Promise<void> {
  try {
    checkAdapt(adapt)
    if (!cluster.adapt) {
      throw new MintakaError('INVALID_OPTION', 'The cluster that was given has no adapt(): leave adapt out.')
    }
    await cluster.adapt(adapt)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

function isCluster(value: unknown): value is Cluster {
  if (typeof value !== 'object' || value === null) return false
  const { schedulerAddress, [Symbol.asyncDispose]: dispose } = value as Partial<Cluster>
  return /^(tcp|tls):\/\//.test(String(schedulerAddress)) && typeof dispose === 'function'
}
