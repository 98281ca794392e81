import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Annotations } from '../core/annotations.js'
import type { Dependence } from '../core/dependence.js'
import type { Executor, TaskCode } from '../core/executor.js'
import type { RunFuture } from '../core/future.js'
import type { LogLevel } from '../core/logger.js'
import type { RetryPolicy } from '../core/retry.js'
import type { DefinitionPlace } from './certainty.js'

/** What a cache key function may look at. */
export interface CacheKeyContext {
  /** Name of the task. */
  readonly taskName: string
  /** Tells the task from all others: file relative to the project, name, declared tags. */
  readonly taskKey: string
  /** Name of the flow that calls it. */
  readonly flowName: string
  /** Those of the run. */
  readonly tags: readonly string[]
}

/** What a task is to the engine: its code, and options with their defaults in place. */
export interface TaskDefinition extends RetryPolicy {
  readonly name: string
  readonly code: TaskCode
  /** Where it was made; `undefined` for what is told by a reference. */
  readonly place: DefinitionPlace | undefined
  /** Finds out what its function depends on; `undefined`: nobody can tell. */
  readonly dependence: (code: TaskCode) => Promise<Dependence | undefined>
  readonly description: string | undefined
  readonly tags: readonly string[]
  readonly annotations: Annotations | undefined
  readonly timeoutMs: number | undefined
  readonly cacheKey: 'inputs' | ((context: CacheKeyContext, args: readonly unknown[]) => string | undefined) | undefined
  readonly cacheForMs: number | undefined
  readonly persistResult: boolean | undefined
  /** Options of one call, set by `.with()`. */
  readonly runName: string | undefined
  readonly waitFor: readonly RunFuture<unknown>[] | undefined
  readonly signal: AbortSignal | undefined
}

/** What a flow is to the engine. */
export interface FlowDefinition extends RetryPolicy {
  readonly name: string
  readonly fn: (parameters: never) => unknown
  /** The file that defines it, if it is in one. */
  readonly file: string | undefined
  readonly description: string | undefined
  readonly version: string | undefined
  readonly tags: readonly string[]
  readonly executor: Executor
  readonly schema: StandardSchemaV1 | undefined
  readonly timeoutMs: number | undefined
  readonly logLevel: LogLevel | undefined
  /** Options of one call, set by `.with()`. */
  readonly runName: string | undefined
  readonly waitFor: readonly RunFuture<unknown>[] | undefined
  readonly signal: AbortSignal | undefined
  readonly idempotencyKey: string | undefined
  /** Of which deployment it is a run, and when it was to begin, if it was scheduled. */
  readonly occasion: { readonly deployment: string; readonly scheduledTime?: number | undefined } | undefined
}
