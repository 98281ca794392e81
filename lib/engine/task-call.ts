import { stripVTControlCharacters } from 'node:util'
import type { Annotations } from '../core/annotations.js'
import { MintakaError } from '../core/errors.js'
import type { Call, CallSeries, Outcome, StopListener, TaskCode } from '../core/executor.js'
import type { LogLevel } from '../core/logger.js'
import type { TaskLife } from './run-task.js'
import { Stop } from './stop.js'

/** What a call that was not let begin, or was given up, ends with. */
export const stopped: Outcome = { type: 'stopped' }

/** One attempt, as an executor sees it. Lean: there may be a hundred thousand that wait. */
export class TaskCall implements Call {
  readonly attempt: number
  readonly args: readonly unknown[]
  readonly shared: readonly object[] | undefined
  /** Calls that it comes after, if it was handed over before they had ended. */
  upstream: readonly Call[] | undefined
  /** The rules did not let it begin. */
  refused = false
  /** Its own end is the end of the attempt: the session returned nothing that would tell. */
  reports = false
  protected readonly life: TaskLife
  #whenStopped: StopListener | undefined
  #stop: Stop | undefined
  #stopTimer: (() => void) | undefined

  constructor(
    life: TaskLife,
    args: readonly unknown[],
    shared: readonly object[] | undefined,
    upstream?: readonly Call[],
  ) {
    this.life = life
    this.args = args
    this.shared = shared
    this.upstream = upstream
    this.attempt = life.record.runCount + 1
    this.#whenStopped = undefined
    this.#stop = undefined
    this.#stopTimer = undefined
  }

  get id(): string {
    return this.life.record.id
  }
  get name(): string {
    return this.life.record.name
  }
  get series(): CallSeries | undefined {
    return this.life.record.calls.series
  }
  get idNumber(): number {
    return this.life.record.number
  }
  get nameNumber(): number {
    return this.life.record.dynamicKey
  }
  get flowRunId(): string {
    return this.life.record.flowRunId
  }
  get tags(): readonly string[] {
    return this.life.record.tags
  }
  get task(): TaskCode {
    return this.life.task.code
  }
  get annotations(): Annotations | undefined {
    return this.life.annotations
  }
  get timeoutMs(): number | undefined {
    return this.life.task.timeoutMs
  }

  get signal(): AbortSignal {
    this.#stop ??= new Stop()
    return this.#stop.signal
  }

  /** Why it is to stop, if it is. */
  protected get stopReason(): MintakaError | undefined {
    return this.#stop?.reason
  }

  whenStopped(listener: StopListener): void {
    if (this.#stop?.reason) tellToStop(listener)
    else this.#whenStopped = listener
  }

  /** Asks the attempt to stop. */
  abort(reason: MintakaError): void {
    this.#stop ??= new Stop()
    this.#stop.request(reason)
    if (this.#whenStopped) tellToStop(this.#whenStopped)
  }

  run(_args?: readonly unknown[]): Outcome | Promise<Outcome> {
    const what = `The executor '${this.life.flow.executorName}' runs '${this.name}' here`
    const fix = "A session that calls run() has `where: 'here'`."
    return {
      type: 'crashed',
      error: new MintakaError('EXECUTOR_FAILED', `${what}, and said that it runs elsewhere. ${fix}`),
    }
  }

  /** If the store refuses, the run is lost: who says that it has begun cannot help it. */
  started(at?: number): void {
    const { life } = this
    if (!life.isUnderWay(this)) return
    try {
      life.started(at)
    } catch (error) {
      return life.lost(error)
    }
    const { timeoutMs } = life.task
    if (timeoutMs === undefined || this.#stopTimer) return
    this.#stopTimer = life.flow.engine.surroundings.timer(timeoutMs, () => life.outOfTime(timeoutMs))
  }

  ended(outcome: Outcome): void {
    this.life.ended(this, outcome)
  }

  /** The attempt is over: its deadline no longer counts. */
  end(): void {
    this.#stopTimer?.()
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, at?: number): void {
    const { flow, record } = this.life
    flow.engine.logRun(flow.logger, level, message, { flowRunId: record.flowRunId, taskRunId: record.id, fields, at })
  }

  printed(level: LogLevel, text: string, at?: number): void {
    const { flow, record } = this.life
    const message = text.includes('\u001b') ? stripVTControlCharacters(text) : text
    flow.engine.logPrinted(level, message, { flowRunId: record.flowRunId, taskRunId: record.id, at })
  }

  progress(fraction: number, note?: string): void {
    this.life.flow.engine.progressed(this.life.record, fraction, note)
  }
}

function tellToStop(listener: StopListener): void {
  if (typeof listener === 'function') listener()
  else listener.onStop()
}
