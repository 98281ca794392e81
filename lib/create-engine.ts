import { MintakaError } from './core/errors.js'
import type { EngineEvent } from './core/event.js'
import type { Args, FlowFuture } from './core/future.js'
import type { LogEntry, Logger, LogLevel } from './core/logger.js'
import { check, checkOptions } from './core/options.js'
import type { Rule } from './core/rules.js'
import type { FlowRun, TaskRun } from './core/run.js'
import type { FlowRunFilter, Store, StoredRun } from './core/store.js'
import type { Surroundings } from './core/surroundings.js'
import { defaultMaxFlowDepth } from './default-engine.js'
import { cancelRun } from './deployments/cancel-scheduled.js'
import type { Deployments } from './deployments/deployments.js'
import { deploymentsOf } from './deployments/of-engine.js'
import { Engine as EngineOfRuns } from './engine/engine.js'
import { atLevel, levelFromEnvironment, stderrLogger } from './engine/logger.js'
import { realSurroundings } from './engine/surroundings.js'
import { callFlow, definitionIn, definitionOf, type Final, type Flow, type FlowCallOptions } from './flow.js'
import { registerEngine } from './public-engines.js'
import { JsonStore } from './store/json.js'

/** Options of {@link createEngine}. */
export interface EngineOptions {
  /** Default: a `JsonStore` in `MINTAKA_HOME`, else `~/.mintaka`. */
  readonly store?: Store | undefined
  /** Any object with `debug`, `info`, `warn` and `error`, pino's included. Default: stderr from `logLevel` on. */
  readonly logger?: Logger | undefined
  /** Default: `MINTAKA_LOG`, else `warn` on stderr, and everything for a logger of your own. */
  readonly logLevel?: LogLevel | undefined
  /** How deep flows may be nested. Default 100. */
  readonly maxFlowDepth?: number | undefined
  /** Time, chance and names; `simulatedClock` of `mintaka/testing` makes one for tests. */
  readonly surroundings?: Surroundings | undefined
}

/** Where flows run: a store that remembers, rules that decide, events for those who watch. Close it, or `await using` it. */
export interface Engine extends AsyncDisposable {
  /** Owns its runs in the store. */
  readonly id: string
  /**
   * Starts a run of `flow` here, or as a subflow if the running code is a flow's. Throws as a call of the flow does, and
   * INVALID_ARGUMENT, INVALID_OPTION. A store that cannot be opened leaves the run CRASHED, with what it said.
   */
  run<A extends unknown[], R>(flow: Flow<A, R>, ...rest: RunArguments<A>): FlowFuture<Final<Awaited<R>>>
  /**
   * Continues a flow run of the store that is FAILED, CRASHED or CANCELLED, in a new run: what its tasks have completed is
   * taken over, the rest runs. It is called with what that one was called with. Without `flow`, the flow of that name and
   * file is taken, which must be defined in this process. A run that cannot be continued is refused by the future:
   * NOT_FOUND, NOT_RESUMABLE. docs/RESUME.md tells more.
   */
  resume<A extends unknown[], R>(
    flowRunId: string,
    flow: Flow<A, R>,
    options?: ResumeOptions,
  ): FlowFuture<Final<Awaited<R>>>
  /** Continues it with the flow of that name and file, which must be defined in this process. */
  resume(flowRunId: string, flow?: undefined, options?: ResumeOptions): FlowFuture<unknown>
  /** Flow runs of the store, also those of other processes and of earlier ones. */
  readonly flowRuns: {
    /** Newest first. */
    list(filter?: FlowRunFilter): Promise<StoredRun<FlowRun>[]>
    /** By its whole id, with what it was called with; `undefined` if there is none. */
    get(id: string): Promise<StoredRun<FlowRun> | undefined>
  }
  /** Task runs of the store. */
  readonly taskRuns: {
    /** Those of one flow run, in call order. */
    list(flowRunId: string): Promise<StoredRun<TaskRun>[]>
    /** By its whole id; `undefined` if there is none. */
    get(id: string): Promise<StoredRun<TaskRun> | undefined>
  }
  /** What is deployed, and its runs that have not ended. Every function rejects if the store keeps no documents. */
  readonly deployments: Deployments
  /** The log of a flow run and its task runs, in order. */
  logs(flowRunId: string): Promise<LogEntry[]>
  /** Everything that happens from now on. The iteration ends with the signal, or when the engine is closed. */
  events(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<EngineEvent>
  /**
   * Cancels a flow run. One of another process that shares the store is asked for: its engine looks twice a second, and
   * this does not wait for that. A run of a deployment that has not begun is CANCELLED at once. NOT_FOUND if there is none;
   * nothing happens to one that has ended.
   */
  cancel(flowRunId: string, reason?: string): Promise<void>
  /**
   * Adds a rule of orchestration after ours. It is asked about every transition of every run from now on. Throws
   * INVALID_ARGUMENT.
   */
  use(rule: Rule): void
  /**
   * Takes no more runs, waits for those there are, and closes the store. What still runs after `timeoutMs` is cancelled.
   * A store that cannot be written is waited for as long as that, or 5 s; then runs that wait for it end CRASHED. Rejects
   * with STORE_WRITE_FAILED if something could not be saved, and says what.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

/** How a flow run is continued. */
export interface ResumeOptions {
  /**
   * When its calls are others than those of the run that it continues: go on and tell (the default), or fail with
   * DIVERGED before anything is done twice.
   */
  readonly divergence?: 'continue' | 'fail' | undefined
  /** Whether what was done by other code is taken over (the default), or only what was done by the same. */
  readonly code?: 'any' | 'same' | undefined
  /** Name of the new flow run. Default: two words. */
  readonly name?: string | undefined
  /** Cancels the new run when it fires. */
  readonly signal?: AbortSignal | undefined
}

/** Parameters, then options; parameters may be left out where the flow needs none. */
type RunArguments<A extends unknown[]> = [] extends A
  ? [parameters?: Args<A>[0], options?: FlowCallOptions]
  : [parameters: Args<A>[0], options?: FlowCallOptions]

/**
 * Makes an engine of your own: for an application that embeds flows, and for tests.
 *
 * ```ts
 * await using engine = createEngine({ store: new MemoryStore() })
 * await engine.run(report, { year: 2026 })
 * ```
 *
 * Throws INVALID_OPTION. The store is opened at once; that it cannot be is told by the runs.
 */
export function createEngine(options: EngineOptions = {}): Engine {
  checkOptions('createEngine', options, engineChecks)
  const engine = new EngineOfRuns({
    store: options.store ?? new JsonStore(),
    logger: loggerOf(options),
    surroundings: options.surroundings ?? realSurroundings,
    maxFlowDepth: options.maxFlowDepth ?? defaultMaxFlowDepth,
  })
  return faceOf(engine)
}

/** What a user sees of an engine. */
export function faceOf(engine: EngineOfRuns): Engine {
  const face: Engine = {
    id: engine.id,
    run(flow, ...rest) {
      const [parameters, options] = rest as [unknown, FlowCallOptions | undefined]
      const found = definitionOf(options ? flow.with(options) : flow)
      if (!found) throw new MintakaError('INVALID_ARGUMENT', 'engine.run(flow, parameters) takes what flow(…) gave.')
      return callFlow(found.definition, engine, rest.length === 0 ? [] : [parameters]) as FlowFuture<never>
    },
    resume(flowRunId: string, flow?: Flow<never, unknown>, options?: ResumeOptions) {
      return resumeFlow(engine, flowRunId, flow, options) as FlowFuture<never>
    },
    flowRuns: engine.flowRuns,
    taskRuns: engine.taskRuns,
    deployments: deploymentsOf(engine),
    logs: id => engine.logs(id),
    events: options => engine.events(options),
    cancel: (id, reason) => cancelRun(engine, id, reason),
    use: rule => engine.use(rule),
    close: options => engine.close(options),
    [Symbol.asyncDispose]: () => engine.close(),
  }
  registerEngine(face, engine)
  return face
}

/** Continues a flow run, and checks what is asked for. */
export function resumeFlow(
  engine: EngineOfRuns,
  flowRunId: string,
  flow: object | undefined,
  options: ResumeOptions = {},
): FlowFuture<unknown> {
  checkOptions('engine.resume', options, resumeChecks)
  if (typeof flowRunId !== 'string' || flowRunId === '')
    throw new MintakaError('INVALID_ARGUMENT', 'engine.resume(id, flow?) takes the id of a flow run.')
  const found = flow === undefined ? undefined : definitionOf(flow)
  if (flow !== undefined && !found)
    throw new MintakaError('INVALID_ARGUMENT', 'engine.resume(id, flow) takes what flow(…) gave.')
  const { divergence = 'continue', code = 'any', name: runName, signal } = options
  const request = {
    flowRunId,
    flow: found?.definition,
    find: definitionIn,
    policy: { divergence, code },
    runName,
    signal,
  }
  return engine.resume(request).future as FlowFuture<unknown>
}

const resumeChecks = {
  divergence: check.oneOf('continue', 'fail'),
  code: check.oneOf('any', 'same'),
  name: check.string,
  signal: check.signal,
}

function loggerOf({ logger, logLevel }: EngineOptions) {
  const asked = logLevel ?? levelFromEnvironment()
  return logger ? atLevel(logger, asked ?? 'debug') : stderrLogger(asked ?? 'warn')
}

const engineChecks = {
  store: (value: unknown) =>
    typeof value === 'object' && value !== null && 'appendState' in value
      ? undefined
      : 'a store, such as new MemoryStore()',
  logger: (value: unknown) =>
    typeof value === 'object' && value !== null && 'info' in value && 'error' in value
      ? undefined
      : 'an object with debug, info, warn and error',
  logLevel: check.oneOf('debug', 'info', 'warn', 'error'),
  maxFlowDepth: check.positive,
  surroundings: check.object,
}
