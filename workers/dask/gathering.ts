import type { Instruction } from './instruction.js'
import type { Keys } from './keys.js'
import { comparePriority } from './priority.js'
import { isOrdered, type Wanted } from './task.js'

/** How a value is wanted. */
export interface Want {
  readonly nbytes: number
  readonly priority: readonly number[]
  /** For the scheduler's sake, whoever needs it. */
  readonly isReplica: boolean
}

type Tell = (instruction: Extract<Instruction<never, never, never>, { readonly type: GatheringType }>) => void
type GatheringType = 'fetch' | 'retry-peer-later' | 'release-worker-data' | 'request-refresh-who-has'

/** The values that are to come from peers: who is asked for what, and what follows when a peer has it not. */
export class Gathering {
  private readonly keys: Keys<unknown>
  private readonly address: string
  private readonly tell: Tell

  constructor(keys: Keys<unknown>, address: string, tell: Tell) {
    this.keys = keys
    this.address = address
    this.tell = tell
  }

  /** A value is to be here, if it is not, and will not be by itself. */
  want(key: string, addresses: readonly string[], { nbytes, priority, isReplica }: Want): void {
    const task = this.keys.get(key)
    if (task?.type === 'memory' || isOrdered(task)) return
    const peers = this.peersAmong(key, addresses)
    const known = task ?? { priority, isReplica, hasAsked: false }
    this.place(key, task, peers, {
      nbytes,
      priority: comparePriority(priority, known.priority) < 0 ? priority : known.priority,
      isReplica: isReplica || known.isReplica,
      hasAsked: known.hasAsked,
    })
  }

  /** These have it, and nobody else. */
  refresh(key: string, addresses: readonly string[]): void {
    const task = this.keys.wanted(key)
    if (task) this.place(key, task, this.peersAmong(key, addresses))
  }

  /** A peer has left, or does not answer. */
  forgetPeer(address: string): void {
    for (const key of this.keys.peers.keysOf(address)) {
      const task = this.keys.wanted(key)
      if (task) this.place(key, task, without(task.peers, address))
    }
  }

  /** Begins what can be begun. */
  begin(): void {
    while (this.keys.count('fetch') > 0) {
      const transfer = this.keys.peers.next(key => this.keys.wanted(key) as Wanted)
      if (!transfer) return
      for (const key of transfer.keys) {
        this.keys.to(key, { ...(this.keys.wanted(key) as Wanted), type: 'flight', from: transfer.from })
      }
      this.tell({ type: 'fetch', ...transfer })
    }
  }

  /** That peer does not have the key. */
  isWithout(key: string, from: string): void {
    const task = this.keys.wanted(key)
    if (!task) return
    const isOver = task.type !== 'flight' || task.from === from
    this.place(key, isOver ? grounded(task) : task, without(task.peers, from))
  }

  /** It has no time now: others are asked, and it too in a while. */
  isBusy(from: string): void {
    this.rest(from)
    for (const key of this.keys.peers.ended(from)) {
      const task = this.keys.wanted(key)
      if (task?.type === 'flight' && task.from === from) this.place(key, grounded(task), task.peers)
    }
    this.ask()
  }

  // Likely it is gone: then the scheduler says so in a moment. Whatever else it was said to have is looked for elsewhere.
  isUnreachable(from: string): void {
    this.rest(from)
    for (const key of this.keys.peers.ended(from)) this.isWithout(key, from)
    this.forgetPeer(from)
    this.ask()
  }

  /** Asks the scheduler for others who have what cannot be fetched now; about each key once, until `askAgain`. */
  ask(): void {
    const stuck = this.keys.allWanted.filter(([, task]) => !task.hasAsked && this.isStuck(task)).map(([key]) => key)
    this.askFor(stuck)
  }

  askAgain(): void {
    this.askFor(this.keys.allWanted.filter(([, { type }]) => type === 'missing').map(([key]) => key))
  }

  private askFor(keys: readonly string[]): void {
    if (keys.length === 0) return
    for (const key of keys) this.keys.to(key, { ...(this.keys.wanted(key) as Wanted), hasAsked: true })
    this.tell({ type: 'request-refresh-who-has', keys })
  }

  private isStuck({ type, peers }: Wanted): boolean {
    if (type === 'flight') return false
    for (const peer of peers) if (!this.keys.peers.isResting(peer)) return false
    return true
  }

  private rest(address: string): void {
    this.keys.peers.rest(address)
    this.tell({ type: 'retry-peer-later', address })
  }

  // The scheduler may believe that the value is here: it is told, or it would say so for ever.
  private peersAmong(key: string, addresses: readonly string[]): Set<string> {
    const peers = new Set(addresses)
    if (peers.delete(this.address)) this.tell({ type: 'release-worker-data', key })
    return peers
  }

  /** A value is where these peers are. A copy that is only the scheduler's wish is given up where nobody has it. */
  private place(key: string, task: Wanted | undefined, peers: ReadonlySet<string>, known = task as Known): void {
    if (task?.type === 'flight') return this.keys.to(key, { ...task, ...known, type: 'flight', peers })
    if (peers.size === 0 && !this.keys.needing(key)) return this.keys.to(key, undefined)
    const { nbytes, priority, isReplica, hasAsked } = known
    const type = peers.size > 0 ? 'fetch' : 'missing'
    this.keys.to(key, { type, nbytes, priority, isReplica, hasAsked, peers })
  }
}

type Known = Pick<Wanted, 'nbytes' | 'priority' | 'isReplica' | 'hasAsked'>

/** As if it had not been asked for. */
function grounded(task: Wanted): Wanted {
  return task.type === 'flight' ? { ...task, type: 'fetch' } : task
}

function without(peers: ReadonlySet<string>, address: string): Set<string> {
  const rest = new Set(peers)
  rest.delete(address)
  return rest
}
