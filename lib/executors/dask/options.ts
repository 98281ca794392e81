import { MintakaError } from '../../core/errors.js'
import { type Check, check, checkOptions } from '../../core/options.js'
import type { AdaptLimits, Cluster, ClusterOptions } from '../../dask/clusters/cluster.js'
import type { MakeCluster } from '../../dask/clusters/start.js'
import type { TlsOptions } from '../../dask/comm/connect.js'

export type { AdaptLimits, Cluster, ClusterOptions, MakeCluster, TlsOptions }

/** Options of `DaskExecutor`: of a cluster that is up already, or of one that lives as long as the flow run. */
export type DaskOptions = ExistingClusterOptions | TemporaryClusterOptions

interface CommonOptions {
  /** Certificates, as PEM text: for schedulers at `tls://`, and for temporary clusters that shall have it. */
  readonly tls?: TlsOptions | undefined
  /** How long a call that was cancelled or is out of time may go on before it is given up. Default 3,000. */
  readonly cancelGraceMs?: number | undefined
}

/** A cluster that is up already. It is never shut down; what the flow run left on it is released. */
export interface ExistingClusterOptions extends CommonOptions {
  /** Of its scheduler: `tcp://10.0.0.5:8786`, `tls://…`. */
  readonly address: string
  /** Not with an address: INVALID_OPTION. */
  readonly cluster?: never
  /** Not with an address: INVALID_OPTION. */
  readonly clusterOptions?: never
  /** Not with an address: INVALID_OPTION. */
  readonly adapt?: never
  /** Not with an address: INVALID_OPTION. */
  readonly resubmit?: never
}

/** A temporary cluster: made when the flow run begins, torn down when it ends. */
export interface TemporaryClusterOptions extends CommonOptions {
  /** Not with these options: INVALID_OPTION. */
  readonly address?: never
  /**
   * What makes it: a function that gives a `Cluster`, or the dotted name of a Python class, for example
   * `'distributed.LocalCluster'`. Default: a local scheduler and Node workers.
   */
  readonly cluster?: string | MakeCluster | undefined
  /** What is handed to it. */
  readonly clusterOptions?: (ClusterOptions & Readonly<Record<string, unknown>>) | undefined
  /** Between how many workers it adapts itself to what there is to do, by Dask's own rules. */
  readonly adapt?: AdaptLimits | undefined
  /**
   * If the scheduler is lost, a new cluster is made, and what has not ended is submitted again, with what it needs of
   * results that were lost: such tasks run a second time. Default false: what has not ended is CRASHED.
   */
  readonly resubmit?: boolean | undefined
}

const checks: Record<'address' | keyof TemporaryClusterOptions, Check> = {
  address: value =>
    typeof value === 'string' && /^(tcp|tls):\/\/.+:\d+$/.test(value) ? undefined : "an address, 'tcp://host:8786'",
  tls: check.object,
  cancelGraceMs: check.milliseconds,
  cluster: value =>
    typeof value === 'function' || (typeof value === 'string' && /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$/.test(value))
      ? undefined
      : "a function that gives a cluster, or the dotted name of a Python class, 'distributed.LocalCluster'",
  clusterOptions: check.object,
  adapt: value => (isRange(value) ? undefined : '{ minimum, maximum }, whole numbers from 0'),
  resubmit: check.boolean,
}

/** Throws INVALID_OPTION. */
export function checkDaskOptions(options: DaskOptions): void {
  checkOptions('DaskExecutor', options, checks)
  if (options.address === undefined) return
  for (const option of ['cluster', 'clusterOptions', 'adapt', 'resubmit'] as const) {
    if (options[option] === undefined) continue
    const text =
      `DaskExecutor was given the address of a cluster that is up already, and '${option}', which is for one that it ` +
      'makes itself. Leave one of them out.'
    throw new MintakaError('INVALID_OPTION', text, { option })
  }
}

function isRange(value: unknown): boolean {
  if (check.object(value) !== undefined) return false
  const { minimum, maximum, ...others } = value as Record<string, unknown>
  const areCounts = check.count(minimum) === undefined && check.count(maximum) === undefined
  return areCounts && (minimum as number) <= (maximum as number) && Object.keys(others).length === 0
}
