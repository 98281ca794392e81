/** What a worker puts in the place of the functions of the front door. */
export interface WorkerDoor {
  task(name: string, fn: unknown): unknown
  flow(name: string, fn: unknown): unknown
  deployment(): unknown
  serve(): unknown
  taskContext(): unknown
  flowContext(): unknown
}

/**
 * A worker has a door of its own (`workers/door`): there tasks run in place and flows do not run. Code that a worker
 * imports by reference meets the package itself, which then steps back behind that door. `undefined` on a main thread.
 */
export function workerDoor(): WorkerDoor | undefined {
  return (globalThis as { [door]?: WorkerDoor })[door]
}

const door = Symbol.for('mintaka.door')
