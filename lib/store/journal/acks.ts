import { MintakaError } from '../../core/errors.js'

/** Those who wait for the same write. */
export interface Group {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: MintakaError) => void
}

export function newGroup(): Group {
  let resolve!: () => void
  let reject!: (error: MintakaError) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise: handled(promise), resolve, reject }
}

/** An acknowledgement that is never given, and why. */
export function refused(why: string): Promise<void> {
  return handled(Promise.reject(new MintakaError('STORE_WRITE_FAILED', `Nothing was written: ${why}.`)))
}

/** The same promise, whose rejection is nobody's surprise: not everyone waits for an acknowledgement. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {})
  return promise
}
