/**
 * The front door: everything a user may import from `mintaka`, and nothing else.
 *
 * @module mintaka
 */

export type { Annotations } from './core/annotations.js'
export type { FlowContext, TaskContext } from './core/context.js'
export type { CallGroup, DivergenceReport } from './core/divergence.js'
export type { Document, Documents } from './core/documents.js'
export { type ErrorCode, type ErrorDetails, isMintakaError, MintakaError } from './core/errors.js'
export type { EngineEvent } from './core/event.js'
export type {
  Call,
  CallSeries,
  Executor,
  ExecutorOption,
  ExecutorSession,
  ExecutorSurroundings,
  Outcome,
  StopListener,
  TaskCode,
  TaskSource,
} from './core/executor.js'
export type { Distribution, ExecutorStats } from './core/executor-stats.js'
export {
  type AllowFailure,
  type Arg,
  type Args,
  allowFailure,
  type FlowFuture,
  type MapArgs,
  type RunFuture,
  type TaskFuture,
  type Unmapped,
  unmapped,
  type WaitOptions,
} from './core/future.js'
export { HeldResult } from './core/held-result.js'
export type { LogEntry, Logger, LogLevel } from './core/logger.js'
export { PendingResult } from './core/pending-result.js'
export { type ExponentialOptions, exponential, type RetryDelay, type RetryPolicy } from './core/retry.js'
export type { Rule, Transition, Verdict } from './core/rules.js'
export type { FlowRun, Run, RunInput, TaskRun } from './core/run.js'
export {
  type AwaitingRetry,
  type Cancelling,
  isSettled,
  isState,
  isTerminal,
  type NotReady,
  type Pending,
  type Running,
  type Scheduled,
  type SettledState,
  type State,
  type StateName,
  type StateType,
  type TerminalState,
} from './core/state.js'
export type {
  Ack,
  BriefTaskRun,
  CacheEntry,
  Claim,
  Codec,
  Command,
  FlowRunFilter,
  NotPersisted,
  StateOptions,
  Store,
  StoredRun,
  StoreSurroundings,
} from './core/store.js'
export type { Surroundings } from './core/surroundings.js'
export { createEngine, type Engine, type EngineOptions, type ResumeOptions } from './create-engine.js'
export type { CatchUpPolicy, OverlapPolicy } from './deployments/decide.js'
export { type Deployment, type DeploymentOptions, deployment, type Limits } from './deployments/deployment.js'
export type { Deployments, RunRequest } from './deployments/deployments.js'
export type { DeploymentRecord, ScheduledRun, Taker } from './deployments/record.js'
export {
  type CronSchedule,
  type IntervalSchedule,
  nextOccurrences,
  type RRuleSchedule,
  type Schedule,
} from './deployments/schedule.js'
export type { CacheKeyContext } from './engine/definitions.js'
export { annotate, flowContext, tags, taskContext } from './engine/scope.js'
export { ConcurrentExecutor, type ConcurrentOptions } from './executors/concurrent.js'
export { DaskExecutor } from './executors/dask/dask.js'
export type {
  AdaptLimits,
  Cluster,
  ClusterOptions,
  DaskOptions,
  ExistingClusterOptions,
  MakeCluster,
  TemporaryClusterOptions,
  TlsOptions,
} from './executors/dask/options.js'
export { ParallelExecutor, type ParallelOptions } from './executors/parallel.js'
export { SequentialExecutor } from './executors/sequential.js'
export type { InProcessOptions } from './executors/strict.js'
export { type Final, type Flow, type FlowCallOptions, type FlowEngine, type FlowOptions, flow, isFlow } from './flow.js'
export { type ServeOptions, type Service, serve } from './serve.js'
export { Cancelled, Completed, type Crashed, Failed } from './states.js'
export { JsonStore, type JsonStoreOptions } from './store/json.js'
export { MemoryStore } from './store/memory.js'
export type { Pruned, PruneOptions, Removed } from './store/prune.js'
export { type Task, type TaskCallOptions, type TaskOptions, task } from './task.js'
export { transfer } from './values/transfer.js'
