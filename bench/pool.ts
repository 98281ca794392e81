/** The thread pool of the library, called by hand: dispatch alone, without flows and states. */
import type { Outcome } from 'mintaka'
import { ThreadPool } from '../dist/lib/threads/pool.js'
import type { Work, WorkCall } from '../lib/threads/job.js'
import type { Code } from '../lib/threads/protocol.js'
import type { Body } from './bodies.js'

/** Two threads or more, and what calls the functions in them. */
export class BarePool implements AsyncDisposable {
  readonly #pool: ThreadPool
  #count = 0

  constructor(threads: number) {
    this.#pool = new ThreadPool({ threads, warn: message => console.error(message) })
  }

  /** A function that calls `body` in a thread. */
  runner(body: Body): (value: number) => Promise<unknown> {
    const kind = kindOf(body)
    return value =>
      new Promise((resolve, reject) => this.#pool.run(new BareWork(kind, ++this.#count, value, resolve, reject)))
  }

  /** Calls `body` with each value, and has the results without a promise for each. */
  callAll(body: Body, values: readonly number[]): Promise<unknown[]> {
    const kind = kindOf(body)
    return new Promise((resolve, reject) => {
      const results = new Array<unknown>(values.length)
      let left = values.length
      const take = (value: unknown, work: BareWork): void => {
        results[work.idNumber] = value
        if (--left === 0) resolve(results)
      }
      for (const [index, value] of values.entries()) this.#pool.run(new BareWork(kind, index, value, take, reject))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }
}

/** What the calls of a body share. */
interface Kind {
  readonly code: Code
  readonly series: NonNullable<WorkCall['series']>
}

function kindOf({ url, exportName }: Body): Kind {
  return {
    code: { key: `${url}#${exportName}`, taskName: exportName, url, exportName },
    series: { id: 'flow-1-', name: `${exportName}-` },
  }
}

const { signal } = new AbortController()

/** A call, and what is to be done when it has ended, in one object. */
class BareWork implements Work, WorkCall {
  readonly code: Code
  readonly series: NonNullable<WorkCall['series']>
  readonly idNumber: number
  readonly args: readonly [number]
  private readonly resolve: (value: unknown, work: BareWork) => void
  private readonly reject: (error: unknown) => void

  constructor(
    { code, series }: Kind,
    number: number,
    value: number,
    resolve: (value: unknown, work: BareWork) => void,
    reject: (error: unknown) => void,
  ) {
    this.code = code
    this.series = series
    this.idNumber = number
    this.args = [value]
    this.resolve = resolve
    this.reject = reject
  }

  get call(): WorkCall {
    return this
  }
  get nameNumber(): number {
    return this.idNumber
  }
  get id(): string {
    return this.series.id + this.idNumber
  }
  get name(): string {
    return this.series.name + this.idNumber
  }
  get flowRunId(): string {
    return 'flow-1'
  }
  get attempt(): number {
    return 1
  }
  get priority(): number {
    return 0
  }
  get tags(): readonly string[] {
    return []
  }
  get signal(): AbortSignal {
    return signal
  }

  encodeArgs(): unknown {
    return this.args
  }
  whenStopped(): void {}
  started(): void {}
  log(): void {}
  printed(): void {}
  progress(): void {}

  ended(outcome: Outcome): void {
    if (outcome.type === 'returned') this.resolve(outcome.value, this)
    else this.reject(outcome.type === 'stopped' ? new Error(`${this.id} was stopped`) : outcome.error)
  }
}
