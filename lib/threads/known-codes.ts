import type { Code } from './protocol.js'

/** A code, as a pool knows it: its threads go by the number. */
export interface KnownCode {
  readonly code: Code
  readonly number: number
}

/** The codes that a pool has been given and nobody has forgotten, by key. Each has a number of its own. */
export class KnownCodes {
  private readonly codes = new Map<string, KnownCode>()
  /** Numbers of codes that have been forgotten: those in use and these are the first ones. */
  private readonly freeNumbers: number[] = []

  /** The code with its number, which it gets when it first comes. */
  of(code: Code): KnownCode {
    let known = this.codes.get(code.key)
    if (!known) this.codes.set(code.key, (known = { code, number: this.freeNumbers.pop() ?? this.codes.size }))
    return known
  }

  /** Gives the number that another code may get now. */
  forget(key: string): number | undefined {
    const known = this.codes.get(key)
    if (!known) return undefined
    this.codes.delete(key)
    this.freeNumbers.push(known.number)
    return known.number
  }
}
