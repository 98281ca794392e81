import type { TlsOptions } from '../comm/connect.js'

/**
 * A Dask cluster as a flow run sees it: where its scheduler is, and how it ends. To bring one of your own, start it and
 * return such an object:
 *
 * ```ts
 * const executor = new DaskExecutor({
 *   cluster: async (): Promise<Cluster> => {
 *     const { address, stop } = await startMyCluster()
 *     return { schedulerAddress: address, [Symbol.asyncDispose]: stop }
 *   },
 * })
 * ```
 *
 * It is disposed of once, when the flow run has ended, also when it is `ended` already.
 */
export interface Cluster extends AsyncDisposable {
  /** `tcp://host:port` or `tls://host:port`. The scheduler listens there by now; workers may still be on their way. */
  readonly schedulerAddress: string
  /** A page about the cluster, if it has one. */
  readonly dashboardLink?: string
  /** What a client needs for a `tls://` address: PEM text. */
  readonly tls?: TlsOptions
  /** Resolves when as many workers are on their way, or have left with their data handed on to others. */
  scale?(workers: number): Promise<void>
  /** From now on Dask scales it by itself, by what there is to do. */
  adapt?(limits: AdaptLimits): Promise<void>
  /** Whether all workers that it shall have are there now. `undefined`: nobody knows. */
  readonly isWhole?: boolean
  /** Resolves with why, if it ends by itself. Never rejects. */
  readonly ended?: Promise<Error>
}

/** A cluster that is known to have these. */
export type ClusterWith<Method extends keyof Cluster> = Cluster & Required<Pick<Cluster, Method>>

/** Between how many workers. */
export interface AdaptLimits {
  /** Fewer there never are. */
  readonly minimum: number
  /** More there never are. */
  readonly maximum: number
}

/** What a temporary cluster consists of. */
export interface ClusterOptions {
  /** Node workers: processes. Default: as `LocalCluster` of Dask has it, see `workersFor`. */
  readonly workers?: number | undefined
  /** Tasks that a worker runs at once. Default: the processors of this process, divided among the workers. */
  readonly threadsPerWorker?: number | undefined
  /** What each worker offers: `{ GPU: 1 }`. Against it stand `annotations: { resources: { GPU: 1 } }` of tasks. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /**
   * Of a worker: bytes, a text like `'4GB'`, or `'auto'`; a number up to 1 is a part of this machine's memory, 0 is no
   * limit. Default: Dask's own `'auto'`, the machine's memory divided among its processors.
   */
  readonly memoryLimit?: number | string | undefined
  /** Whether the scheduler has its dashboard, where bokeh is installed. That takes a second of the start. Default true. */
  readonly dashboard?: boolean | undefined
  /** The Python interpreter. Default: MINTAKA_PYTHON, the active virtual environment, `python3`. */
  readonly python?: string | undefined
  /** Workers in Python, Dask's own, for `task.python(…)`. Default 0. Not with `adapt`, nor with a class by name. */
  readonly pythonWorkers?: number | undefined
}

/** Tells what happens to a cluster: a sentence, and the facts in it. */
export type ClusterLog = (line: string, fields?: Readonly<Record<string, unknown>>) => void
