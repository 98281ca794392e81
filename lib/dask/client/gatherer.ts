import { setTimeout as delay } from 'node:timers/promises'
import { isMintakaError, MintakaError } from '../../core/errors.js'
import type { RpcPool } from '../comm/rpc-pool.js'
import { Serialized } from '../protocol/message.js'

export interface GathererOptions {
  readonly rpc: RpcPool
  /** Of the scheduler. */
  readonly address: string
  /** Of the client, for the logs of workers. */
  readonly clientId: string
  /** Resolves when the scheduler has said that a key is in memory again, or after that many milliseconds. */
  readonly whenInMemory: (key: string, timeoutMs: number) => Promise<unknown>
}

type Waiting = { readonly resolve: (value: Serialized) => void; readonly reject: (error: unknown) => void }

// A current scheduler that has lost a key answers a `gather` of it never.
const askTimeoutMs = 15_000
const transferTimeoutMs = 120_000
const recomputeTimeoutMs = 60_000
const mostTries = 5
const busyMs = 50

/**
 * Fetches results. What is asked for in one turn goes in one question; values come directly from the workers that have
 * them, or through the scheduler where a worker cannot be reached. A result whose worker has died is waited for until it
 * has been computed again.
 */
export class Gatherer {
  private readonly options: GathererOptions
  private wanted = new Map<string, Waiting[]>()
  private readonly unreachable = new Set<string>()

  constructor(options: GathererOptions) {
    this.options = options
  }

  /** Rejects with RESULT_LOST, or with what the connection to the scheduler failed with. */
  gather(key: string): Promise<Serialized> {
    return new Promise((resolve, reject) => {
      if (this.wanted.size === 0) setImmediate(() => this.fetchWanted())
      const waiting = this.wanted.get(key)
      if (waiting) waiting.push({ resolve, reject })
      else this.wanted.set(key, [{ resolve, reject }])
    })
  }

  private fetchWanted(): void {
    const { wanted } = this
    this.wanted = new Map()
    this.fetch([...wanted.keys()], (key, value) => {
      for (const { resolve } of wanted.get(key) ?? []) resolve(value)
      wanted.delete(key)
    }).then(
      () => {
        for (const [key, all] of wanted) for (const { reject } of all) reject(lost(key))
      },
      error => {
        for (const all of wanted.values()) for (const { reject } of all) reject(error)
      },
    )
  }

  /** Gives each value as it comes. Those that have not come in the end are lost. */
  private async fetch(keys: readonly string[], give: (key: string, value: Serialized) => void): Promise<void> {
    let missing = keys
    for (let tried = 0; tried < mostTries && missing.length > 0; tried++) {
      if (tried > 0) await Promise.all(missing.map(key => this.options.whenInMemory(key, recomputeTimeoutMs)))
      missing = await this.fetchOnce(missing, give)
    }
  }

  /** Gives what there is, and says which keys nobody had. */
  private async fetchOnce(keys: readonly string[], give: (key: string, value: Serialized) => void): Promise<string[]> {
    const { rpc, address } = this.options
    const holders = (await rpc.call(address, 'who_has', { keys }, { timeoutMs: askTimeoutMs })) as Holders
    const missing = new Set(keys)
    const found = (key: string, value: unknown) => {
      if (!(value instanceof Serialized) || !missing.delete(key)) return
      give(key, value)
    }
    const { byWorker, remote } = this.plan(keys, holders)
    await Promise.all([
      ...[...byWorker].map(async ([worker, keys]) => {
        if (await this.fromWorker(worker, keys, found)) return
        this.unreachable.add(worker)
        await this.throughScheduler(keys, found)
      }),
      remote.length > 0 ? this.throughScheduler(remote, found) : undefined,
    ])
    return [...missing]
  }

  private plan(keys: readonly string[], holders: Holders): { byWorker: Map<string, string[]>; remote: string[] } {
    const byWorker = new Map<string, string[]>()
    const remote: string[] = []
    for (const key of keys) {
      const all = Object.hasOwn(holders, key) ? (holders[key] ?? []) : []
      if (all.length === 0) continue
      const worker = all.find(address => !this.unreachable.has(address))
      if (worker === undefined) remote.push(key)
      else if (byWorker.has(worker)) byWorker.get(worker)?.push(key)
      else byWorker.set(worker, [key])
    }
    return { byWorker, remote }
  }

  /** Whether the worker could be asked; it need not have had all of them. */
  private async fromWorker(
    worker: string,
    keys: readonly string[],
    found: (key: string, value: unknown) => void,
  ): Promise<boolean> {
    const { rpc, clientId } = this.options
    try {
      for (let until = performance.now() + transferTimeoutMs; performance.now() < until; ) {
        const reply = await within(rpc.getData(worker, keys, clientId), transferTimeoutMs)
        if (reply === undefined) return false
        if (reply.status === 'OK') {
          for (const key of keys) if (Object.hasOwn(reply.data, key)) found(key, reply.data[key])
          return true
        }
        await delay(busyMs)
      }
      return false
    } catch (error) {
      // One that died while it was asked has lost its keys; only one that cannot be reached is worth a detour.
      return !isMintakaError(error, 'DASK_CONNECT')
    }
  }

  private async throughScheduler(keys: readonly string[], found: (key: string, value: unknown) => void): Promise<void> {
    const { rpc, address } = this.options
    const reply = (await rpc.call(address, 'gather', { keys }, { timeoutMs: transferTimeoutMs })) as GatherReply
    if (reply.status !== 'OK' || reply.data === undefined) return
    for (const key of keys) if (Object.hasOwn(reply.data, key)) found(key, reply.data[key])
  }
}

/** Nothing, if it takes longer. */
function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  const timer = delay(ms, undefined, { ref: false })
  return Promise.race([promise, timer])
}

type Holders = Readonly<Record<string, readonly string[]>>
interface GatherReply {
  readonly status: string
  readonly data?: Readonly<Record<string, unknown>>
}

function lost(key: string): MintakaError {
  const text = `The result ${key} is on no worker any more, and was not computed again in ${recomputeTimeoutMs / 1000} s.`
  return new MintakaError('RESULT_LOST', text, { key })
}
