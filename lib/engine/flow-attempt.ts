import type { FlowContext } from '../core/context.js'
import { asError, MintakaError } from '../core/errors.js'
import type { ExecutorSession } from '../core/executor.js'
import type { LogLevel } from '../core/logger.js'
import { type State, states, type TerminalState } from '../core/state.js'
import { publishStats } from './channels.js'
import type { BodyEnd } from './final-state.js'
import type { FlowLife } from './run-flow.js'

/**
 * One attempt of a flow run: its executor's session, in which runs may be started while its body goes on, and what
 * interrupts it. What has interrupted one does not interrupt the next.
 */
export class FlowAttempt {
  readonly #life: FlowLife
  readonly #controller = new AbortController()
  #session: ExecutorSession | undefined
  /** Whether runs may be started: its body goes on, or runs that it has started do. */
  accepts = false
  /** Why it ends before its body has, if it does. Its next call throws that. */
  interrupted: MintakaError | undefined
  #endBody: (() => void) | undefined
  #context: FlowContext | undefined

  constructor(life: FlowLife) {
    this.#life = life
  }

  /** The state in which `body` ends, carried out in a session of the executor. Every way out is recorded. */
  async inSession(body: () => Promise<State>): Promise<State> {
    const { engine, executorName, logger } = this.#life
    try {
      await this.#open()
    } catch (cause) {
      const what = `The executor '${executorName}' of flow '${this.#life.flow.name}' could not start`
      const error = new MintakaError('EXECUTOR_FAILED', `${what}: ${asError(cause).message}`, { cause })
      return states.crashed(engine.now(), error)
    }
    try {
      return await body()
    } finally {
      this.accepts = false
      logger.info(`Executor '${executorName}' shuts down`)
      await this.#close()
    }
  }

  /** How `body` ends, or what interrupts it: an `await` of its own cannot be, and is left behind. */
  async untilInterrupted(body: () => Promise<BodyEnd>): Promise<BodyEnd> {
    const interrupted = new Promise<BodyEnd>(resolve => {
      this.#endBody = () => resolve({ type: 'threw', error: this.interrupted })
      if (this.interrupted) this.#endBody()
    })
    return Promise.race([body(), interrupted])
  }

  // --- its session

  get session(): ExecutorSession {
    return this.#session as ExecutorSession
  }

  /** Lets a run be started, or says why not. `isPresent`: no other attempt has followed this one. */
  admit(kind: 'Task' | 'Flow', called: string, isPresent: boolean): void {
    if (this.interrupted) throw this.interrupted
    if (this.accepts && this.#session && isPresent) return
    const { name, flowName } = this.#life.record
    const what = `${kind} '${called}' was called in flow run '${name}', which has ended`
    const fix = 'Await what leads to the call before the flow returns.'
    throw new MintakaError('FLOW_RUN_ENDED', `${what}. ${fix}`, { flow: flowName })
  }

  async #open(): Promise<void> {
    const { flow, logger, record } = this.#life
    logger.info(`Executor '${flow.executor.name}' starts`)
    const { id: flowRunId, name: flowRunName } = record
    this.#session = await flow.executor.start({ flowRunId, flowRunName, log: logger })
  }

  async #close(): Promise<void> {
    const { executorName, logger } = this.#life
    const session = this.#session
    this.#session = undefined
    this.#keepStats(session)
    try {
      await session?.[Symbol.asyncDispose]()
    } catch (error) {
      logger.error(`Executor '${executorName}' could not shut down cleanly`, { error })
    }
  }

  #keepStats(session: ExecutorSession | undefined): void {
    const { executorName, logger, record } = this.#life
    try {
      const stats = session?.stats?.()
      if (!stats) return
      record.executorStats = stats
      publishStats({ flowRun: record, executor: executorName, stats })
    } catch (error) {
      logger.error(`Executor '${executorName}' could not tell how it did`, { error })
    }
  }

  // --- what interrupts it

  /** Fires its signal: who listens learns that it is interrupted. */
  abort(): void {
    this.#controller.abort(this.interrupted)
  }

  /** Waits for its body no longer. */
  endBody(): void {
    this.#endBody?.()
  }

  /** What `flowContext()` gives in the body. */
  context(): FlowContext {
    const { engine, logger, record } = this.#life
    const { id, name } = record
    const write = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      engine.logRun(logger, level, message, { flowRunId: id, fields })
    this.#context ??= {
      flowRunId: id,
      flowRunName: name,
      signal: this.#controller.signal,
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    }
    return this.#context
  }
}

/** Where a flow run ends that was interrupted. */
export function interruptedState(why: MintakaError, now: number): TerminalState {
  if (why.code === 'DIVERGED') return states.failed(now, why)
  return why.code === 'TIMED_OUT' ? states.timedOut(now, why) : states.cancelled(now, why)
}
