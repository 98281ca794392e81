import { AsyncLocalStorage } from 'node:async_hooks'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { workerDoor } from './core/door.js'
import { MintakaError } from './core/errors.js'
import type { ExecutorOption } from './core/executor.js'
import type { Args, Atom, FlowFuture, RunFuture } from './core/future.js'
import type { LogLevel } from './core/logger.js'
import type { RetryDelay } from './core/retry.js'
import { type Completed, type State, states } from './core/state.js'
import { defaultEngine } from './default-engine.js'
import type { Deployment } from './deployments/deployment.js'
import type { FlowDefinition } from './engine/definitions.js'
import type { Engine } from './engine/engine.js'
import { currentScope } from './engine/scope.js'
import { executorOf } from './executor-of.js'
import { ConcurrentExecutor } from './executors/concurrent.js'
import { checkCall, checkFlow } from './flow-checks.js'
import { engineOf } from './public-engines.js'
import { callSite } from './shipping/locate.js'

/** Options of a flow. Times are milliseconds. */
export interface FlowOptions {
  /** Where its tasks run: a definition, or its class. Default: `ConcurrentExecutor`. */
  readonly executor?: ExecutorOption | undefined
  /** How long a run may take. Then its signal fires, its tasks are stopped, and it is FAILED, TimedOut. */
  readonly timeoutMs?: number | undefined
  /** Attempts after the first. A later attempt takes over what tasks of an earlier one completed. Default 0. */
  readonly retries?: number | undefined
  /** Between attempts, in milliseconds. Default 0. */
  readonly retryDelayMs?: RetryDelay | undefined
  /** Asked with what an attempt threw; false ends the run. */
  readonly retryIf?: ((error: unknown, attempt: number) => boolean) | undefined
  /** Default: a hash of the source file. */
  readonly version?: string | undefined
  /** For people: kept with each run. */
  readonly description?: string | undefined
  /** Of each run of it. For the runs in it there is {@link tags}. */
  readonly tags?: readonly string[] | undefined
  /** Where it runs when it is called at the top level. Default: the default engine. */
  readonly engine?: FlowEngine | undefined
  /** What of the log of its runs reaches the logger. Default: that of the engine. The store keeps all of it. */
  readonly logLevel?: LogLevel | undefined
}

/** Options of `.with()`: those of the flow, and some for the calls it is used for. */
export interface FlowCallOptions extends FlowOptions {
  /** Runs to wait for, whose values are not parameters. */
  readonly waitFor?: readonly RunFuture<unknown>[] | undefined
  /** Name of the flow run. Default: two words. */
  readonly name?: string | undefined
  /** Cancels the run when it fires. */
  readonly signal?: AbortSignal | undefined
  /** There is one run of the flow per key: a second call gives the first one's end. */
  readonly idempotencyKey?: string | undefined
}

/** What a flow needs of an engine; `createEngine` gives one. */
export interface FlowEngine {
  /** As {@link Engine.run}. */
  run<A extends unknown[], R>(flow: Flow<A, R>, ...rest: unknown[]): FlowFuture<unknown>
}

/** What a flow's run gives for what its function returns: values in the place of futures and states. */
export type Final<R> =
  R extends RunFuture<infer U>
    ? U
    : R extends Completed<infer U>
      ? U
      : R extends State
        ? never
        : R extends Atom | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
          ? R
          : R extends readonly unknown[] | Record<string, unknown>
            ? { -readonly [K in keyof R]: Final<R[K]> }
            : R

/** A function that runs on the main thread and calls tasks and other flows. A call gives a future at once. */
export interface Flow<A extends unknown[], R> {
  /**
   * Starts a run of it: on its engine, or as a subflow of the flow run around the call. Throws FLOW_IN_TASK, OTHER_ENGINE,
   * FLOW_DEPTH, FLOW_RUN_ENDED, ENGINE_CLOSED; in a flow run that is to stop, CANCELLED or TIMED_OUT. What goes wrong later is
   * told by the future.
   */
  (...parameters: Args<A>): FlowFuture<Final<Awaited<R>>>
  /** Its name, as it was given. */
  readonly name: string
  /** The same flow with some options changed. Throws INVALID_OPTION. */
  with(options: FlowCallOptions): Flow<A, R>
  /** The plain function. It must run in a flow if it calls tasks. */
  readonly fn: (...parameters: A) => R
}

type ParametersOf<S extends StandardSchemaV1> =
  undefined extends StandardSchemaV1.InferInput<S>
    ? [parameters?: StandardSchemaV1.InferInput<S>]
    : [parameters: StandardSchemaV1.InferInput<S>]

/**
 * Makes a flow of a function of no or one parameter. With `parameters`, a Standard Schema (zod, valibot, arktype…), its
 * parameter is validated and coerced before the body runs; what does not fit is a FAILED run, with INVALID_PARAMETERS.
 *
 * ```ts
 * const report = flow('report', async (p: { year: number }) => summarise(await load(p.year)))
 * await report({ year: 2026 })
 * ```
 *
 * Throws INVALID_ARGUMENT or INVALID_OPTION at once.
 */
export function flow<S extends StandardSchemaV1, R>(
  name: string,
  fn: (parameters: StandardSchemaV1.InferOutput<S>) => R,
  options: FlowOptions & { readonly parameters: S },
): Flow<ParametersOf<S>, R>
export function flow<A extends [parameters?: unknown], R>(
  name: string,
  fn: (...parameters: A) => R,
  options?: FlowOptions & { readonly parameters?: never },
): Flow<A, R>
export function flow(
  name: string,
  fn: (parameters: never) => unknown,
  options: FlowOptions & { readonly parameters?: StandardSchemaV1 } = {},
): Flow<unknown[], unknown> {
  checkFlow(name, fn, options)
  const door = workerDoor()
  if (door) return door.flow(name, fn) as Flow<unknown[], unknown>
  const definition: FlowDefinition = {
    name,
    fn,
    file: callSite(flow).file,
    description: options.description,
    version: options.version,
    tags: options.tags ?? [],
    executor: executorOf(name, options.executor ?? ConcurrentExecutor),
    schema: options.parameters,
    timeoutMs: options.timeoutMs,
    retries: options.retries ?? 0,
    retryDelayMs: options.retryDelayMs ?? 0,
    retryIf: options.retryIf,
    logLevel: options.logLevel,
    runName: undefined,
    waitFor: undefined,
    signal: undefined,
    idempotencyKey: undefined,
    occasion: undefined,
  }
  const made = makeFlow(definition, engineOf(name, options.engine))
  byPlace.set(placeOf(definition.file, name), new WeakRef(definition))
  loads.getStore()?.defined(made)
  return made
}

const definitions = new WeakMap<object, { readonly definition: FlowDefinition; readonly engine: Engine | undefined }>()

/** Flows by file and name. Of several that a file has made under one name, the last. */
const byPlace = new Map<string, WeakRef<FlowDefinition>>()

function placeOf(file: string | undefined, name: string): string {
  return JSON.stringify([file, name])
}

/** The flow of that name that a file has defined in this process, as far as anybody still holds it. */
export function definitionIn(file: string | undefined, name: string): FlowDefinition | undefined {
  const place = placeOf(file, name)
  const definition = byPlace.get(place)?.deref()
  if (!definition) byPlace.delete(place)
  return definition
}

/** What is behind a flow; `undefined` if the value is none. Also for flows of another copy of this library: none of ours. */
export function definitionOf(value: unknown): { definition: FlowDefinition; engine: Engine | undefined } | undefined {
  return typeof value === 'function' ? definitions.get(value) : undefined
}

/** Whether `value` is a flow. */
export function isFlow(value: unknown): value is Flow<unknown[], unknown> {
  return definitionOf(value) !== undefined
}

function makeFlow(definition: FlowDefinition, engine: Engine | undefined): Flow<unknown[], unknown> {
  const call = (...parameters: unknown[]) => callFlow(definition, engine, parameters)
  const made = Object.defineProperties(call, {
    name: { value: definition.name },
    fn: { value: definition.fn },
    with: { value: (options: FlowCallOptions) => makeFlow(...change(definition, engine, options)) },
  }) as unknown as Flow<unknown[], unknown>
  definitions.set(made, { definition, engine })
  return made
}

function change(
  definition: FlowDefinition,
  engine: Engine | undefined,
  options: FlowCallOptions,
): [FlowDefinition, Engine | undefined] {
  const { name } = definition
  checkCall(name, options)
  const { name: runName, executor, engine: other, ...rest } = options
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const changed = {
    ...definition,
    ...given,
    executor: executor === undefined ? definition.executor : executorOf(name, executor),
    runName: runName ?? definition.runName,
  }
  return [changed, engineOf(name, other) ?? engine]
}

/** What a file does that is loaded for its flows only. */
export interface Loading {
  defined(flow: Flow<unknown[], unknown>): void
  called(flowName: string): void
  deployed?(deployment: Deployment): void
  served?(): void
}

const loads = new AsyncLocalStorage<Loading>()

/**
 * Calls `load`, which imports a file for its flows only: flows that it calls at the top level, then or later, are inert.
 * Flows that run meanwhile are not touched.
 */
export function whileLoading<T>(loading: Loading, load: () => T): T {
  return loads.run(loading, load)
}

/** What loads the file whose code runs now, if it is loaded for its flows only. */
export function loadInProgress(): Loading | undefined {
  return loads.getStore()
}

/** While a file is loaded for its flows only: the future of a call of a flow, which never settles. */
function inertCall(flowName: string): FlowFuture<never> | undefined {
  const loading = loads.getStore()
  if (!loading) return undefined
  const never = new Promise<never>(() => {})
  const state = states.pending(Date.now())
  const asked = { kind: 'flow-run' as const, id: '', name: flowName, state, wait: () => never, result: () => never }
  loading.called(flowName)
  return Object.assign(never, { ...asked, cancel: () => never })
}

/** What a call of a flow does: starts a run of it on `engine`, or on that of the flow run around the call. */
export function callFlow(
  definition: FlowDefinition,
  engine: Engine | undefined,
  parameters: readonly unknown[],
): FlowFuture<unknown> {
  const scope = currentScope()
  if (scope.task) {
    const where = `Flow '${definition.name}' was called inside task '${scope.taskName}'`
    throw new MintakaError('FLOW_IN_TASK', `${where}; flows run on the main thread. Call it from a flow.`, {
      flow: definition.name,
    })
  }
  if (!scope.flow) {
    const inert = inertCall(definition.name)
    if (inert) return inert
    return (engine ?? defaultEngine()).start(definition, parameters.slice(0, 1), scope).future as FlowFuture<unknown>
  }
  scope.flow.admit('Flow', definition.name, scope.attempt)
  if (engine && engine !== scope.flow.engine) {
    const fix = 'A subflow runs on the engine of the flow around it: leave the option out, or call it at the top level.'
    throw new MintakaError('OTHER_ENGINE', `Flow '${definition.name}' names another engine. ${fix}`, {
      flow: definition.name,
    })
  }
  return scope.flow.engine.start(definition, parameters.slice(0, 1), scope).future as FlowFuture<unknown>
}
