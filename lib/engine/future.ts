import type { RunFuture } from '../core/future.js'
import { RunPromise } from '../core/run-promise.js'
import type { SettledState, State } from '../core/state.js'
import type { Life } from './life.js'
import { TaskPromise } from './task-future.js'

/**
 * The future of a flow run, or of a task run that `map` started with many others: its promise is made when somebody asks
 * for it. Most that `map` gives are returned by their flow, and never asked.
 */
export class Future<T> extends RunPromise<T> {
  readonly #life: Life<T>

  constructor(life: Life<T>) {
    super()
    this.#life = life
  }

  get kind(): 'task-run' | 'flow-run' {
    return this.#life.record.kind
  }
  get id(): string {
    return this.#life.record.id
  }
  get name(): string {
    return this.#life.record.name
  }
  get state(): State<T> {
    return this.#life.state
  }

  override async cancel(reason?: string): Promise<SettledState<T>> {
    this.#life.watch()
    this.#life.cancel(reason)
    return this.wait()
  }

  protected override whenSettled(callback: (state: SettledState<T>) => void): void {
    this.#life.whenSettled(callback)
  }

  protected override forget(callback: (state: SettledState<T>) => void): void {
    this.#life.forget(callback)
  }

  /** The life behind the future, if it is one of this kind. */
  static lifeOf(future: RunFuture<unknown>): Life | undefined {
    return #life in (future as object) ? (future as Future<unknown>).#life : undefined
  }

  /**
   * A top-level flow run that failed with nobody watching is an unhandled rejection, as for any promise. The promise is
   * the one that whoever comes later finds.
   */
  rejectUnwatched(): void {
    void this.result()
  }
}

/** The life behind a future of ours, for runs that wait for it. */
export function lifeOf(future: RunFuture<unknown>): Life | undefined {
  return TaskPromise.lifeOf(future) ?? Future.lifeOf(future)
}
