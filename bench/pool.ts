/** The thread pool of the library, called by hand: dispatch alone, without flows and states. */
import { ThreadPool } from '../dist/lib/threads/pool.js'
import type { Body } from './bodies.js'

/** Two threads or more, and what calls the functions in them. */
export class BarePool implements AsyncDisposable {
  readonly #pool: ThreadPool
  #count = 0

  constructor(threads: number) {
    this.#pool = new ThreadPool({ threads, warn: message => console.error(message) })
  }

  /** A function that calls `body` in a thread. */
  runner({ url, exportName }: Body): (value: number) => Promise<unknown> {
    const code = { key: `${url}#${exportName}`, taskName: exportName, url, exportName }
    return async value => {
      const id = `flow-1:${++this.#count}`
      const call = { id, name: `${exportName}-${this.#count}`, ...common }
      const outcome = await this.#pool.run({ call, code, priority: 0, encodeArgs: () => [value] })
      if (outcome.type === 'returned') return outcome.value
      throw outcome.type === 'stopped' ? new Error(`${id} was stopped`) : outcome.error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }
}

const { signal } = new AbortController()
const common = {
  attempt: 1,
  flowRunId: 'flow-1',
  tags: [],
  signal,
  whenStopped() {},
  started() {},
  log() {},
  progress() {},
  printed() {},
}
