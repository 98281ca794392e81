import { asError } from '../../lib/core/errors.js'
import { formatAddress, parseAddress } from '../../lib/dask/comm/address.js'
import { hostTowards } from './local-host.js'
import type { WorkerLog } from './log.js'
import { type Operation, WorkerServer } from './server.js'
import type { WorkerOptions } from './worker.js'

type ListeningOptions = Pick<WorkerOptions, 'schedulerAddress' | 'host' | 'ports' | 'contactAddress' | 'tls'>

/** Listens where the options say. Rejects with DASK_CONNECT if it cannot. */
export async function openServer(
  { schedulerAddress, host, ports = [0], tls }: ListeningOptions,
  operations: ReadonlyMap<string, Operation>,
  log: WorkerLog,
): Promise<WorkerServer> {
  return WorkerServer.open({
    host: host ?? (await hostTowards(schedulerAddress)),
    ...{ ports, tls, operations },
    onError: (op, error) => log.say('warning', `'${op}' failed: ${asError(error).message}`),
  })
}

/** Who listens on all addresses is reached by that on the way to the scheduler. */
export async function contactHost({ host, schedulerAddress }: ListeningOptions): Promise<string | undefined> {
  return host === '0.0.0.0' || host === '::' ? hostTowards(schedulerAddress) : undefined
}

/** How others reach a server. */
export function contactAddress({ address, port }: WorkerServer, { contactAddress: given }: ListeningOptions): string {
  if (given === undefined) return address
  const { protocol } = parseAddress(address)
  const place = given.replace(/^\w+:\/\//, '')
  const hasPort = /^([^:]+|\[.+\]):\d+$/.test(place)
  return formatAddress({ ...parseAddress(hasPort ? place : `${place}:${port}`), protocol })
}
