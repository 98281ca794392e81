import { randomUUID } from 'node:crypto'
import { asError, MintakaError } from '../../core/errors.js'
import { BatchedStream } from '../comm/batched-stream.js'
import { Comm } from '../comm/comm.js'
import type { TlsOptions } from '../comm/connect.js'
import { RpcPool } from '../comm/rpc-pool.js'
import type { Serialized } from '../protocol/message.js'
import { encodeValue } from '../values/encode.js'
import { Gatherer } from './gatherer.js'
import type { Dialect, GraphTask, WireAnnotations } from './graph.js'
import { type ClientMessage, clientMessages } from './messages.js'
import { Outbox } from './outbox.js'
import { probe } from './probe.js'
import { dialectFor } from './versions.js'

export interface ClientOptions {
  readonly tls?: TlsOptions | undefined
  /** How long to wait for the connection. Default 10,000. */
  readonly timeoutMs?: number | undefined
}

/** Who is told what becomes of a key. */
export interface KeyListener {
  /** It is in memory, of a worker: also when it has been computed again. `type` is the pickle of its class. */
  inMemory(type: Uint8Array | undefined): void
  /** Its task, or one that it depends on, has failed. Both are pickles, mostly. */
  erred(exception: unknown, traceback: unknown): void
  /** The scheduler has given it up. */
  cancelled(reason: string | undefined): void
  /** The scheduler is gone. Told to all that have not been released. */
  lost(error: MintakaError): void
}

/** A worker, as the scheduler describes it. */
export interface WorkerInfo {
  readonly address: string
  readonly name: unknown
  readonly nthreads: number
  readonly resources: Readonly<Record<string, number>>
  readonly memoryLimitBytes: number
}

const streamIntervalMs = 2
const heartbeatMs = 5_000
/** A scheduler that answers at all does so within this time, busy as it may be. */
const answer = { timeoutMs: 60_000 } as const
/** How long a scheduler waits for its first worker; seconds, as it counts. */
const scatterTimeoutS = 10

/**
 * A client of a Dask scheduler. It knows tasks as payloads and pickles, and nothing of flows: what is submitted is
 * carried out at least once, and its listener hears of it until its key is released.
 *
 * Calls throw SCHEDULER_LOST once the connection is gone.
 */
export class DaskClient implements AsyncDisposable {
  readonly id = `Client-mintaka-${randomUUID()}`
  readonly address: string
  readonly version: string | undefined
  readonly rpc: RpcPool
  readonly #dialect: Dialect
  readonly #comm: Comm
  readonly #stream: BatchedStream
  readonly #outbox: Outbox
  readonly #gatherer: Gatherer
  readonly #listeners = new Map<string, KeyListener>()
  readonly #topics = new Map<string, (event: unknown) => void>()
  /** Who waits for a key to be in memory again. */
  readonly #returning = new Map<string, (() => void)[]>()
  #heartbeat: NodeJS.Timeout
  #lost: MintakaError | undefined
  #isClosing = false

  /**
   * Connects to a scheduler: `tcp://host:8786`, `tls://…`. Rejects with DASK_CONNECT, or with DASK_VERSION if that
   * scheduler is too old, or newer than those known and not understood.
   */
  static async connect(address: string, { tls, timeoutMs }: ClientOptions = {}): Promise<DaskClient> {
    const rpc = new RpcPool({ tls, ...(timeoutMs !== undefined && { timeoutMs }) })
    try {
      const versions = (await rpc.call(address, 'versions')) as { packages?: Record<string, unknown> }
      const version = versions.packages?.['distributed']
      const known = typeof version === 'string' ? version : undefined
      const { dialect, isUntried } = dialectFor(known, address)
      const comm = await Comm.connect(address, { tls, timeoutMs })
      const client = new DaskClient(address, known, dialect, rpc, comm)
      await client.#register()
      if (isUntried) await probe(client)
      return client
    } catch (error) {
      rpc.close()
      throw error
    }
  }

  private constructor(address: string, version: string | undefined, dialect: Dialect, rpc: RpcPool, comm: Comm) {
    this.address = address
    this.version = version
    this.rpc = rpc
    this.#dialect = dialect
    this.#comm = comm
    this.#stream = new BatchedStream(comm, streamIntervalMs)
    this.#outbox = new Outbox(({ tasks, annotations }) => this.#send(dialect.updateGraph(tasks, annotations)))
    const whenInMemory = (key: string, timeoutMs: number) => this.#whenInMemory(key, timeoutMs)
    this.#gatherer = new Gatherer({ rpc, address, clientId: this.id, whenInMemory })
    this.#heartbeat = setInterval(() => this.#send({ op: 'heartbeat-client' }), heartbeatMs).unref()
  }

  async #register(): Promise<void> {
    const comm = this.#comm
    comm.write({ op: 'register-client', client: this.id, reply: false, versions: versionsOfHost() })
    const [first] = clientMessages(await comm.read())
    if ((first as { op?: string } | undefined)?.op !== 'stream-start') {
      comm.abort()
      const text = `What answers at ${this.address} is no Dask scheduler, or refused the client.`
      throw new MintakaError('DASK_PROTOCOL', text, { address: this.address })
    }
    comm.whenClosed(error => this.#closed(error))
    comm.listen(message => {
      for (const each of clientMessages(message)) this.#heard(each)
    })
  }

  /** Submits a task, with all others of this turn of the event loop. Its key must not have been used before. */
  submit(task: GraphTask, annotations: WireAnnotations, listener: KeyListener): void {
    this.#check()
    this.#listeners.set(task.key, listener)
    this.#outbox.add(task, annotations)
  }

  /** The value of a key, once it is in memory. Rejects with RESULT_LOST. */
  gather(key: string): Promise<Serialized> {
    return this.#gatherer.gather(key)
  }

  /** Nobody here wants those keys any more: what only they needed is forgotten, and not computed. */
  release(keys: readonly string[]): void {
    for (const key of keys) this.#listeners.delete(key)
    if (this.#lost || keys.length === 0) return
    this.#outbox.flush()
    this.#send({ op: 'client-releases-keys', keys })
  }

  /** Stops tasks, running or not, and what depends on them. Their listeners are told. */
  cancel(keys: readonly string[]): void {
    if (this.#lost || keys.length === 0) return
    this.#outbox.flush()
    const message = this.#dialect.cancelKeys(keys)
    if (message) return this.#send(message)
    this.#stream.flush()
    this.rpc.call(this.address, 'cancel', { keys, client: this.id, force: false }).catch(() => {})
  }

  /** Puts a value on the cluster, of whichever worker, under a key that has not been used. It is lost with that worker. */
  async scatter(key: string, value: unknown): Promise<void> {
    this.#check()
    const data = { [key]: encodeValue(value).serialized }
    await this.rpc.call(this.address, 'scatter', {
      ...{ data, client: this.id, broadcast: false, timeout: scatterTimeoutS, workers: null },
    })
  }

  /** Has failed tasks tried again. */
  async retry(keys: readonly string[]): Promise<void> {
    await this.rpc.call(this.address, 'retry', { keys, client: this.id }, answer)
  }

  /** Hears what workers say on a topic. Gives back what ends it. */
  subscribe(topic: string, listener: (event: unknown) => void): () => void {
    this.#topics.set(topic, listener)
    this.#send({ op: 'subscribe-topic', topic })
    return () => {
      if (this.#topics.delete(topic)) this.#send({ op: 'unsubscribe-topic', topic })
    }
  }

  /** All workers. */
  async workers(): Promise<readonly WorkerInfo[]> {
    const identity = (await this.rpc.call(this.address, 'identity', this.#dialect.identityFields, answer)) as {
      workers: Record<string, Record<string, unknown>>
    }
    return Object.entries(identity.workers).map(([address, info]) => workerInfo(address, info))
  }

  /** Where the scheduler has each of its tasks: `processing`, `no-worker`, `memory`, …; `null` for keys unknown to it. */
  async taskStates(keys: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
    return (await this.rpc.call(this.address, 'get_task_status', { keys }, answer)) as Record<string, string | null>
  }

  /** How many bytes each of those keys takes, as its worker has said. */
  async sizes(keys: readonly string[]): Promise<Readonly<Record<string, number>>> {
    return (await this.rpc.call(this.address, 'nbytes', { keys, summary: false }, answer)) as Record<string, number>
  }

  /** Why the connection is gone, if it is. */
  get lostReason(): MintakaError | undefined {
    return this.#lost
  }

  /** Says goodbye: the scheduler forgets what only this client wanted. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    clearInterval(this.#heartbeat)
    if (!this.#lost && !this.#comm.isClosed) {
      this.#outbox.flush()
      this.#send({ op: 'close-client' })
      this.#send({ op: 'close-stream' })
      this.#stream.flush()
      const closed = new Promise<void>(resolve => this.#comm.whenClosed(() => resolve()))
      this.#comm.close()
      await closed
    }
    this.rpc.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #send(message: Record<string, unknown>): void {
    if (!this.#lost && !this.#comm.isClosed) this.#stream.send(message)
  }

  #check(): void {
    if (this.#lost) throw this.#lost
    if (this.#isClosing) throw new MintakaError('EXECUTOR_CLOSED', 'The Dask client has been closed.')
  }

  #heard(message: ClientMessage): void {
    switch (message.op) {
      case 'key-in-memory':
        this.#listeners.get(message.key)?.inMemory(message.type)
        return this.#returned(message.key)
      case 'task-erred':
        this.#listeners.get(message.key)?.erred(message.exception, message.traceback)
        return this.#returned(message.key)
      case 'cancelled-key':
        return this.#cancelled(message.key, undefined)
      case 'cancelled-keys':
        for (const key of message.keys) this.#cancelled(key, message.reason)
        return
      case 'event':
        return this.#topics.get(message.topic)?.(message.event[1])
      case 'restart':
        for (const key of [...this.#listeners.keys()]) this.#cancelled(key, 'the scheduler was restarted')
    }
  }

  #cancelled(key: string, reason: string | undefined): void {
    this.#listeners.get(key)?.cancelled(reason)
    this.#returned(key)
  }

  #whenInMemory(key: string, timeoutMs: number): Promise<void> {
    if (this.#lost) return Promise.reject(this.#lost)
    // The scheduler notes that a worker did not have what it should have had, and computes it again.
    this.#send({ op: 'report-key', key })
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      const waiting = this.#returning.get(key)
      if (waiting) waiting.push(done)
      else this.#returning.set(key, [done])
    })
  }

  #returned(key: string): void {
    const waiting = this.#returning.get(key)
    if (!waiting) return
    this.#returning.delete(key)
    for (const done of waiting) done()
  }

  #closed(cause: Error | undefined): void {
    clearInterval(this.#heartbeat)
    if (this.#isClosing || this.#lost) return
    const why = cause ? `: ${asError(cause).message}` : ''
    const text = `The connection to the Dask scheduler at ${this.address} was lost${why}`
    this.#lost = new MintakaError('SCHEDULER_LOST', text.replace(/\.?$/, '.'), { address: this.address, cause })
    this.rpc.close()
    const listeners = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of listeners) listener.lost(this.#lost)
    for (const key of [...this.#returning.keys()]) this.#returned(key)
  }
}

function workerInfo(address: string, info: Record<string, unknown>): WorkerInfo {
  return {
    address,
    name: info['name'],
    nthreads: Number(info['nthreads'] ?? 1),
    resources: (info['resources'] ?? {}) as Record<string, number>,
    memoryLimitBytes: Number(info['memory_limit'] ?? 0),
  }
}

function versionsOfHost(): Record<string, unknown> {
  return { host: { python: `node ${process.versions.node}`, OS: process.platform }, packages: {} }
}
