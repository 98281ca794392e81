import type { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import type { Serialized } from '../../lib/dask/protocol/message.js'
import type { KeyNames } from './key-names.js'
import type { Level } from './log.js'

export type Fetched =
  | { readonly type: 'fetched'; readonly values: ReadonlyMap<string, Serialized> }
  | { readonly type: 'busy' }
  | { readonly type: 'unreachable' }

/** Asks other workers for values. */
export class PeerValues {
  private readonly rpc: RpcPool
  private readonly names: KeyNames
  private readonly address: string
  private readonly log: (level: Level, message: string) => void
  /** Whoever waits for an answer of a peer, by address. */
  private readonly waiting = new Map<string, Set<() => void>>()

  constructor(rpc: RpcPool, names: KeyNames, address: string, log: (level: Level, message: string) => void) {
    this.rpc = rpc
    this.names = names
    this.address = address
    this.log = log
  }

  /** The values that the peer has of these. Never rejects: what a peer answers that cannot be read is no answer. */
  async fetch(from: string, keys: readonly string[]): Promise<Fetched> {
    let giveUp = () => {}
    const gone = new Promise<Fetched>(resolve => (giveUp = () => resolve({ type: 'unreachable' })))
    this.wait(from, giveUp)
    const fetched = await Promise.race([this.ask(from, keys), gone])
    this.waiting.get(from)?.delete(giveUp)
    return fetched
  }

  /** A peer has left: nobody waits for it any longer, even if its machine is just silent. */
  left(address: string): void {
    for (const give of this.waiting.get(address) ?? []) give()
    this.waiting.delete(address)
  }

  private async ask(from: string, keys: readonly string[]): Promise<Fetched> {
    try {
      const reply = await this.rpc.getData(from, this.names.keysOf(keys), this.address)
      if (reply.status === 'busy') return { type: 'busy' }
      return { type: 'fetched', values: new Map(Object.entries(reply.data)) }
    } catch (error) {
      this.log('warning', `Values could not be fetched from ${from}: ${error instanceof Error ? error.message : error}`)
      return { type: 'unreachable' }
    }
  }

  private wait(from: string, giveUp: () => void): void {
    const others = this.waiting.get(from)
    if (others) others.add(giveUp)
    else this.waiting.set(from, new Set([giveUp]))
  }
}
