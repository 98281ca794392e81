import type { Call, Executor, ExecutorSession } from '../core/executor.js'
import { checkOptions } from '../core/options.js'
import { type InProcessOptions, inProcessChecks, strict } from './strict.js'

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

  /** Opens a session for one flow run: its one slot. */
  async start(): Promise<ExecutorSession> {
    const session = new SequentialSession()
    return this.#strict ? strict(session) : session
  }
}

class SequentialSession implements ExecutorSession {
  readonly where = 'here'
  #last: Promise<void> = Promise.resolve()

  async turn(): Promise<() => void> {
    const before = this.#last
    let release = () => {}
    this.#last = new Promise(resolve => {
      release = resolve
    })
    await before
    return release
  }

  /** A call that is submitted has its turn. */
  submit(call: Call): undefined {
    void Promise.resolve().then(() => {
      call.run()
    })
  }

  /** Every call has ended. A body that ran out of time may still have its turn, for ever perhaps: nobody waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
