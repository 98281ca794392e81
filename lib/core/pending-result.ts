import type { Call } from './executor.js'

/** Among the arguments of a call: the result of another call of the same session, which has not ended yet. */
export class PendingResult {
  /** The call that will give it. */
  readonly call: Call

  /** Stands for the result of `call`. */
  constructor(call: Call) {
    this.call = call
  }
}
