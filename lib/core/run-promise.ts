import { futureBrand, type RunFuture, type WaitOptions } from './future.js'
import { HeldResult } from './held-result.js'
import { onAbort } from './on-abort.js'
import type { SettledState, State } from './state.js'
import { longestTimer } from './surroundings.js'

/**
 * What every future does alike. Its promise is made when somebody first asks for it: a run that fails with nobody
 * watching leaves no rejected promise behind.
 */
export abstract class RunPromise<T> implements RunFuture<T> {
  #promise: Promise<T> | undefined

  abstract readonly kind: 'task-run' | 'flow-run'
  abstract readonly id: string
  abstract readonly name: string
  abstract readonly state: State<T>
  abstract cancel(reason?: string): Promise<SettledState<T>>
  /** Calls back when the run has settled: now, if it has. */
  protected abstract whenSettled(callback: (state: SettledState<T>) => void): void
  /** Takes a callback back. */
  protected abstract forget(callback: (state: SettledState<T>) => void): void

  get [futureBrand](): true {
    return true
  }
  get [Symbol.toStringTag](): string {
    return 'RunFuture'
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

  result(): Promise<T> {
    this.#promise ??= new Promise<T>((resolve, reject) => {
      this.whenSettled(state => {
        if (state.type === 'COMPLETED')
          resolve(state.result instanceof HeldResult ? state.result.fetch() : state.result)
        else reject(state.error)
      })
    })
    return this.#promise
  }

  wait(): Promise<SettledState<T>>
  wait(options: WaitOptions): Promise<SettledState<T> | undefined>
  wait(options: WaitOptions = {}): Promise<SettledState<T> | undefined> {
    const run = {
      whenSettled: (callback: Settled<T>) => this.whenSettled(callback),
      forget: (callback: Settled<T>) => this.forget(callback),
    }
    return waitUntilSettled(run, options)
  }

  toJSON(): { id: string; name: string; state: string } {
    return { id: this.id, name: this.name, state: this.state.name }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return inspectFuture(this)
  }
}

type Settled<T> = (state: SettledState<T>) => void

/** What can be waited for. */
export interface Settling<T> {
  /** Calls back when the run has settled: now, if it has. */
  whenSettled(callback: Settled<T>): void
  /** Takes a callback back. */
  forget(callback: Settled<T>): void
}

/** What `wait` of every future does: resolves with the settled state, or with nothing when it has waited enough. */
export function waitUntilSettled<T>(
  run: Settling<T>,
  { timeoutMs, signal }: WaitOptions,
): Promise<SettledState<T> | undefined> {
  return new Promise(resolve => {
    let timer: NodeJS.Timeout | undefined
    let unlisten: (() => void) | undefined
    let ended = false
    const end = (state: SettledState<T> | undefined) => {
      ended = true
      clearTimeout(timer)
      unlisten?.()
      resolve(state)
    }
    const give = () => {
      run.forget(end)
      end(undefined)
    }
    run.whenSettled(end)
    if (ended) return
    if (signal?.aborted) return give()
    unlisten = signal && onAbort(signal, give)
    if (timeoutMs !== undefined && timeoutMs <= longestTimer) timer = setTimeout(give, timeoutMs)
  })
}

/** A future in the console. */
export function inspectFuture({ kind, name, id, state }: RunFuture<unknown> & { readonly kind: string }): string {
  return `${kind === 'task-run' ? 'TaskFuture' : 'FlowFuture'} { ${name} (${id}) ${state.name} }`
}
