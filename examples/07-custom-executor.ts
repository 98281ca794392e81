// An executor of your own is two small functions: `start` opens a session, `submit` carries one call out.
//
// This one starts a task only when the event loop has served its I/O, and a few at a time: flows in a process that also
// answers requests.

import {
  type Call,
  ConcurrentExecutor,
  type Executor,
  type ExecutorSession,
  flow,
  MintakaError,
  type Outcome,
  task,
} from 'mintaka'

export class PoliteExecutor implements Executor {
  readonly name = 'polite'
  readonly #atOnce: number

  constructor({ atOnce = 2 }: { atOnce?: number } = {}) {
    this.#atOnce = atOnce
  }

  async start(): Promise<ExecutorSession> {
    return new PoliteSession(this.#atOnce) // a definition holds no run state: each flow run has a session
  }
}

class PoliteSession implements ExecutorSession {
  readonly where = 'here' // calls run in this process: by call.run()
  readonly #atOnce: number
  readonly #waiting: (() => Promise<void>)[] = []
  #running = 0
  #isClosed = false

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  submit(call: Call): Promise<Outcome> {
    if (this.#isClosed) return Promise.reject(new MintakaError('EXECUTOR_CLOSED', 'The session is closed.'))
    return new Promise(resolve => {
      this.#waiting.push(async () => resolve(await call.run())) // never throws: what the task throws is an outcome
      this.#next()
    })
  }

  #next(): void {
    if (this.#running === this.#atOnce) return
    const run = this.#waiting.shift()
    if (!run) return
    this.#running += 1
    setImmediate(async () => {
      await run()
      this.#running -= 1
      this.#next()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true // every call has ended by now
  }
}

let turn = 0
const count = () => {
  turn += 1
  setImmediate(count).unref()
}
count()

const beganIn = new Set<number>()
const note = task('note', () => void beganIn.add(turn))
const notes = flow('notes', () => Array.from({ length: 6 }, () => note()))

for (const executor of [new ConcurrentExecutor(), new PoliteExecutor({ atOnce: 1 })]) {
  beganIn.clear()
  await notes.with({ executor })()
  console.log(`${executor.name}: 6 tasks, turns of the event loop: ${beganIn.size}`)
}
