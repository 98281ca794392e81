import { randomUUID } from 'node:crypto'
import { asError, MintakaError } from '../../lib/core/errors.js'
import { onAbort } from '../../lib/core/on-abort.js'
import type { TlsOptions } from '../../lib/dask/comm/connect.js'
import { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import { nodeResource } from '../../lib/dask/payload.js'
import type { Fields } from '../../lib/dask/protocol/fields.js'
import { WorkerCore, type WorkerStimulus } from './core.js'
import { makeFolder, removeFolder } from './folder.js'
import { KeyNames } from './key-names.js'
import { contactAddress, contactHost, openServer } from './listening.js'
import { WorkerLog } from './log.js'
import { shouldPause } from './memory-pressure.js'
import { stimulusOf } from './messages.js'
import { epochSeconds, Metrics } from './metrics.js'
import { operationsOf } from './operations.js'
import { SchedulerLink } from './scheduler-link.js'
import type { Operation, WorkerServer } from './server.js'

export interface WorkerOptions {
  readonly schedulerAddress: string
  /** Default: its address. Dask's own clusters know their workers by number. */
  readonly name?: string | number | undefined
  /** How many tasks run at once. */
  readonly nthreads: number
  /** Besides `node`, which each Node worker has. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** Above 80 % of it no tasks begin; 0 is no limit. */
  readonly memoryLimitBytes: number
  /** Where the worker makes a folder of its own. */
  readonly localDirectory: string
  /** Where it listens. Default: the address by which this machine reaches the scheduler. */
  readonly host?: string | undefined
  /** Tried one after the other; default: any that is free. */
  readonly ports?: readonly number[] | undefined
  /** How others reach it, if not by host and port: `tcp://host:port` or `host`. */
  readonly contactAddress?: string | undefined
  readonly tls?: TlsOptions | undefined
  /** How long the scheduler may be out of reach at first. Default: for ever. */
  readonly deathTimeoutMs?: number | undefined
  readonly log?: WorkerLog | undefined
  /** Ends the waiting for the scheduler at first. */
  readonly signal?: AbortSignal | undefined
}

/** Why a worker has ended; `error`: against everybody's will. */
export interface WorkerEnd {
  readonly reason: string
  readonly error?: Error
}

type Status = 'running' | 'paused' | 'closing_gracefully' | 'closing'

const memoryCheckMs = 200
/** How long the scheduler may take to move what a worker keeps. */
const retireMs = 20_000

/**
 * A worker of Node among the workers of a Dask cluster. User code runs on threads; this one talks to scheduler and peers,
 * whatever that code does.
 */
export class DaskWorker {
  /** Where others reach it. */
  readonly address: string
  readonly name: string | number
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<WorkerEnd>
  private readonly options: WorkerOptions
  private readonly id = `Worker-${randomUUID()}`
  private readonly resources: Readonly<Record<string, number>>
  private readonly log: WorkerLog
  private readonly folder: string
  private readonly names = new KeyNames()
  private readonly metrics = new Metrics()
  private readonly rpc: RpcPool
  private readonly server: WorkerServer
  private readonly core: WorkerCore
  private readonly joining = new AbortController()
  private link: SchedulerLink | undefined
  private status: Status = 'running'
  private memoryCheck: NodeJS.Timeout | undefined
  private isRetiring = false
  private isEnding = false
  private tellEnded: (end: WorkerEnd) => void = () => {}

  /**
   * Resolves when the scheduler has it. Rejects with DASK_CONNECT if the scheduler cannot be reached in time, or no port is
   * free; with DASK_REMOTE if the scheduler does not take it.
   */
  static async start(options: WorkerOptions): Promise<DaskWorker> {
    const log = options.log ?? new WorkerLog()
    const operations = new Map<string, Operation>()
    const server = await openServer(options, operations, log)
    const contactAddress = options.contactAddress ?? (await contactHost(options))
    const worker = new DaskWorker({ ...options, contactAddress }, server, log)
    for (const [op, operation] of worker.operations()) operations.set(op, operation)
    try {
      await worker.join()
      return worker
    } catch (error) {
      await worker.end({ reason: 'it could not join the cluster', error: asError(error) })
      throw error
    }
  }

  private constructor(options: WorkerOptions, server: WorkerServer, log: WorkerLog) {
    const { nthreads, memoryLimitBytes, tls } = options
    this.options = options
    this.server = server
    this.log = log
    this.address = contactAddress(server, options)
    this.name = options.name ?? this.address
    this.resources = { ...options.resources, [nodeResource]: 1 }
    this.folder = makeFolder(options.localDirectory)
    this.rpc = new RpcPool({ tls })
    this.ended = new Promise(resolve => (this.tellEnded = resolve))
    this.core = new WorkerCore({
      ...{ nthreads, memoryLimitBytes, address: this.address, resources: this.resources, folder: this.folder },
      ...{ names: this.names, rpc: this.rpc, name: String(this.name) },
      log: (level, message, ...details) => this.log.say(level, message, ...details),
      send: message => this.link?.send(message),
      onBroken: error => this.fail('the worker is damaged', error),
    })
  }

  /** Ends at once, because of `error` if there is one; what runs is stopped, and computed elsewhere. */
  async close(reason = 'close', error?: Error): Promise<void> {
    await this.end(error ? { reason, error } : { reason })
  }

  /** Has the scheduler move what it keeps and what it was to do to other workers, then ends. */
  async retire(reason: string): Promise<void> {
    if (this.isRetiring || this.isEnding) return
    this.isRetiring = true
    if (this.link && Object.keys(this.core.machine.counts).length > 0) await this.moveOut()
    await this.end({ reason })
  }

  private async join(): Promise<void> {
    const { schedulerAddress, tls, deathTimeoutMs, nthreads, memoryLimitBytes, signal } = this.options
    const stop = signal && onAbort(signal, () => this.joining.abort(signal.reason))
    if (signal?.aborted) this.joining.abort(signal.reason)
    const deadline = deathTimeoutMs === undefined ? undefined : setTimeout(() => this.giveUp(), deathTimeoutMs)
    const { address, name, id: serverId, resources, folder: localDirectory } = this
    const registration = { address, name, serverId, resources, nthreads, memoryLimitBytes, localDirectory }
    const options = {
      ...{ schedulerAddress, tls, rpc: this.rpc },
      metrics: () => this.readMetrics(),
      durations: () => new Map([...this.core.durations].map(([key, seconds]) => [this.names.keyOf(key), seconds])),
      onDelay: (seconds: number) => void (this.core.schedulerDelay = seconds),
      onOpen: (link: SchedulerLink) => void (this.link = link),
      onMessages: (messages: readonly Fields[]) => this.hear(messages),
      onMissing: () =>
        void this.end({ reason: 'the scheduler does not know it any more', error: lost(schedulerAddress) }),
      onClosed: (error: Error | undefined) => this.onLinkClosed(error),
      onWaiting: (error: unknown) => this.log.say('warning', `Waiting for the scheduler. ${asError(error).message}`),
    }
    try {
      await SchedulerLink.open(registration, options, this.joining.signal)
    } finally {
      clearTimeout(deadline)
      stop?.()
    }
    this.memoryCheck = setInterval(() => this.checkMemory(), memoryCheckMs)
  }

  private giveUp(): void {
    const { schedulerAddress, deathTimeoutMs = 0 } = this.options
    const text = `The scheduler at ${schedulerAddress} could not be reached in ${deathTimeoutMs / 1000} s.`
    this.joining.abort(new MintakaError('DASK_CONNECT', text, { address: schedulerAddress }))
  }

  private hear(messages: readonly Fields[]): void {
    let stimuli: WorkerStimulus[] = []
    for (const message of messages) {
      const stimulus = stimulusOf(message, this.names)
      if (stimulus) {
        stimuli.push(stimulus)
        continue
      }
      this.core.handleAll(stimuli)
      stimuli = []
      this.obey(message)
    }
    this.core.handleAll(stimuli)
  }

  private obey({ op, status, reason }: Fields): void {
    switch (op) {
      case 'close':
        return void this.end({ reason: typeof reason === 'string' ? reason : 'the scheduler closes it' })
      case 'worker-status-change':
        return this.setStatus(isStatus(status) ? status : this.status)
      case 'close-stream':
      case 'stream-closed':
        return
      default:
        this.log.say('warning', `The scheduler sent '${op}', which this worker does not know.`)
    }
  }

  /** The scheduler is told also where nothing changes: it has asked. */
  private setStatus(status: Status): void {
    if (this.isEnding) return
    this.status = status
    this.core.handleAll([{ type: 'may-start', mayStart: status === 'running' }])
    this.link?.send({ op: 'worker-status-change', status, stimulus_id: `worker-status-change-${epochSeconds()}` })
  }

  private checkMemory(): void {
    if (this.status !== 'running' && this.status !== 'paused') return
    const isPaused = this.status === 'paused'
    const used = process.memoryUsage.rss()
    const { store, machine } = this.core
    const limit = this.options.memoryLimitBytes
    const reading = { process: used, stored: store.nbytes, limit, isBusy: machine.threadsTaken > 0 }
    if (shouldPause(isPaused, reading) === isPaused) return
    this.log.say(
      'warning',
      `${inMiB(used)} of ${inMiB(limit)} are in use: ${isPaused ? 'going on' : 'no tasks begin'}.`,
    )
    // Threads that have nothing to do hold what earlier tasks have left.
    if (!isPaused) this.core.pool.endIdle()
    this.setStatus(isPaused ? 'running' : 'paused')
  }

  private async moveOut(): Promise<void> {
    const { schedulerAddress } = this.options
    const stimulus_id = `worker-close-gracefully-${epochSeconds()}`
    const fields = { workers: [this.address], close_workers: false, remove: true, stimulus_id }
    try {
      await this.rpc.call(schedulerAddress, 'retire_workers', fields, { timeoutMs: retireMs })
    } catch (error) {
      if (!this.isEnding) this.log.say('warning', `The scheduler did not take over: ${asError(error).message}`)
    }
  }

  private onLinkClosed(error: Error | undefined): void {
    if (this.isEnding || !error) return
    if (this.isRetiring) return void this.end({ reason: 'retired' })
    this.fail('the scheduler is lost', error)
  }

  private fail(reason: string, error: unknown): void {
    void this.end({ reason, error: asError(error) })
  }

  private async end(end: WorkerEnd): Promise<void> {
    if (this.isEnding) return void (await this.ended)
    this.isEnding = true
    this.status = 'closing'
    this.log.say(
      end.error ? 'error' : 'info',
      `Closing worker ${this.name}: ${end.reason}. ${end.error?.message ?? ''}`,
    )
    this.joining.abort(new MintakaError('DASK_CONNECT', `The worker was closed: ${end.reason}.`))
    clearInterval(this.memoryCheck)
    await this.core.close()
    this.link?.close()
    this.rpc.close()
    await this.server.close()
    removeFolder(this.folder)
    this.tellEnded(end)
  }

  private readMetrics(): Record<string, unknown> {
    const { machine, store, traffic } = this.core
    return this.metrics.read({ counts: machine.counts, incoming: machine.incoming, storedBytes: store.nbytes, traffic })
  }

  private operations(): ReadonlyMap<string, Operation> {
    const { schedulerAddress, nthreads, memoryLimitBytes } = this.options
    return operationsOf({
      ...{ core: this.core, names: this.names, log: this.log, rpc: this.rpc, folder: this.folder },
      ...{ id: this.id, name: this.name, schedulerAddress, nthreads, memoryLimitBytes },
      isPaused: () => this.status === 'paused',
      terminate: reason => void setImmediate(() => void this.end({ reason })),
    })
  }
}

function isStatus(status: unknown): status is Status {
  return status === 'running' || status === 'paused' || status === 'closing_gracefully' || status === 'closing'
}

function lost(address: string): MintakaError {
  return new MintakaError('DASK_CONNECT', `The scheduler at ${address} has given this worker up.`, { address })
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
