import type { TaskCode } from '../core/executor.js'
import { machines } from './machines.js'
import type { RemoteShipment } from './remote-bundle.js'
import { ShippedFiles } from './shipped-file.js'

const files = new ShippedFiles<RemoteShipment>(machines)

/**
 * Makes a task ready for workers on other machines, the first time; after that it is known. All tasks of a file that list
 * the same `external` and `files` are made ready together. Rejects with the MintakaError that says what such a worker could
 * not have: NATIVE and ASSET, and all that threads could not have either.
 */
export function shipRemote(task: TaskCode): Promise<RemoteShipment> {
  return files.ship(task)
}
