import type { MintakaError } from '../core/errors.js'

/** That an attempt is to stop. Most attempts are never asked: it is made when it is needed, its signal too. */
export class Stop {
  #reason: MintakaError | undefined
  #controller: AbortController | undefined

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

  request(reason: MintakaError): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
