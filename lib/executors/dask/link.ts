import { MintakaError } from '../../core/errors.js'
import type { ExecutorSurroundings } from '../../core/executor.js'
import type { DaskClient } from '../../dask/client/client.js'
import type { Entry } from './entry.js'
import { Resource } from './resource.js'

/** A client, and what ends it, with the cluster that was made for it. */
export interface Connection {
  readonly client: DaskClient
  /** Whether the cluster has all the workers that it will ever have: none will come, none is being started again. */
  isWhole(): boolean
  close(): Promise<void>
}

export interface LinkOptions {
  readonly connection: Connection
  /** Makes a new cluster after the scheduler was lost. */
  readonly reconnect: (() => Promise<Connection>) | undefined
  readonly log: ExecutorSurroundings['log']
  /** There is a new cluster, with nothing on it. */
  readonly reconnected: (connection: Connection) => void
  /** There will be none: what has not ended does not end on a cluster any more. */
  readonly gaveUp: (reason: MintakaError) => void
}

/** What a session has put on its cluster; and the cluster's life: lost, perhaps made anew, closed at last. */
export class Link {
  readonly #options: LinkOptions
  #connection: Connection | undefined
  /** What the scheduler has been told of and still wants. */
  #onCluster = new Set<Entry>()
  #reconnecting: Promise<void> | undefined
  /** The end of what belonged to a scheduler that was lost. */
  #closing: Promise<void> | undefined
  #lost: MintakaError | undefined
  #isClosed = false
  #cancelling: string[] = []
  #releasing: string[] = []

  constructor(options: LinkOptions) {
    this.#options = options
    this.#connection = options.connection
  }

  /** Missing while there is no cluster: for good if there is a `lostReason`, else until `whenReconnected`. */
  get client(): DaskClient | undefined {
    return this.#connection?.client
  }

  get lostReason(): MintakaError | undefined {
    return this.#lost
  }

  /** Whether what was lost with a scheduler is submitted again. */
  get submitsAgain(): boolean {
    return this.#options.reconnect !== undefined
  }

  /** Resolves when no new cluster is being made: at once where none is. */
  async whenReconnected(): Promise<void> {
    await this.#reconnecting
  }

  /** Tells the scheduler of an entry, after what it comes after. */
  put(entry: Entry, client: DaskClient): void {
    if (this.#onCluster.has(entry) || !entry.sendable) return
    for (const other of entry.sendable.upstream) this.put(other, client)
    this.#onCluster.add(entry)
    client.submit(entry.sendable.task, entry.sendable.annotations, entry)
    if (entry instanceof Resource && !this.submitsAgain) entry.sendable = undefined // it is not sent again
  }

  cancel(key: string): void {
    if (this.#cancelling.push(key) > 1) return
    setImmediate(() => this.client?.cancel(this.#cancelling.splice(0)))
  }

  // A message for each would cost more than the tasks.
  release(entry: Entry): void {
    if (!this.#onCluster.delete(entry)) return
    if (this.#releasing.push(entry.key) > 1) return
    setImmediate(() => this.client?.release(this.#releasing.splice(0)))
  }

  /** The scheduler is gone. Gives whether there will be another. */
  lose(error: MintakaError): boolean {
    if (this.#reconnecting) return true
    if (this.#lost) return false
    const { reconnect, log } = this.#options
    const connection = this.#connection
    this.#connection = undefined
    this.#onCluster = new Set()
    this.#closeLost(connection)
    if (!reconnect || this.#isClosed) {
      this.#lost = error
      return false
    }
    log.warn(`${error.message} A new cluster is being made, and what has not ended submitted again.`)
    this.#reconnecting = this.#reconnect(reconnect)
    return true
  }

  #closeLost(connection: Connection | undefined): void {
    const closing = connection?.close()
    this.#closing = closing?.catch(error =>
      this.#options.log.warn('A lost Dask cluster could not be closed cleanly', { error }),
    )
  }

  async #reconnect(reconnect: () => Promise<Connection>): Promise<void> {
    try {
      const connection = await reconnect()
      this.#reconnecting = undefined
      this.#connection = connection
      this.#options.reconnected(connection)
    } catch (error) {
      this.#reconnecting = undefined
      this.#lost = error instanceof MintakaError ? error : new MintakaError('SCHEDULER_LOST', String(error))
      this.#options.gaveUp(this.#lost)
    }
  }

  /** From now on no new cluster is made for one that is lost. */
  closes(): void {
    this.#isClosed = true
  }

  /** Releases what is left on the cluster, and takes it down if it was made for this. */
  async close(): Promise<void> {
    // A cluster that is being made, or taken down, belongs to the flow run as well.
    await this.#reconnecting
    await this.#closing
    this.#lost ??= new MintakaError('EXECUTOR_CLOSED', 'The flow run that it belonged to has ended.')
    this.client?.release([...this.#onCluster].map(({ key }) => key))
    await this.#connection?.close()
  }
}
