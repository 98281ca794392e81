import { MintakaError } from '../../core/errors.js'
import type { Call } from '../../core/executor.js'
import type { DaskClient, WorkerInfo } from '../../dask/client/client.js'
import type { WireAnnotations } from '../../dask/client/graph.js'
import { nodeResource } from '../../dask/payload.js'
import { aTraceOfNode } from './resource.js'

/** What Dask is told of a call for Node workers. */
export function nodeAnnotations(call: Call): WireAnnotations {
  return { ...commonAnnotations(call), resources: { ...call.annotations?.resources, ...aTraceOfNode } }
}

/**
 * What Dask is told of a call for Python workers: which they are, because nothing tells them apart by themselves. Where
 * workers offer a resource `python`, that does, and holds for workers that come later. Rejects with
 * RESOURCES_UNAVAILABLE if there is none.
 */
export async function pythonAnnotations(call: Call, client: DaskClient): Promise<WireAnnotations> {
  const common = commonAnnotations(call)
  const resources = call.annotations?.resources
  if (common.workers) return { ...common, ...(resources && { resources }) }
  const workers = await client.workers()
  if (workers.some(offersPython)) return { ...common, resources: { ...resources, python: 1e-9 } }
  const addresses = workers.filter(worker => !(nodeResource in worker.resources)).map(({ address }) => address)
  if (addresses.length === 0) throw noPythonWorker(call, client.address)
  return { ...common, workers: addresses, ...(resources && { resources }) }
}

function commonAnnotations({ annotations = {} }: Call): WireAnnotations {
  const { priority, retries, workers, allowOtherWorkers } = annotations
  return {
    ...(priority && { priority }),
    ...(retries && { retries }),
    ...(workers && workers.length > 0 && { workers }),
    ...(allowOtherWorkers && { allow_other_workers: true }),
  }
}

function offersPython({ resources }: WorkerInfo): boolean {
  return 'python' in resources
}

function noPythonWorker({ name, task }: Call, address: string): MintakaError {
  const text =
    `'${name}' is a Python function, and no Python worker is connected to ${address}. Start one, ` +
    `python -m distributed.cli.dask_worker ${address}, or give a temporary cluster some: clusterOptions: { pythonWorkers: 1 }.`
  return new MintakaError('RESOURCES_UNAVAILABLE', text, { task: task.name, resource: 'python' })
}
