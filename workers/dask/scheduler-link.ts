import { isMintakaError, MintakaError } from '../../lib/core/errors.js'
import { BatchedStream } from '../../lib/dask/comm/batched-stream.js'
import { Comm } from '../../lib/dask/comm/comm.js'
import type { TlsOptions } from '../../lib/dask/comm/connect.js'
import type { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import { type Fields, isFields } from '../../lib/dask/protocol/fields.js'
import { malformed } from '../../lib/dask/protocol/malformed.js'
import { epochSeconds } from './metrics.js'

/** Messages to the scheduler go out together, if they come within this time. As with stock workers. */
const batchMs = 2
const keepAliveMs = 60_000
/** How long the scheduler may take to answer a registration or a heartbeat. */
const answerMs = 30_000
/** How long until a heartbeat that failed is tried again. */
const retryMs = 1000
const retryConnectMs = 200

/** What a worker tells of itself when it comes. */
export interface Registration {
  readonly address: string
  readonly name: string | number
  readonly serverId: string
  readonly nthreads: number
  readonly resources: Readonly<Record<string, number>>
  readonly memoryLimitBytes: number
  readonly localDirectory: string
}

export interface LinkOptions {
  readonly schedulerAddress: string
  readonly tls: TlsOptions | undefined
  readonly rpc: RpcPool
  readonly metrics: () => Record<string, unknown>
  /** How long each run has been going on, in seconds, by key. */
  readonly durations: () => ReadonlyMap<unknown, number>
  /** The scheduler's clock is ahead by so many seconds. */
  readonly onDelay: (seconds: number) => void
  /** Told before the first messages. */
  readonly onOpen: (link: SchedulerLink) => void
  /** Messages of the scheduler that came together. */
  readonly onMessages: (messages: readonly Fields[]) => void
  /** The scheduler does not know this worker any more. */
  readonly onMissing: () => void
  /** The connection has ended; `undefined`: by this side. */
  readonly onClosed: (error: Error | undefined) => void
  /** Told once, if the scheduler cannot be reached at first. */
  readonly onWaiting: (error: unknown) => void
}

/** The connection of a worker to its scheduler: registered, kept alive, and never made again once it is lost. */
export class SchedulerLink {
  private readonly comm: Comm
  private readonly stream: BatchedStream
  private readonly options: LinkOptions
  private readonly address: string
  private readonly keepAlive: NodeJS.Timeout
  private beat: NodeJS.Timeout | undefined
  private isClosed = false

  private constructor(comm: Comm, address: string, options: LinkOptions) {
    this.comm = comm
    this.stream = new BatchedStream(comm, batchMs)
    this.options = options
    this.address = address
    this.keepAlive = setInterval(() => this.send({ op: 'keep-alive' }), keepAliveMs)
  }

  /**
   * Connects, and registers. Tries until the scheduler can be reached or the signal is aborted. Rejects with DASK_REMOTE if
   * the scheduler does not want this worker.
   */
  static async open(registration: Registration, options: LinkOptions, signal: AbortSignal): Promise<void> {
    const comm = await connect(options, signal)
    try {
      const reply = await register(comm, registration, options)
      const link = new SchedulerLink(comm, registration.address, options)
      link.beatAfter(Number(reply['heartbeat-interval'] ?? 1))
      options.onOpen(link)
      // What has come with the reply comes first.
      comm.listen(message => options.onMessages(messagesIn(message)))
      comm.whenClosed(error => link.onClosed(error))
    } catch (error) {
      comm.abort()
      throw error
    }
  }

  send(message: unknown): void {
    this.stream.send(message)
  }

  /** Says good-bye, and ends the connection. */
  close(): void {
    this.stop()
    this.stream.send({ op: 'close-stream' })
    this.stream.flush()
    this.comm.close()
  }

  private onClosed(error: Error | undefined): void {
    this.stop()
    this.options.onClosed(error)
  }

  private stop(): void {
    this.isClosed = true
    clearInterval(this.keepAlive)
    clearTimeout(this.beat)
  }

  private beatAfter(seconds: number): void {
    if (this.isClosed) return
    this.beat = setTimeout(() => void this.heartbeat(), seconds * 1000)
  }

  private async heartbeat(): Promise<void> {
    const { rpc, schedulerAddress, metrics, durations, onDelay, onMissing } = this.options
    const begin = epochSeconds()
    const fields = { address: this.address, now: begin, metrics: metrics(), executing: durations(), extensions: {} }
    try {
      const reply = await rpc.call(schedulerAddress, 'heartbeat_worker', fields, { timeoutMs: answerMs })
      if (this.isClosed || !isFields(reply)) return
      if (reply['status'] === 'missing') return onMissing()
      onDelay(delayOf(reply, begin))
      this.beatAfter(Number(reply['heartbeat-interval'] ?? 1))
    } catch {
      // If the scheduler is gone, the end of the stream says so.
      this.beatAfter(retryMs / 1000)
    }
  }
}

async function connect({ schedulerAddress, tls, onWaiting }: LinkOptions, signal: AbortSignal): Promise<Comm> {
  for (let hasTold = false; ; hasTold = true) {
    try {
      return await Comm.connect(schedulerAddress, { tls, signal })
    } catch (error) {
      if (signal.aborted || !isMintakaError(error, 'DASK_CONNECT')) throw error
      if (!hasTold) onWaiting(error)
      await pause(retryConnectMs, signal)
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        reject(signal.reason)
      },
      { once: true },
    )
  })
}

async function register(comm: Comm, registration: Registration, options: LinkOptions): Promise<Fields> {
  const begin = epochSeconds()
  comm.write(registrationMessage(registration, begin, options.metrics()))
  const reply = await comm.read(answerMs)
  if (!isFields(reply)) throw malformed('the scheduler did not answer a registration')
  if (reply['status'] === 'OK') {
    options.onDelay(delayOf(reply, begin))
    return reply
  }
  const why = String(reply['message'] ?? reply['exception_text'] ?? reply['status'])
  const { schedulerAddress } = options
  const text = `The scheduler at ${schedulerAddress} did not take worker '${registration.name}': ${why}.`
  throw new MintakaError('DASK_REMOTE', text, { address: schedulerAddress })
}

function registrationMessage(registration: Registration, now: number, metrics: Record<string, unknown>) {
  const { address, name, serverId, nthreads, resources, memoryLimitBytes, localDirectory } = registration
  return {
    op: 'register-worker',
    reply: false,
    address,
    status: 'running',
    nthreads,
    name,
    now,
    resources,
    memory_limit: memoryLimitBytes,
    local_directory: localDirectory,
    services: {},
    nanny: null,
    pid: process.pid,
    versions: versions(),
    metrics,
    extra: {},
    stimulus_id: `worker-connect-${now}`,
    server_id: serverId,
  }
}

/** In the shape in which Python tools expect it. */
export function versions() {
  const host = {
    python: `node ${process.versions.node}`,
    'python-bits': 64,
    OS: process.platform,
    'OS-release': process.release.name,
    machine: process.arch,
    processor: process.arch,
    byteorder: 'little',
    LC_ALL: 'None',
    LANG: 'None',
  }
  return { host, packages: {} }
}

function delayOf(reply: Fields, begin: number): number {
  const time = Number(reply['time'])
  return Number.isFinite(time) ? time - (begin + epochSeconds()) / 2 : 0
}

function messagesIn(message: unknown): Fields[] {
  const messages: readonly unknown[] = Array.isArray(message) ? message : [message]
  return messages.filter(isFields)
}
