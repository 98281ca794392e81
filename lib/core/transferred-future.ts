import type { RunFuture } from './future.js'
import { RunPromise } from './run-promise.js'
import type { SettledState, State } from './state.js'

/** The future of the same run which, as an argument, hands over the buffers of its result: `transfer(future)`. */
export class TransferredFuture<T> extends RunPromise<T> {
  /** The future itself. */
  readonly future: RunFuture<T>
  readonly #waiting = new Set<(state: SettledState<T>) => void>()

  constructor(future: RunFuture<T>) {
    super()
    this.future = future instanceof TransferredFuture ? (future as TransferredFuture<T>).future : future
  }

  get kind(): 'task-run' | 'flow-run' {
    return (this.future as RunPromise<T>).kind
  }
  get id(): string {
    return this.future.id
  }
  get name(): string {
    return this.future.name
  }
  get state(): State<T> {
    return this.future.state
  }

  override cancel(reason?: string): Promise<SettledState<T>> {
    return this.future.cancel(reason)
  }

  protected override whenSettled(callback: (state: SettledState<T>) => void): void {
    this.#waiting.add(callback)
    void this.future.wait().then(state => {
      if (this.#waiting.delete(callback)) callback(state)
    })
  }

  protected override forget(callback: (state: SettledState<T>) => void): void {
    this.#waiting.delete(callback)
  }
}
