// What `executorSuite` runs. Imported by the name of the package, like a user's tasks, so that they travel to workers.

import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type State, task, taskContext } from 'mintaka'

export const echo = task('echo', (value: unknown) => value)

export const add = task('add', (a: number, b: number) => a + b)

export const sum = task('sum', (values: readonly number[]) => values.reduce((a, b) => a + b, 0))

export const later = task('later', async (value: string) => {
  await delay(1)
  return `${value} later`
})

export class OrderError extends Error {
  override name = 'OrderError'
  readonly code = 'E_ORDER'
  readonly order: { id: number }
  constructor(message: string, id: number, options?: ErrorOptions) {
    super(message, options)
    this.order = { id }
  }
}

export const failWith = task('fail with', (kind: 'custom' | 'aggregate' | 'text' | 'undefined') => {
  if (kind === 'text') throw 'only text'
  if (kind === 'undefined') throw undefined
  if (kind === 'aggregate') throw new AggregateError([new TypeError('one'), new RangeError('two')], 'both')
  throw new OrderError('no such order', 7, { cause: new TypeError('the cause', { cause: 'the root' }) })
})

export const double = task('double', (value: number) => value * 2)

export const typeOfState = task('type of state', (state: State) => state.type)

/** Fails until its attempt is `succeedAt`. */
export const flaky = task('flaky', (succeedAt: number) => {
  const { attempt } = taskContext()
  if (attempt < succeedAt) throw new Error(`attempt ${attempt}`)
  return attempt
})

export const context = task('context', () => {
  const { taskRunId, taskRunName, flowRunId, attempt, tags, log, progress } = taskContext()
  log.info('from the task', { answer: 42 })
  progress(0.5, 'half')
  return { taskRunId, taskRunName, flowRunId, attempt, tags: [...tags] }
})

export const nested = task('nested', async (value: number) => (await add(value, 1)) + double.fn(value))

export const witness = task('witness', (file: string, line: string) => {
  appendFileSync(file, `${line}\n`)
})

/** Writes that it began, waits for a file, and writes that it ended. */
export const guarded = task('guarded', async (file: string, name: string, gate: string) => {
  appendFileSync(file, `${name} begins\n`)
  while (!existsSync(gate)) await delay(2)
  appendFileSync(file, `${name} ends\n`)
  return name
})

/** Ends only when the other one has begun as well. */
export const meet = task('meet', async (mine: string, other: string) => {
  writeFileSync(mine, '')
  while (!existsSync(other)) await delay(2)
  return 'met'
})

/** Says that it began, then waits to be stopped. */
export const untilStopped = task('until stopped', async (began: string) => {
  const { signal } = taskContext()
  writeFileSync(began, '')
  await new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    // A timer of its own keeps the thread alive while it waits.
    const alive = setInterval(() => {}, 1000)
    signal.addEventListener('abort', () => {
      clearInterval(alive)
      reject(signal.reason)
    })
  })
})
