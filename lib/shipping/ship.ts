import type { TaskCode } from '../core/executor.js'
import { ShippedFiles } from './shipped-file.js'
import { type Shipment, threads } from './threads.js'

const files = new ShippedFiles<Shipment>(threads)

/**
 * Makes a task ready for threads of this process, the first time; after that it is known. All tasks of a file are made
 * ready together, so that they share what they share at home. Rejects with the MintakaError that says what a worker could
 * not have.
 */
export function ship(task: TaskCode): Promise<Shipment> {
  return files.ship(task)
}
