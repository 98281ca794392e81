import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster, ClusterLog, ClusterOptions, ClusterWith } from './cluster.js'
import { findPython, type Python } from './find-python.js'
import { checkClusterOptions, workersFor } from './options.js'
import { endedError, PythonProcess, pythonEnvironment } from './python-process.js'
import { unlessAborted } from './unless-aborted.js'
import { nodeWorkerCommand, type WorkerCommand, WorkerProcesses } from './worker-processes.js'

/** Options of {@link startLocalCluster}. */
export interface LocalClusterOptions extends ClusterOptions {
  readonly log: ClusterLog
  /** Ends a start that has not ended. */
  readonly signal?: AbortSignal | undefined
  /** Among how many processors the default numbers are divided. Default: those of this machine that Node reports. */
  readonly processors?: number | undefined
  /** What starts a Node worker; its flags come after it. */
  readonly nodeWorker?: readonly string[] | undefined
}

/**
 * Starts a Dask cluster on this machine: the stock scheduler in a Python process, workers in Node, and as many in Python as
 * wanted. All listen on 127.0.0.1 only. Resolves when the scheduler has all of them. A worker that dies is started again. No
 * process outlives this one.
 *
 * Rejects with INVALID_OPTION, DASK_PYTHON, or DASK_CLUSTER with what the scheduler said last.
 */
export async function startLocalCluster(
  options: LocalClusterOptions,
): Promise<ClusterWith<'scale' | 'ended' | 'isWhole'>> {
  const { log, signal, processors, nodeWorker, ...clusterOptions } = options
  checkClusterOptions(clusterOptions)
  signal?.throwIfAborted()
  const folder = await mkdtemp(join(tmpdir(), 'mintaka-dask-'))
  const cluster = new LocalCluster(folder, options)
  try {
    await unlessAborted(Promise.race([cluster.start(), rejectionOf(cluster.ended)]), signal)
    return cluster
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

const graceMs = 1500

class LocalCluster implements Cluster {
  schedulerAddress = ''
  declare dashboardLink?: string
  readonly ended: Promise<Error>
  readonly #options: LocalClusterOptions
  readonly #folder: string
  readonly #nodeWorkers: WorkerProcesses
  #pythonWorkers: WorkerProcesses | undefined
  #scheduler: PythonProcess | undefined
  #end: (error: Error) => void = () => {}
  #closing: Promise<void> | undefined
  #scaling: Promise<unknown> = Promise.resolve()

  constructor(folder: string, options: LocalClusterOptions) {
    this.#folder = folder
    this.#options = options
    this.ended = new Promise(resolve => {
      this.#end = resolve
    })
    const { nodeWorker = nodeWorkerCommand } = options
    const kind = { nameOf: String, commandOf: (name: string) => this.#nodeWorker(nodeWorker, name) }
    this.#nodeWorkers = new WorkerProcesses(kind, options.log)
    void this.#nodeWorkers.failed.then(error => this.#endedBy(error))
  }

  // The workers wait for the scheduler's file: they load while it does. Half of the start is saved by that.
  async start(): Promise<void> {
    const { workers } = workersFor(this.#options, this.#options.processors)
    this.#nodeWorkers.grow(workers)
    const python = await findPython(this.#options.python)
    if (this.#closing) return
    this.#startPythonWorkers(python)
    await this.#startScheduler(python)
    await Promise.all([this.#nodeWorkers.whole(), this.#pythonWorkers?.whole()])
    this.#options.log(`A Dask cluster is up at ${this.schedulerAddress}.`, {
      schedulerAddress: this.schedulerAddress,
      ...(this.dashboardLink ? { dashboardLink: this.dashboardLink } : {}),
      ...workersFor(this.#options, this.#options.processors),
      distributed: python.version,
    })
  }

  get isWhole(): boolean {
    return this.#nodeWorkers.isWhole && (this.#pythonWorkers?.isWhole ?? true)
  }

  async scale(workers: number): Promise<void> {
    checkClusterOptions({ workers })
    const scaling = this.#scaling.then(() => this.#scale(workers))
    this.#scaling = scaling.catch(() => {})
    await scaling
  }

  async #scale(workers: number): Promise<void> {
    this.#nodeWorkers.grow(workers)
    const names = this.#nodeWorkers.shrink(workers)
    if (names.length === 0) return
    await this.#scheduler?.ask('retire', { names })
    await this.#nodeWorkers.see(names)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([this.#nodeWorkers.end(), this.#pythonWorkers?.end(), this.#scheduler?.program.end(graceMs)])
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }

  async #startScheduler(python: Python): Promise<void> {
    const dashboard = this.#options.dashboard === false ? 'without' : 'with'
    const scheduler = new PythonProcess({
      ...{ python: python.path, module: 'scheduler', args: [this.#folder, schedulerFile, dashboard] },
      onEvent: (_, name) => {
        this.#nodeWorkers.arrived(name)
        this.#pythonWorkers?.arrived(name)
      },
    })
    this.#scheduler = scheduler
    void scheduler.program.ended.then(({ how }) => {
      this.#endedBy(endedError('The scheduler of a temporary Dask cluster', how, scheduler.program.lastWords))
    })
    const { address, dashboardLink } = (await scheduler.ask('ready')) as { address: string; dashboardLink?: string }
    this.schedulerAddress = address
    if (dashboardLink) this.dashboardLink = dashboardLink
  }

  /** Nothing of it is of use any more: workers that go on are not started again. */
  #endedBy(error: Error): void {
    if (this.#closing) return
    this.#end(error)
    void this[Symbol.asyncDispose]()
  }

  #startPythonWorkers(python: Python): void {
    const { pythonWorkers = 0, log } = this.#options
    const nameOf = (number: number) => `python-${number}`
    const commandOf = (name: string) => this.#pythonWorker(python, name)
    this.#pythonWorkers = new WorkerProcesses({ nameOf, commandOf }, log)
    void this.#pythonWorkers.failed.then(error => this.#endedBy(error))
    this.#pythonWorkers.grow(pythonWorkers)
  }

  #nodeWorker([command = '', ...args]: readonly string[], name: string): WorkerCommand {
    return { command, args: [...args, ...this.#flags(name, this.#options.resources), '--exit-with-stdin'] }
  }

  // They offer what Python tasks ask for, so that no Node worker is given one.
  #pythonWorker({ path }: Python, name: string): WorkerCommand {
    const args = ['-m', 'mintaka_dask.tether', 'distributed.cli.dask_worker', '--no-nanny', '--no-dashboard']
    const flags = this.#flags(name, { ...this.#options.resources, [pythonResource]: 1 })
    return { command: path, args: [...args, ...flags], env: pythonEnvironment() }
  }

  #flags(name: string, resources: Readonly<Record<string, number>> = {}): string[] {
    const { threadsPerWorker } = workersFor(this.#options, this.#options.processors)
    const { memoryLimit } = this.#options
    const words = Object.entries(resources).map(([resource, amount]) => `${resource}=${amount}`)
    return [
      ...['--scheduler-file', join(this.#folder, schedulerFile), '--local-directory', this.#folder],
      ...['--host', '127.0.0.1', '--name', name, '--nthreads', String(threadsPerWorker)],
      ...(words.length > 0 ? ['--resources', words.join(' ')] : []),
      ...(memoryLimit === undefined ? [] : ['--memory-limit', String(memoryLimit)]),
    ]
  }
}

const schedulerFile = 'scheduler.json'

/** What the Python workers of a cluster of ours offer, and Python tasks may ask for. */
export const pythonResource = 'python'

async function rejectionOf(ended: Promise<Error>): Promise<never> {
  throw await ended
}
