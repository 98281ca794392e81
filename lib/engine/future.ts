import { futureBrand, type RunFuture, type WaitOptions } from '../core/future.js'
import { onAbort } from '../core/on-abort.js'
import type { SettledState, State } from '../core/state.js'
import { longestTimer } from '../core/surroundings.js'
import { type Life, resultOf } from './life.js'

/**
 * The future of a live run. Its promise is made when somebody first asks for it: a run that fails with nobody watching
 * leaves no rejected promise behind.
 */
export class Future<T> implements RunFuture<T> {
  readonly #life: Life<T>
  #promise: Promise<T> | undefined

  constructor(life: Life<T>) {
    this.#life = life
  }

  get [futureBrand](): true {
    return true
  }
  get [Symbol.toStringTag](): string {
    return 'RunFuture'
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
      this.#life.whenSettled(state => {
        if (state.type === 'COMPLETED') resolve(state.result)
        else reject(state.error)
      })
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
        this.#life.forget(end)
        end(undefined)
      }
      this.#life.whenSettled(end)
      if (this.#life.settled) return
      if (signal?.aborted) return give()
      forget = signal && onAbort(signal, give)
      if (timeoutMs !== undefined && timeoutMs <= longestTimer) timer = setTimeout(give, timeoutMs)
    })
  }

  async cancel(reason?: string): Promise<SettledState<T>> {
    this.#life.watched = true
    this.#life.cancel(reason)
    return this.wait()
  }

  /** The life behind the future, for runs that wait for it. */
  static lifeOf(future: RunFuture<unknown>): Life | undefined {
    return #life in (future as object) ? (future as Future<unknown>).#life : undefined
  }

  /**
   * A top-level flow run that failed with nobody watching is an unhandled rejection, as for any promise. The promise is
   * kept, so that whoever comes later still finds the error.
   */
  rejectUnwatched(state: SettledState<T>): void {
    this.#promise ??= new Promise((_, reject) => {
      try {
        resultOf(state)
      } catch (error) {
        reject(error)
      }
    })
  }

  toJSON(): { id: string; name: string; state: string } {
    return { id: this.id, name: this.name, state: this.state.name }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `${this.kind === 'task-run' ? 'TaskFuture' : 'FlowFuture'} { ${this.name} (${this.id}) ${this.state.name} }`
  }
}
