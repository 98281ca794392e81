import type { RunInput } from '../core/run.js'
import type { Inputs } from './inputs.js'

/** An argument that every call of a `map` is given whole: taken once, as it is when `map` is called, for all of them. */
export class Whole {
  /** Those of a call with this argument alone. */
  readonly inputs: Inputs
  #value: { readonly value: unknown } | undefined
  #content: { readonly content: string | undefined } | undefined

  constructor(inputs: Inputs) {
    this.inputs = inputs
  }

  /** Its description as the argument of that name. */
  describedAs(name: string): RunInput {
    return { ...this.inputs.described?.[0], name }
  }

  /** Whether it holds any of those. */
  holdsAny(futures: { has(future: unknown): boolean }): boolean {
    return this.inputs.edges?.upstream.some(future => futures.has(future)) ?? false
  }

  /** The value: the same one for all who ask, made by `make` for the first. */
  valueBy(make: (value: unknown) => unknown): unknown {
    this.#value ??= { value: make(this.inputs.args[0]) }
    return this.#value.value
  }

  /** What tells its value from others, made by `make` for the first who asks. */
  contentBy(make: () => string | undefined): string | undefined {
    this.#content ??= { content: make() }
    return this.#content.content
  }
}
