import type { Call, Executor, ExecutorSession, Outcome } from '../core/executor.js'
import { checkOptions } from '../core/options.js'
import { type InProcessOptions, inProcessChecks, strictly } from './strict.js'

/**
 * One slot, in this process: tasks and subflows run one after the other, in call order, and keep the slot to their end,
 * retry delays included (as in Orion, where a call blocks).
 */
export class SequentialExecutor implements Executor {
  readonly name = 'sequential'
  readonly #strict: boolean

  /** Throws INVALID_OPTION. */
  constructor(options: InProcessOptions = {}) {
    checkOptions('SequentialExecutor', options, inProcessChecks)
    this.#strict = options.strict ?? false
  }

  async start(): Promise<ExecutorSession> {
    return new SequentialSession(this.#strict)
  }
}

class SequentialSession implements ExecutorSession {
  readonly where = 'here'
  readonly #strict: boolean
  #last: Promise<void> = Promise.resolve()

  constructor(strict: boolean) {
    this.#strict = strict
  }

  async turn(): Promise<() => void> {
    const before = this.#last
    let release = () => {}
    this.#last = new Promise(resolve => {
      release = resolve
    })
    await before
    return release
  }

  async submit(call: Call): Promise<Outcome> {
    return this.#strict ? strictly(call) : call.run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
  }
}
