import type { MintakaError } from '../core/errors.js'

/** That an attempt is to stop, and who wants to know. Most attempts are never asked: it is made when it is needed. */
export class Stop {
  #reason: MintakaError | undefined
  #controller: AbortController | undefined
  #callback: (() => void) | undefined

  get reason(): MintakaError | undefined {
    return this.#reason
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  whenStopped(callback: () => void): void {
    if (this.#reason) callback()
    else this.#callback = callback
  }

  request(reason: MintakaError): void {
    this.#reason = reason
    this.#controller?.abort(reason)
    this.#callback?.()
  }
}
