import { AsyncResource } from 'node:async_hooks'
import { stripVTControlCharacters } from 'node:util'
import type { Annotations } from '../core/annotations.js'
import type { TaskContext } from '../core/context.js'
import type { MintakaError } from '../core/errors.js'
import type { Call, CallSeries, Outcome, TaskCode } from '../core/executor.js'
import { isFuture } from '../core/future.js'
import type { LogLevel } from '../core/logger.js'
import type { AttemptArguments } from './attempt-arguments.js'
import type { TaskLife } from './run-task.js'
import { Stop } from './stop.js'

/** What a call that was not let begin, or was given up, ends with. */
export const stopped: Outcome = { type: 'stopped' }

/** One attempt, as the executor sees it. */
export class TaskCall implements Call {
  readonly attempt: number
  readonly args: readonly unknown[]
  readonly shared: readonly object[] | undefined
  /** The rules did not let it begin. */
  refused = false
  /** Its own end is the end of the attempt: the session has nothing to add. */
  reports = false
  readonly #life: TaskLife
  #taskContext: TaskContext | undefined
  #stop: Stop | undefined
  #stopTimer: (() => void) | undefined
  /** The async context of whoever called the task: its body runs in it, whenever and by whomever it is run. */
  readonly #context: AsyncResource | undefined

  constructor(life: TaskLife, { args, shared }: AttemptArguments) {
    this.#life = life
    if (life.flow.session.where === 'here')
      this.#context = new AsyncResource('MintakaTask', { requireManualDestroy: true })
    this.args = args
    this.shared = shared
    this.attempt = life.record.runCount + 1
  }

  get id(): string {
    return this.#life.record.id
  }
  get name(): string {
    return this.#life.record.name
  }
  get series(): CallSeries | undefined {
    return this.#life.record.calls.series
  }
  get idNumber(): number {
    return this.#life.record.number
  }
  get nameNumber(): number {
    return this.#life.record.dynamicKey
  }
  get flowRunId(): string {
    return this.#life.record.flowRunId
  }
  get tags(): readonly string[] {
    return this.#life.record.tags
  }
  get task(): TaskCode {
    return this.#life.task.code
  }
  get annotations(): Annotations | undefined {
    return this.#life.annotations
  }
  get timeoutMs(): number | undefined {
    return this.#life.task.timeoutMs
  }

  get signal(): AbortSignal {
    return this.#stopping().signal
  }

  whenStopped(callback: () => void): void {
    this.#stopping().whenStopped(callback)
  }

  /** Asks the attempt to stop. */
  abort(reason: MintakaError): void {
    this.#stopping().request(reason)
  }

  #stopping(): Stop {
    this.#stop ??= new Stop()
    return this.#stop
  }

  run(args = this.args): Outcome | Promise<Outcome> {
    const may = this.#life.mayRun()
    if (may === true) return this.#execute(args)
    if (may === false) return this.#refuse()
    return may.then(yes => (yes ? this.#execute(args) : this.#refuse()))
  }

  #execute(args: readonly unknown[]): Outcome | Promise<Outcome> {
    this.#life.bodyBegins()
    try {
      const value = this.#context?.runInAsyncScope(this.#life.execute, this.#life, args, this)
      const pending = pendingIn(value)
      if (!pending) return this.#bodyEnded({ type: 'returned', value })
      return pending.then(
        value => this.#bodyEnded({ type: 'returned', value }),
        error => this.#bodyEnded({ type: 'threw', error }),
      )
    } catch (error) {
      return this.#bodyEnded({ type: 'threw', error })
    }
  }

  #bodyEnded(outcome: Outcome): Outcome {
    if (this.reports) this.#life.ended(this, outcome)
    this.#life.bodyEnds()
    return outcome
  }

  #refuse(): Outcome {
    this.refused = true
    if (this.reports) this.#life.ended(this, stopped)
    return stopped
  }

  started(at?: number): void {
    if (!this.#life.isUnderWay(this)) return
    this.#life.started(at)
    const { timeoutMs } = this.#life.task
    if (timeoutMs === undefined || this.#stopTimer) return
    this.#stopTimer = this.#life.flow.engine.surroundings.timer(timeoutMs, () => this.#life.outOfTime(timeoutMs))
  }

  ended(outcome: Outcome): void {
    this.#life.ended(this, outcome)
  }

  /** The attempt is over: its deadline no longer counts. */
  end(): void {
    this.#stopTimer?.()
  }

  /** What `taskContext()` gives in a body that runs here. */
  context(): TaskContext {
    this.#taskContext ??= this.#makeContext()
    return this.#taskContext
  }

  #makeContext(): TaskContext {
    const call = this
    const write = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      call.log(level, message, fields)
    return {
      taskRunId: call.id,
      taskRunName: call.name,
      flowRunId: call.flowRunId,
      attempt: call.attempt,
      tags: call.tags,
      get signal() {
        return call.signal
      },
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
      progress: (fraction, note) => call.progress(fraction, note),
      throwIfCancelled() {
        const reason = call.#stop?.reason
        if (reason) throw reason
      },
    }
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, at?: number): void {
    const { flow, record } = this.#life
    flow.engine.logRun(flow.logger, level, message, { flowRunId: record.flowRunId, taskRunId: record.id, fields, at })
  }

  printed(level: LogLevel, text: string, at?: number): void {
    const { flow, record } = this.#life
    const message = text.includes('\u001b') ? stripVTControlCharacters(text) : text
    flow.engine.logPrinted(level, message, { flowRunId: record.flowRunId, taskRunId: record.id, at })
  }

  progress(fraction: number, note?: string): void {
    this.#life.flow.engine.progressed(this.#life.record, fraction, note)
  }
}

/** What a body returned, if it has to be waited for: a promise, a future, or a list that holds futures. */
function pendingIn(value: unknown): Promise<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Promise) return value
  if ('then' in value && typeof value.then === 'function') return Promise.resolve(value)
  const holds = Array.isArray(value) && value.some(item => typeof item === 'object' && item !== null && isFuture(item))
  return holds ? Promise.all(value) : undefined
}
