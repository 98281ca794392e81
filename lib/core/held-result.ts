/**
 * A result that has stayed where it was made: it is large, or nothing that JavaScript could read. `await future` fetches
 * it; the result of a COMPLETED state may be one. As an argument of another task in the same flow run it goes from worker
 * to worker, and never through this process.
 *
 * A result that cannot be read here (a DataFrame, say) is fetched as itself: it can only be passed on.
 */
export abstract class HeldResult<T = unknown> {
  /** What it is, in the words of where it is: `ndarray`, `bytes`, `node.Map`. */
  abstract readonly typeName: string
  /** How large it is there, in bytes, as far as that is known. */
  abstract readonly nbytes: number | undefined
  /** The executor session that can pass it on as it is. */
  abstract readonly session: object
  #fetching: Promise<T> | undefined
  #fetched: { readonly value: T } | undefined

  /** Gets the value, once. Rejects with RESULT_LOST if it is there no more. */
  fetch(): Promise<T> {
    this.#fetching ??= this.load().then(value => {
      this.#fetched = { value }
      return value
    })
    return this.#fetching
  }

  /** The value, once it has been fetched. */
  get fetched(): { readonly value: T } | undefined {
    return this.#fetched
  }

  /** Gets the value from where it is; called once. Rejects with RESULT_LOST if it is there no more. */
  protected abstract load(): Promise<T>

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const size = this.nbytes === undefined ? '' : `, ${this.nbytes} bytes`
    return `HeldResult { ${this.typeName}${size} }`
  }
}

/** The value that a result stands for, as far as it is here. */
export function valueOfResult(result: unknown): unknown {
  return result instanceof HeldResult ? (result.fetched?.value ?? result) : result
}
