import type { Outcome } from '../core/executor.js'
import { longestTail } from './policy.js'
import type { Thread } from './thread.js'

export interface RosterOptions {
  /** How many threads there may be. */
  readonly size: number
  /** How long a thread without work is kept. Default: as long as its pool. */
  readonly idleTimeoutMs?: number | undefined
}

/** How long a pool makes do with the threads that it has after the setup of another has failed. */
const startAgainAfterMs = 1000

/**
 * The threads of a pool, and which of them have nothing to do. Says whether there may be one more, and ends those that are
 * of no more use.
 */
export class Roster implements Iterable<Thread> {
  private readonly options: RosterOptions
  private readonly threads = new Set<Thread>()
  private readonly idle: Thread[] = []
  private readonly ending = new Set<Promise<void>>()
  /** No thread is started beside others before that time, as `performance.now()` tells. */
  private startAgainAt = 0
  private retiring: NodeJS.Timeout | undefined

  constructor(options: RosterOptions) {
    this.options = options
  }

  [Symbol.iterator](): Iterator<Thread> {
    return this.threads.values()
  }

  /** How many there are. */
  get count(): number {
    return this.threads.size
  }

  /** Whether a call would find a thread: one that has nothing to do, or one that may be started. */
  hasRoom(): boolean {
    while (this.idle.length > 0) {
      const thread = this.idle.at(-1) as Thread
      if (thread.isUsable) return true
      this.idle.pop()
      this.end(thread)
    }
    return this.threads.size < this.options.size && this.mayStart()
  }

  private mayStart(): boolean {
    return this.threads.size === 0 || this.startAgainAt === 0 || performance.now() >= this.startAgainAt
  }

  /** No more are started beside the others for a while. */
  startLater(): void {
    this.startAgainAt = performance.now() + startAgainAfterMs
  }

  /** They may be started again. */
  startAgain(): void {
    this.startAgainAt = 0
  }

  add(thread: Thread): Thread {
    this.threads.add(thread)
    return thread
  }

  /** A thread that has nothing to do. The one that was used last has the warmest code. */
  takeIdle(): Thread | undefined {
    return this.idle.pop()
  }

  /** It has nothing to do. */
  rest(thread: Thread): void {
    this.idle.push(thread)
    this.retireLater()
  }

  isIdle(thread: Thread): boolean {
    return this.idle.includes(thread)
  }

  /** Whose calls are to be taken back for a thread that has nothing to do; `undefined`: there is none, or nobody has any. */
  longestTail(): Thread | undefined {
    return this.idle.length > 0 ? longestTail(this.threads) : undefined
  }

  /** Ends a thread, and with it what it holds. */
  end(thread: Thread, outcome?: Outcome): void {
    this.threads.delete(thread)
    const ended = thread.end(outcome).finally(() => this.ending.delete(ended))
    this.ending.add(ended)
  }

  /** Ends the threads that have nothing to do. */
  endIdle(): void {
    for (const thread of this.idle.splice(0)) this.end(thread)
  }

  /** Ends all of them. Resolves when nothing runs in them any more. */
  async endAll(outcome: Outcome): Promise<void> {
    clearTimeout(this.retiring)
    for (const thread of this.threads) this.end(thread, outcome)
    await Promise.all(this.ending)
  }

  private retireLater(): void {
    const { idleTimeoutMs } = this.options
    if (idleTimeoutMs === undefined || this.retiring) return
    this.retiring = setTimeout(() => this.retire(idleTimeoutMs), idleTimeoutMs).unref()
  }

  /** Ends the threads that have been without work for that long. */
  private retire(idleTimeoutMs: number): void {
    this.retiring = undefined
    const longAgo = performance.now() - idleTimeoutMs
    const kept = this.idle.filter(thread => thread.busyUntil > longAgo)
    for (const thread of this.idle) if (thread.busyUntil <= longAgo) this.end(thread)
    this.idle.splice(0, this.idle.length, ...kept)
    if (this.threads.size > 0) this.retireLater()
  }
}
