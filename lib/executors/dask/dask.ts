import type { Executor, ExecutorSession, ExecutorSurroundings } from '../../core/executor.js'
import { checkDaskOptions, type DaskOptions } from './options.js'

/**
 * Runs tasks on a real Dask cluster: the stock Python scheduler, with Node workers for tasks in JavaScript and Python
 * workers for `task.python`. Tasks that need each other's results are handed over as a graph, and their data goes from
 * worker to worker.
 *
 * ```ts
 * new DaskExecutor()                                            // a local cluster for the flow run
 * new DaskExecutor({ address: 'tcp://10.0.0.5:8786' })          // one that is up already
 * new DaskExecutor({ adapt: { minimum: 1, maximum: 8 } })       // one that grows and shrinks
 * ```
 *
 * Tasks run at least once: Dask runs those of a dead worker again on another. A result larger than 64 KiB stays on the
 * cluster until somebody awaits it; see `HeldResult`.
 */
export class DaskExecutor implements Executor {
  readonly name = 'dask'
  readonly #options: DaskOptions

  /** Throws INVALID_OPTION. */
  constructor(options: DaskOptions = {}) {
    checkDaskOptions(options)
    this.#options = options
  }

  /** Connects, or makes a cluster. Rejects with DASK_CONNECT, DASK_VERSION, DASK_PYTHON or DASK_CLUSTER. */
  async start(surroundings: ExecutorSurroundings): Promise<ExecutorSession> {
    const { openSession } = await import('./open.js')
    return openSession(this.#options, surroundings)
  }
}
