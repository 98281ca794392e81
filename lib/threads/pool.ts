import { MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'
import { PriorityQueue } from './queue.js'
import { type PiscinaClass, Thread, type ThreadOptions, type Work, type WorkCall } from './thread.js'
import { defaultThreads } from './thread-count.js'

export interface ThreadPoolOptions extends ThreadOptions {
  /** Default: as many as the processors that this process may use, or MINTAKA_THREADS. */
  readonly threads?: number | undefined
}

interface Waiting {
  readonly work: Work
  readonly settle: (outcome: Outcome) => void
  /** On the way to a thread, in one, or no longer here. */
  place: 'queue' | Thread | 'gone'
}

// Short enough for a deadline of 10 ms, long enough to cost nothing.
const reportEveryMs = 5

/**
 * Threads that carry calls out, one call each at a time, higher priority first. Threads start as they are needed and
 * keep no process alive while they have nothing to do.
 */
export class ThreadPool implements AsyncDisposable {
  private readonly options: ThreadPoolOptions
  private readonly size: number
  private readonly waiting = new PriorityQueue<Waiting>()
  private readonly idle: Thread[] = []
  private readonly threads = new Set<Thread>()
  private readonly ending = new Set<Promise<void>>()
  private Piscina: PiscinaClass | undefined
  private loading: Promise<void> | undefined
  private reporting: NodeJS.Timeout | undefined
  private isClosed = false
  private isDispatching = false

  constructor(options: ThreadPoolOptions) {
    this.options = options
    this.size = options.threads ?? defaultThreads()
  }

  /** Resolves when the code of the call has ended or was stopped. Rejects only if there can be no threads at all. */
  run(work: Work): Promise<Outcome> {
    if (this.isClosed) {
      return Promise.reject(
        new MintakaError('EXECUTOR_CLOSED', 'The thread pool has been closed.', { task: work.code.taskName }),
      )
    }
    return new Promise((resolve, reject) => {
      const entry: Waiting = { work, settle: resolve, place: 'queue' }
      whenStopped(work.call, () => this.stop(entry))
      if (entry.place === 'gone') return
      this.waiting.push(entry, work.priority)
      if (this.Piscina) this.dispatch()
      else this.load().catch(reject)
    })
  }

  /** Ends all threads. Resolves when nothing runs in them any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true
    this.stopReporting()
    const error = new MintakaError('EXECUTOR_CLOSED', 'The thread pool was closed before the task had ended.')
    for (let entry = this.waiting.shift(); entry; entry = this.waiting.shift()) {
      if (entry.place === 'queue') entry.settle({ type: 'crashed', error })
    }
    for (const thread of this.threads) this.discard(thread, { type: 'crashed', error })
    await Promise.all(this.ending)
  }

  private load(): Promise<void> {
    this.loading ??= import('piscina').then(({ Piscina }) => {
      this.Piscina = Piscina
      this.dispatch()
    })
    return this.loading
  }

  // A call that cannot be sent settles at once and would dispatch again from in here.
  private dispatch(): void {
    if (this.isDispatching || !this.Piscina) return
    this.isDispatching = true
    for (let thread = this.freeThread(); thread; thread = this.freeThread()) {
      const entry = this.nextWaiting()
      if (entry) this.give(entry, thread)
      else {
        this.idle.push(thread)
        break
      }
    }
    this.isDispatching = false
  }

  private nextWaiting(): Waiting | undefined {
    let entry = this.waiting.shift()
    while (entry?.place === 'gone') entry = this.waiting.shift()
    return entry
  }

  // The one that was used last has the warmest code.
  private freeThread(): Thread | undefined {
    for (let thread = this.idle.pop(); thread; thread = this.idle.pop()) {
      if (thread.isUsable) return thread
      this.discard(thread)
    }
    if (!this.Piscina || this.isClosed || this.threads.size >= this.size) return undefined
    const thread = new Thread(this.Piscina, this.options, this.onFree)
    this.threads.add(thread)
    return thread
  }

  private give(entry: Waiting, thread: Thread): void {
    entry.place = thread
    thread.carryOut(entry.work, outcome => {
      entry.place = 'gone'
      entry.settle(outcome)
    })
    this.reporting ??= setInterval(() => this.report(), reportEveryMs).unref()
  }

  private readonly onFree = (thread: Thread): void => {
    if (thread.isUsable && !this.isClosed) this.idle.push(thread)
    else this.discard(thread)
    this.dispatch()
  }

  private stop(entry: Waiting): void {
    if (entry.place instanceof Thread) return entry.place.stop()
    if (entry.place === 'gone') return
    entry.place = 'gone'
    entry.settle({ type: 'stopped' })
  }

  private discard(thread: Thread, outcome?: Outcome): void {
    this.threads.delete(thread)
    const ended = thread.end(outcome).finally(() => this.ending.delete(ended))
    this.ending.add(ended)
  }

  private report(): void {
    let isNeeded = false
    for (const thread of this.threads) {
      thread.report()
      if (thread.hasUnreported) isNeeded = true
    }
    if (!isNeeded) this.stopReporting()
  }

  private stopReporting(): void {
    clearInterval(this.reporting)
    this.reporting = undefined
  }
}

function whenStopped(call: WorkCall, callback: () => void): void {
  if (call.whenStopped) return call.whenStopped(callback)
  const { signal } = call
  if (signal.aborted) callback()
  else signal.addEventListener('abort', callback)
}
