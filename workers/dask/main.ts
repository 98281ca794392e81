import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { asError, MintakaError } from '../../lib/core/errors.js'
import type { TlsOptions } from '../../lib/dask/comm/connect.js'
import { memoryLimitOf } from '../../lib/dask/memory-limit.js'
import type { WorkerFlags } from '../../lib/dask/worker-flags.js'
import { defaultThreads } from '../../lib/threads/thread-count.js'
import { hostOf } from './local-host.js'
import { WorkerLog } from './log.js'
import { supervise } from './supervise.js'
import { watchParent } from './watch-parent.js'
import { DaskWorker, type WorkerOptions } from './worker.js'

const pollFileMs = 10

/** Runs a worker, or several, until the end. Gives the exit code: 0 if it was asked to end, 1 if it could not go on. */
export async function runWorkers(flags: WorkerFlags): Promise<number> {
  // Who reads what a worker says may be gone before it. That is no error to say anything about.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const nthreads = flags.nthreads ?? Math.max(1, Math.floor(defaultThreads() / flags.nworkers))
  return flags.nworkers > 1 ? supervise({ ...flags, nthreads }) : runWorker({ ...flags, nthreads })
}

async function runWorker(flags: WorkerFlags & { readonly nthreads: number }): Promise<number> {
  const log = new WorkerLog()
  const life = new Life(flags, log)
  try {
    const options = await optionsOf(flags, log, life.signal)
    const worker = await DaskWorker.start({ ...options, signal: life.signal })
    process.stdout.write(`Start worker at: ${worker.address}\n`)
    life.worker = worker
    const { error } = await worker.ended
    return error ? 1 : life.exitCode
  } catch (error) {
    if (life.signal.aborted) return life.exitCode
    process.stderr.write(`${asError(error).message}\n`)
    return 1
  } finally {
    life.end()
  }
}

const ignore = () => {}

/** What may end a worker from outside: signals, its parent, and defects of ours. */
class Life {
  exitCode = 0
  private readonly controller = new AbortController()
  private readonly stopWatching: () => void
  private running: DaskWorker | undefined
  private wish: ((worker: DaskWorker) => Promise<void>) | undefined
  private readonly onTerm = () => this.onSignal('SIGTERM', 0)
  private readonly onInt = () => this.onSignal('SIGINT', 130)
  private readonly onUncaught: (error: unknown) => void

  constructor(flags: WorkerFlags, log: WorkerLog) {
    this.stopWatching = watchParent(flags, why => this.endBy(worker => worker.close(why)))
    this.onUncaught = error => {
      log.say('error', 'Something failed that should not: %s', asError(error).stack)
      this.exitCode = 1
      this.endBy(worker => worker.close('the worker is damaged', asError(error)))
    }
    process.on('SIGTERM', this.onTerm)
    process.on('SIGINT', this.onInt)
    process.on('uncaughtException', this.onUncaught)
    // Whoever has read what it prints may have had enough of it.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore)
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  set worker(worker: DaskWorker) {
    this.running = worker
    void this.wish?.(worker)
  }

  end(): void {
    this.stopWatching()
    process.off('SIGTERM', this.onTerm)
    process.off('SIGINT', this.onInt)
    process.off('uncaughtException', this.onUncaught)
    for (const stream of [process.stdout, process.stderr]) stream.off('error', ignore)
  }

  // The second one does not wait for anybody.
  private onSignal(signal: string, exitCode: number): void {
    this.exitCode = exitCode
    if (this.wish) this.endBy(worker => worker.close(`${signal} again`))
    else this.endBy(worker => worker.retire(signal))
  }

  private endBy(wish: (worker: DaskWorker) => Promise<void>): void {
    this.wish = wish
    if (this.running) void wish(this.running)
    else this.controller.abort()
  }
}

async function optionsOf(
  flags: WorkerFlags & { readonly nthreads: number },
  log: WorkerLog,
  signal: AbortSignal,
): Promise<WorkerOptions> {
  const { nthreads, resources, localDirectory, deathTimeoutMs, contactAddress, name, workerPorts } = flags
  const tls = await tlsOf(flags)
  const address = await schedulerAddress(flags, signal)
  return {
    ...{ name, nthreads, resources, localDirectory, contactAddress, deathTimeoutMs, log, tls },
    schedulerAddress: address.includes('://') ? address : `${tls ? 'tls' : 'tcp'}://${address}`,
    memoryLimitBytes: memoryLimitOf(flags.memoryLimit, nthreads),
    host: flags.host ?? (flags.interface === undefined ? undefined : hostOf(flags.interface)),
    ports: workerPorts && portsFrom(workerPorts),
  }
}

async function schedulerAddress({ scheduler, deathTimeoutMs }: WorkerFlags, signal: AbortSignal): Promise<string> {
  if ('address' in scheduler) return scheduler.address
  const deadline = performance.now() + (deathTimeoutMs ?? Number.POSITIVE_INFINITY)
  while (performance.now() < deadline) {
    const address = await addressIn(scheduler.file)
    if (address !== undefined) return address
    await sleep(pollFileMs, undefined, { signal })
  }
  const text = `The scheduler file ${scheduler.file} did not appear in ${(deathTimeoutMs ?? 0) / 1000} s.`
  throw new MintakaError('DASK_CONNECT', text, { file: scheduler.file })
}

/** `undefined` as long as it is not there, or not yet written to its end. */
async function addressIn(file: string): Promise<string | undefined> {
  try {
    const { address } = JSON.parse(await readFile(file, 'utf8')) as { address?: unknown }
    return typeof address === 'string' ? address : undefined
  } catch {
    return undefined
  }
}

async function tlsOf({ tlsCaFile, tlsCert, tlsKey }: WorkerFlags): Promise<TlsOptions | undefined> {
  if (tlsCaFile === undefined && tlsCert === undefined && tlsKey === undefined) return undefined
  const [ca, cert, key] = await Promise.all([read(tlsCaFile), read(tlsCert), read(tlsKey ?? tlsCert)])
  return { ca, cert, key }
}

async function read(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const text = `The PEM file ${file} cannot be read: ${asError(cause).message}.`
    throw new MintakaError('INVALID_OPTION', text, { file, cause })
  }
}

function portsFrom([first, last]: readonly [number, number]): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
