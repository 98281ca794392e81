import { Peers, type TransferLimits } from './peers.js'
import { ReadyQueue } from './ready-queue.js'
import { Story, type StoryLine } from './story.js'
import { isWanted, mayFollow, type Order, type Task, type TaskType, type Wanted } from './task.js'

/** The keys that a worker knows, each with its state, and everything that can be looked up about them. */
export class Keys<Spec> {
  readonly story = new Story()
  /** Those in state `ready`. */
  readonly ready = new ReadyQueue()
  /** Who has those that are to come from a peer. */
  readonly peers: Peers
  private readonly tasks = new Map<string, Task<Spec>>()
  private readonly counted = new Map<TaskType, number>()
  private readonly wantedKeys = new Set<string>()
  /** By dependency: the tasks that have yet to begin and need it. */
  private readonly needs = new Map<string, Set<string>>()

  constructor(limits: TransferLimits) {
    this.peers = new Peers(limits)
  }

  get(key: string): Task<Spec> | undefined {
    return this.tasks.get(key)
  }

  /** The key, if its value is to come from a peer. */
  wanted(key: string): Wanted | undefined {
    const task = this.tasks.get(key)
    return isWanted(task) ? task : undefined
  }

  /** All whose values are to come from a peer. */
  get allWanted(): [string, Wanted][] {
    return [...this.wantedKeys].map(key => [key, this.tasks.get(key) as Wanted])
  }

  count(type: TaskType): number {
    return this.counted.get(type) ?? 0
  }

  /** How many keys are in each state that any is in. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.counted].filter(([, count]) => count > 0))
  }

  /** The tasks that have yet to begin and need the value of a key. */
  needing(key: string): ReadonlySet<string> | undefined {
    return this.needs.get(key)
  }

  need(key: string, order: Order<Spec>): void {
    for (const dependency of order.dependencies) {
      let needing = this.needs.get(dependency)
      if (!needing) this.needs.set(dependency, (needing = new Set()))
      needing.add(key)
    }
  }

  /** The task needs its dependencies no longer: what was wanted for its sake alone is not wanted any more. */
  unneed(key: string, order: Order<Spec>): void {
    for (const dependency of order.dependencies) {
      const needing = this.needs.get(dependency)
      if (!needing?.delete(key) || needing.size > 0) continue
      this.needs.delete(dependency)
      if (this.wanted(dependency)?.isReplica === false) this.to(dependency, undefined)
    }
  }

  /** Every change of state goes through here; `undefined`: the key is forgotten. Throws InvalidTransition. */
  to(key: string, next: Task<Spec> | undefined): void {
    const before = this.tasks.get(key)
    if (!before && !next) return
    const [from, to] = [before?.type ?? 'forgotten', next?.type ?? 'forgotten'] as const
    this.story.add(key, from, to)
    if (!mayFollow(from, to)) throw new InvalidTransition(key, from, to, this.story.of([key]))
    if (before) this.leave(key, before)
    if (next) this.enter(key, next)
    else this.tasks.delete(key)
  }

  private enter(key: string, task: Task<Spec>): void {
    this.tasks.set(key, task)
    this.counted.set(task.type, this.count(task.type) + 1)
    if (task.type === 'ready') this.ready.push(key, task.order)
    if (!isWanted(task)) return
    this.wantedKeys.add(key)
    this.peers.add(key, task.peers)
  }

  private leave(key: string, task: Task<Spec>): void {
    this.counted.set(task.type, this.count(task.type) - 1)
    if (task.type === 'ready') this.ready.remove(key)
    if (!isWanted(task)) return
    this.wantedKeys.delete(key)
    this.peers.remove(key, task.peers)
  }
}

/** A change of state that cannot be: the machine is broken. */
export class InvalidTransition extends Error {
  readonly key: string
  readonly story: readonly StoryLine[]

  constructor(key: string, from: string, to: string, story: readonly StoryLine[]) {
    const lines = story.map(({ because, from, to }) => `\n  ${from} -> ${to} (${because})`).join('')
    super(`Task '${key}' cannot go from ${from} to ${to}.${lines}`)
    this.key = key
    this.story = story
  }
}
