import { MintakaError } from './errors.js'
import { allowedFuture, futureBrand, isFuture, type RunFuture, type TaskFuture, type WaitOptions } from './future.js'
import { onAbort } from './on-abort.js'
import { isSettled, type SettledState, type State, states } from './state.js'
import { longestTimer } from './surroundings.js'
import { copyWith, find } from './traverse.js'

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

class InPlaceFuture<T> implements RunFuture<T> {
  readonly kind = 'task-run'
  readonly id: string
  readonly name: string
  #state: State<T> = states.pending(Date.now())
  #promise: Promise<T> | undefined
  #waiting: ((state: SettledState<T>) => void)[] = []

  constructor(name: string, fn: (...args: unknown[]) => unknown, args: readonly unknown[]) {
    this.id = `in-place-${++count}`
    this.name = name
    const inputs = find(args, isInput)
    const unsettled = inputs.map(futureOf).filter(future => !isSettled(future.state))
    if (unsettled.length === 0) this.#begin(fn, args, inputs)
    else Promise.all(unsettled.map(future => future.wait())).then(() => this.#begin(fn, args, inputs))
  }

  get [futureBrand](): true {
    return true
  }
  get [Symbol.toStringTag](): string {
    return 'RunFuture'
  }
  get state(): State<T> {
    return this.#state
  }

  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.result().then(fulfilled, rejected)
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.result().catch(rejected)
  }

  finally(callback?: (() => void) | null): Promise<T> {
    return this.result().finally(callback)
  }

  // Made when it is asked for: a failure that nobody looks at leaves no rejected promise behind.
  result(): Promise<T> {
    this.#promise ??= new Promise((resolve, reject) => {
      this.#whenSettled(state => (state.type === 'COMPLETED' ? resolve(state.result) : reject(state.error)))
    })
    return this.#promise
  }

  wait(): Promise<SettledState<T>>
  wait(options: WaitOptions): Promise<SettledState<T> | undefined>
  wait({ timeoutMs, signal }: WaitOptions = {}): Promise<SettledState<T> | undefined> {
    return new Promise(resolve => {
      let timer: NodeJS.Timeout | undefined
      let forget: (() => void) | undefined
      const end = (state: SettledState<T> | undefined) => {
        clearTimeout(timer)
        forget?.()
        resolve(state)
      }
      const give = () => {
        this.#waiting = this.#waiting.filter(waiting => waiting !== end)
        end(undefined)
      }
      this.#whenSettled(end)
      if (isSettled(this.#state)) return
      if (signal?.aborted) return give()
      forget = signal && onAbort(signal, give)
      if (timeoutMs !== undefined && timeoutMs <= longestTimer) timer = setTimeout(give, timeoutMs)
    })
  }

  /** Nothing can stop what runs in place: this only waits for its end. */
  cancel(): Promise<SettledState<T>> {
    return this.wait()
  }

  toJSON(): { id: string; name: string; state: string } {
    return { id: this.id, name: this.name, state: this.state.name }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `TaskFuture { ${this.name} (in place) ${this.state.name} }`
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

  #whenSettled(callback: (state: SettledState<T>) => void): void {
    if (isSettled(this.#state)) callback(this.#state)
    else this.#waiting.push(callback)
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
  const { state } = upstream
  const cause = 'error' in state ? state.error : undefined
  const root = cause instanceof MintakaError && cause.code === 'UPSTREAM_NOT_COMPLETED' ? cause.cause : cause
  const error = new MintakaError(
    'UPSTREAM_NOT_COMPLETED',
    `'${name}' did not run: '${upstream.name}', which it waits for, is ${state.name}. Pass allowFailure(future) to run all the same.`,
    { cause: root, upstream: upstream.id },
  )
  return states.notReady(Date.now(), upstream.id, error, error.message)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
