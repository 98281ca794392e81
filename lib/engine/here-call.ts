import { AsyncResource } from 'node:async_hooks'
import type { TaskContext } from '../core/context.js'
import type { Outcome } from '../core/executor.js'
import { isFuture } from '../core/future.js'
import type { LogLevel } from '../core/logger.js'
import { stopped, TaskCall } from './task-call.js'

const resourceOptions = { requireManualDestroy: true }

/** One attempt whose function runs in this process. */
export class HereCall extends TaskCall {
  #taskContext: TaskContext | undefined
  /** The async context of whoever called the task: its body runs in it, whenever and by whomever it is run. */
  readonly #context = new AsyncResource('MintakaTask', resourceOptions)

  override run(args = this.args): Outcome | Promise<Outcome> {
    const may = this.life.mayRun()
    if (may === true) return this.#execute(args)
    if (may === false) return this.#refuse()
    return may.then(yes => (yes ? this.#execute(args) : this.#refuse()))
  }

  #execute(args: readonly unknown[]): Outcome | Promise<Outcome> {
    const { life } = this
    life.bodyBegins()
    try {
      const value = this.#context.runInAsyncScope(life.execute, life, args, this)
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
    if (this.reports) this.life.ended(this, outcome)
    this.life.bodyEnds()
    return outcome
  }

  #refuse(): Outcome {
    this.refused = true
    if (this.reports) this.life.ended(this, stopped)
    return stopped
  }

  /** What `taskContext()` gives in the body. */
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
        const reason = call.stopReason
        if (reason) throw reason
      },
    }
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
