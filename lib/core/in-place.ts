import { allowedFuture, isFuture, type RunFuture, type TaskFuture } from './future.js'
import { RunPromise } from './run-promise.js'
import { isSettled, type SettledState, type State, states } from './state.js'
import { copyWith, find } from './traverse.js'
import { upstreamError } from './upstream.js'

/**
 * Runs the function of a task where the call stands: what a call of a task inside another task means. Untracked; what
 * is synchronous has settled when this returns. Futures among the arguments are waited for as in a flow.
 */
export function runInPlace<T>(
  name: string,
  fn: (...args: never[]) => T,
  args: readonly unknown[],
): TaskFuture<Awaited<T>> {
  return new InPlaceFuture(name, fn as (...args: unknown[]) => unknown, args) as TaskFuture<Awaited<T>>
}

let count = 0

class InPlaceFuture<T> extends RunPromise<T> {
  readonly kind = 'task-run'
  readonly id: string
  readonly name: string
  #state: State<T> = states.pending(Date.now())
  #waiting: ((state: SettledState<T>) => void)[] = []

  constructor(name: string, fn: (...args: unknown[]) => unknown, args: readonly unknown[]) {
    super()
    this.id = `in-place-${++count}`
    this.name = name
    const inputs = find(args, isInput)
    const unsettled = inputs.map(futureOf).filter(future => !isSettled(future.state))
    if (unsettled.length === 0) this.#begin(fn, args, inputs)
    else Promise.all(unsettled.map(future => future.wait())).then(() => this.#begin(fn, args, inputs))
  }

  get state(): State<T> {
    return this.#state
  }

  /** Nothing can stop what runs in place: this only waits for its end. */
  override cancel(): Promise<SettledState<T>> {
    return this.wait()
  }

  #begin(fn: (...args: unknown[]) => unknown, args: readonly unknown[], inputs: readonly object[]): void {
    const missing = inputs.filter(isFuture).find(input => input.state.type !== 'COMPLETED')
    if (missing) return this.#settle(notReady(this.name, missing))
    this.#state = states.running(Date.now(), 1)
    const values = inputs.length === 0 ? args : (copyWith(args, isInput, given) as readonly unknown[])
    try {
      const value = fn(...values)
      if (isThenable(value)) Promise.resolve(value).then(this.#complete, this.#fail)
      else this.#complete(value as T)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  readonly #complete = (value: unknown): void => this.#settle(states.completed(Date.now(), value as T))
  readonly #fail = (thrown: unknown): void => this.#settle(states.failed(Date.now(), thrown))

  #settle(state: SettledState<T>): void {
    this.#state = state
    for (const callback of this.#waiting.splice(0)) callback(state)
  }

  protected override whenSettled(callback: (state: SettledState<T>) => void): void {
    if (isSettled(this.#state)) callback(this.#state)
    else this.#waiting.push(callback)
  }

  protected override forget(callback: (state: SettledState<T>) => void): void {
    this.#waiting = this.#waiting.filter(waiting => waiting !== callback)
  }
}

// A future, or allowFailure(future), which is given as the state it settled in.
function isInput(value: object): value is object {
  return isFuture(value) || allowedFuture(value) !== undefined
}

function futureOf(input: object): RunFuture<unknown> {
  return allowedFuture(input) ?? (input as RunFuture<unknown>)
}

function given(input: object): unknown {
  const { state } = futureOf(input)
  return allowedFuture(input) || state.type !== 'COMPLETED' ? state : state.result
}

function notReady(name: string, upstream: RunFuture<unknown>): SettledState<never> {
  const error = upstreamError(name, upstream, upstream.state)
  return states.notReady(Date.now(), upstream.id, error, error.message)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
