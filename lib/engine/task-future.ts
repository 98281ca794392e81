import { futureBrand, type RunFuture, type TaskFuture, type WaitOptions } from '../core/future.js'
import { HeldResult } from '../core/held-result.js'
import { inspectFuture, waitUntilSettled } from '../core/run-promise.js'
import type { SettledState, State } from '../core/state.js'
import type { TaskLife } from './run-task.js'

/**
 * The future of a task that was called by itself: a promise of the language, so that `await` and `Promise.all` take it
 * as it is. Anything else with a `then` they wrap, at three promises more for each run. See
 * docs/decisions/0009-two-kinds-of-futures.md.
 */
export class TaskPromise<T> extends Promise<T> implements TaskFuture<T> {
  readonly #life: TaskLife
  #resolve: Resolve
  #reject: Reject

  constructor(life: TaskLife) {
    super(takeEnds as (resolve: (value: T) => void, reject: Reject) => void)
    this.#life = life
    this.#resolve = lastResolve
    this.#reject = lastReject
    lastResolve = lastReject = nothing // what is dropped is not held
    life.promised(this)
  }

  get kind(): 'task-run' {
    return 'task-run'
  }
  get id(): string {
    return this.#life.record.id
  }
  get name(): string {
    return this.#life.record.name
  }
  get state(): State<T> {
    return this.#life.state as State<T>
  }
  get [futureBrand](): true {
    return true
  }
  override get [Symbol.toStringTag](): string {
    return 'RunFuture'
  }

  result(): Promise<T> {
    return this
  }

  wait(): Promise<SettledState<T>>
  wait(options: WaitOptions): Promise<SettledState<T> | undefined>
  wait(options: WaitOptions = {}): Promise<SettledState<T> | undefined> {
    return waitUntilSettled(this.#life, options) as Promise<SettledState<T> | undefined>
  }

  async cancel(reason?: string): Promise<SettledState<T>> {
    this.#life.cancel(reason)
    return this.wait()
  }

  /** The run has settled. */
  settle(state: SettledState): void {
    if (state.type === 'COMPLETED') {
      const { result } = state
      if (!isTame(result) || result instanceof HeldResult) this.#rejectUnseen()
      this.#resolve(result instanceof HeldResult ? result.fetch() : result)
    } else {
      this.#rejectUnseen()
      this.#reject(state.error)
    }
    this.#resolve = this.#reject = nothing // a flow may hold a hundred thousand that have settled
  }

  /** What a task throws is the business of its flow: nobody need look at its future. */
  #rejectUnseen(): void {
    this.then(undefined, () => {})
  }

  toJSON(): { id: string; name: string; state: string } {
    return { id: this.id, name: this.name, state: this.state.name }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return inspectFuture(this)
  }

  /** The life behind the future, if it is one of this kind. */
  static lifeOf(future: RunFuture<unknown>): TaskLife | undefined {
    return #life in (future as object) ? (future as TaskPromise<unknown>).#life : undefined
  }
}

// `await` and `Promise.all` take a promise as it is if this says that it is one of the language; and what its `then`
// gives is one of the language, not another future.
Object.defineProperty(TaskPromise.prototype, 'constructor', { value: Promise })

type Resolve = (value: unknown) => void
type Reject = (error: unknown) => void

// The two ends of the promise that was made last. One function for all of them: a closure for each would be garbage.
const nothing = () => {}
let lastResolve: Resolve = nothing
let lastReject: Reject = nothing
function takeEnds(resolve: Resolve, reject: Reject): void {
  lastResolve = resolve
  lastReject = reject
}

/** Whether a promise that is resolved with this value cannot reject: it is no promise itself, and looks like none. */
function isTame(value: unknown): boolean {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return true
  try {
    return typeof (value as { then?: unknown }).then !== 'function'
  } catch {
    return false
  }
}
