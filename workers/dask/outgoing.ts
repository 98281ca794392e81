import type { Comm } from '../../lib/dask/comm/comm.js'
import type { WorkerCore } from './core.js'
import type { KeyNames } from './key-names.js'
import { noReply } from './server.js'

/** How many peers are served at once; those who rest serve one. */
const mostTransfers = 50

/** Gives values to whoever asks for them. */
export class Outgoing {
  private readonly core: WorkerCore
  private readonly isPaused: () => boolean

  constructor(core: WorkerCore, isPaused: () => boolean) {
    this.core = core
    this.isPaused = isPaused
  }

  /** Those of the values that are here; the peer says when it has them. A peer that comes when many are served asks again. */
  async serve(keys: readonly string[], names: KeyNames, comm: Comm): Promise<unknown> {
    const { store, traffic } = this.core
    if (traffic.outgoing >= (this.isPaused() ? 1 : mostTransfers)) return { status: 'busy' }
    const values = keys.flatMap(key => {
      const stored = store.get(key)
      return stored ? [{ key: names.keyOf(key), stored }] : []
    })
    const nbytes = values.reduce((sum, { stored }) => sum + stored.nbytes, 0)
    traffic.outgoing += 1
    traffic.outgoingTotal += 1
    traffic.outgoingBytes += nbytes
    try {
      comm.write({ status: 'OK', data: new Map(values.map(({ key, stored }) => [key, stored.serialized])) })
      await comm.read()
    } finally {
      traffic.outgoing -= 1
      traffic.outgoingBytes -= nbytes
    }
    return noReply
  }
}
