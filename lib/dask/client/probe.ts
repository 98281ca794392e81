import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { MintakaError } from '../../core/errors.js'
import { guard, nodeResource } from '../payload.js'
import { decodeError } from '../values/errors.js'
import type { DaskClient } from './client.js'
import { taskKey } from './graph.js'
import { testedVersions } from './versions.js'

const timeoutMs = 10_000
const askEveryMs = 50

/**
 * Tries whether a scheduler that is newer than those known understands us: by a graph of one task that nobody will carry
 * out. Rejects with DASK_VERSION.
 */
export async function probe(client: DaskClient): Promise<void> {
  const key = taskKey('mintaka-probe', randomUUID())
  let problem: unknown
  client.submit(
    { key, call: { type: 'node', payload: Buffer.from(guard), deps: [] } },
    { resources: { [nodeResource]: 1e-9, 'mintaka-probe': 1 } },
    {
      inMemory() {},
      erred: exception => {
        problem = decodeError(exception).error
      },
      cancelled: reason => {
        problem = reason ?? 'cancelled'
      },
      lost: error => {
        problem = error
      },
    },
  )
  const until = Date.now() + timeoutMs
  while (problem === undefined && Date.now() < until) {
    const { [key]: state } = await client.taskStates([key]).catch(error => {
      problem = error
      return { [key]: undefined }
    })
    if (state !== null && state !== undefined && state !== 'erred') return client.release([key])
    await delay(askEveryMs)
  }
  await client.close()
  throw refused(client, problem)
}

function refused({ address, version }: DaskClient, cause: unknown): MintakaError {
  const text =
    `The Dask scheduler at ${address} has version ${version ?? 'unknown'} of distributed, which is newer than those ` +
    `known (up to ${testedVersions.newest}), and does not understand a task. Install a newer mintaka, or ` +
    `python -m pip install "distributed<=${testedVersions.newest}"`
  return new MintakaError('DASK_VERSION', text, { address, version, cause })
}
