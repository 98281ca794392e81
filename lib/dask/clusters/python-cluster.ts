import { isMintakaError, MintakaError } from '../../core/errors.js'
import type { AdaptLimits, Cluster, ClusterLog, ClusterOptions, ClusterWith } from './cluster.js'
import { findPython } from './find-python.js'
import { checkAdapt, checkClusterOptions } from './options.js'
import { endedError, PythonProcess } from './python-process.js'
import { unlessAborted } from './unless-aborted.js'
import { nodeWorkerCommand } from './worker-processes.js'

/** Options of {@link startPythonCluster}. */
export interface PythonClusterOptions {
  /** Ours go by Dask's names: `workers` is `n_workers`. All others are for the class, as they are. */
  readonly clusterOptions?: (ClusterOptions & Readonly<Record<string, unknown>>) | undefined
  readonly adapt?: AdaptLimits | undefined
  readonly log: ClusterLog
  /** Ends a start that has not ended: machines may take minutes. */
  readonly signal?: AbortSignal | undefined
  /** What starts a Node worker on this machine; its flags come after it. */
  readonly nodeWorker?: readonly string[] | undefined
}

/**
 * Starts a cluster by any Python class that makes one: `'distributed.LocalCluster'`, `'dask_jobqueue.SLURMCluster'`. The
 * object lives in a Python process, which closes it when this process ends it or dies. Workers that the class would start
 * on this machine are Node workers; what others run is for its options to say.
 *
 * Rejects with INVALID_OPTION, DASK_PYTHON, or DASK_CLUSTER with the type and text of what Python raised (`pyType`).
 */
export async function startPythonCluster(
  className: string,
  options: PythonClusterOptions,
): Promise<ClusterWith<'scale' | 'adapt' | 'ended'>> {
  const { clusterOptions = {}, adapt, log, signal } = options
  checkName(className)
  checkClusterOptions(clusterOptions, 'passed on')
  if (adapt) checkAdapt(adapt)
  signal?.throwIfAborted()
  const python = await findPython(clusterOptions.python)
  const { nodeWorker = nodeWorkerCommand } = options
  let sayEnd = (_how: string) => {}
  const saidEnd = new Promise<string>(resolve => {
    sayEnd = resolve
  })
  const host = new PythonProcess({
    ...{ python: python.path, module: 'cluster', env: { MINTAKA_WORKER_COMMAND: JSON.stringify(nodeWorker) } },
    onEvent: (_, how) => sayEnd(how),
  })
  try {
    const start = { cluster: className, options: inPython(clusterOptions), ...(adapt ? { adapt } : {}) }
    const facts = (await unlessAborted(host.ask('start', start), signal)) as Facts
    log(`A ${className} is up at ${facts.schedulerAddress}.`, {
      schedulerAddress: facts.schedulerAddress,
      ...(facts.dashboardLink ? { dashboardLink: facts.dashboardLink } : {}),
      distributed: python.version,
    })
    return new PythonCluster(className, host, saidEnd, facts)
  } catch (error) {
    await host.program.leave(leavingMs)
    throw isMintakaError(error, 'DASK_CLUSTER') ? startError(className, python.path, error) : error
  }
}

function checkName(className: string): void {
  if (/^\w+(\.\w+)+$/.test(className)) return
  const names = "the dotted name of a Python class, like 'distributed.LocalCluster'"
  throw new MintakaError('INVALID_OPTION', `The option 'cluster' should be ${names}, not '${className}'.`)
}

interface Facts {
  readonly schedulerAddress: string
  readonly dashboardLink: string | null
  readonly tls: Cluster['tls'] | null
  readonly isLocal: boolean
}

// The Python side has limits of its own, a little less than these: a cloud takes its time to give machines back.
const closeMs = 605_000
const localCloseMs = 5_000

// A start that was ended may be in the middle of asking for a machine. It goes on, to give it back, but is not waited for.
const leavingMs = 5_000

class PythonCluster implements Cluster {
  readonly schedulerAddress: string
  declare readonly dashboardLink?: string
  declare readonly tls?: NonNullable<Cluster['tls']>
  readonly ended: Promise<Error>
  readonly #host: PythonProcess
  readonly #closeMs: number
  #closing: Promise<void> | undefined

  constructor(className: string, host: PythonProcess, saidEnd: Promise<string>, facts: Facts) {
    const { schedulerAddress, dashboardLink, tls, isLocal } = facts
    this.#closeMs = isLocal ? localCloseMs : closeMs
    this.schedulerAddress = schedulerAddress
    if (dashboardLink) this.dashboardLink = dashboardLink
    if (tls) this.tls = tls
    this.#host = host
    const gone = host.program.ended.then(({ how }) => `its Python process ${how}`)
    this.ended = new Promise(resolve => {
      void Promise.race([gone, saidEnd]).then(how => {
        if (!this.#closing)
          resolve(endedError(`The ${className} of a flow run`, `ended: ${how}`, host.program.lastWords))
      })
    })
  }

  async scale(workers: number): Promise<void> {
    checkClusterOptions({ workers })
    await this.#host.ask('scale', { workers })
  }

  async adapt(limits: AdaptLimits): Promise<void> {
    checkAdapt(limits)
    await this.#host.ask('adapt', { ...limits })
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#host.program.end(this.#closeMs)
    return this.#closing
  }
}

const pythonNames: Readonly<Record<string, string>> = {
  workers: 'n_workers',
  threadsPerWorker: 'threads_per_worker',
  memoryLimit: 'memory_limit',
}

/** The options by Dask's names; which interpreter runs them is no option of a class. */
function inPython({ python, ...options }: ClusterOptions & Readonly<Record<string, unknown>>): object {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [pythonNames[name] ?? name, value]))
}

function startError(className: string, python: string, error: MintakaError): MintakaError {
  const missing = /^ModuleNotFoundError: No module named '([^'.]+)/.exec(error.message)?.[1]
  const fix = missing && className.startsWith(`${missing}.`) ? `. Install it: ${python} -m pip install ${missing}` : ''
  const { message, code, name, ...fields } = error
  return new MintakaError(code, `The cluster ${className} could not start. ${message}${fix}`, {
    ...fields,
    cause: error,
  })
}
