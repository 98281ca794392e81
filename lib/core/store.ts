import type { Documents } from './documents.js'
import type { LogEntry } from './logger.js'
import type { FlowRun, Run, TaskRun } from './run.js'
import type { Completed, State, StateName, StateType } from './state.js'

/** `undefined`: stored already. A promise: stored when it resolves; it rejects with STORE_WRITE_FAILED. */
export type Ack = Promise<void> | undefined

/**
 * Where runs are remembered. The engine writes every run and every state, in order, and acknowledges a state to nobody
 * before its {@link Ack}. A store keeps values by the codec it is given, so that it needs to know none of their types.
 * `storeSuite` of `mintaka/testing` proves an implementation.
 */
export interface Store {
  /** For logs: `json`, `memory`. */
  readonly name: string
  /** Nothing can be read back: what is only needed for that is not worth making. */
  readonly keepsNothing?: boolean
  /**
   * While nothing can be written, for want of room perhaps: a promise that resolves when it can be again, or when the store
   * is closed. What is given to the store meanwhile is kept and written then, and its acknowledgements wait; the engine
   * begins no task run and no flow run until then. A store that has no such thing refuses each write by itself.
   */
  readonly degraded?: Promise<void> | undefined
  /** Called once before anything else. Makes what is missing; rejects with STORE_OPEN_FAILED or STORE_FORMAT. */
  open(surroundings: StoreSurroundings): Promise<void>
  /**
   * Writes what is pending and gives everything back. Rejects with STORE_WRITE_FAILED if something could not be saved, and
   * says how much and of which runs; acknowledgements that were waited for reject too. `abandoned`: runs that have not ended
   * will not be carried on; who opens the store next ends them, as those of a process that has died.
   */
  close(options?: { readonly abandoned?: boolean | undefined }): Promise<void>
  /** The process ends now: the same at once, as far as nothing has to be awaited. Throws nothing. */
  leave?(): void

  /**
   * A new flow run with its first state. Written before any of its task runs. `options.parameters`: what it was called
   * with, kept whole, so that another run can continue this one.
   */
  createFlowRun(run: FlowRun, options?: { readonly parameters?: unknown }): Ack
  /** A new task run with its first state. */
  createTaskRun(run: TaskRun): Ack
  /**
   * A state that `run` has just entered (`run.state === state`). `options.persist === false`: a result is not kept, only
   * that there was one. `options.parameters`: what a flow run was called with, if that was not known when it was created.
   */
  appendState(run: Run, state: State, options?: StateOptions): Ack
  /** A line of a run's log. */
  appendLog(entry: LogEntry): void

  /** Flow runs, newest first. */
  listFlowRuns(filter?: FlowRunFilter): Promise<StoredRun<FlowRun>[]>
  /** By its whole id, with what it was called with. `undefined`: there is none. */
  getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined>
  /** The task runs of a flow run, in call order. */
  listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]>
  /** By its whole id. `undefined`: there is none. */
  getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined>
  /** The same in few bytes, for flow runs with a great many: without their histories, results read when asked for. */
  listTaskRunsBriefly?(flowRunId: string): Promise<BriefTaskRun[]>
  /** In the order in which they were written. */
  listLogs(flowRunId: string): Promise<LogEntry[]>

  /** The newest entry under a cache key, expired or not. */
  getCached(key: string): CacheEntry | undefined | Promise<CacheEntry | undefined>
  /** Keeps an entry in place of the one before. It may refuse a result that cannot be kept: then there is none. */
  putCached(key: string, entry: CacheEntry): void | Promise<void>

  /**
   * Exclusive create, among all processes that share the store: one caller gets the claim, all others learn its value.
   * For idempotency keys and schedule occurrences. `options.after`: the generation of a claim that was orphaned before
   * anything came of it; the one caller who gets the next generation has the claim.
   */
  claim(key: string, value: string, options?: { readonly after?: number }): Promise<Claim>
  /** Gives a claim back that nothing has come of: it counts as orphaned. */
  unclaim(key: string, generation: number): Promise<void>
  /** Ends the runs of owners that have died since the store was opened, as opening it does. */
  recover?(): Promise<void>
  /** Needed for deployments only. */
  readonly documents?: Documents

  /** Leaves a command in the inbox of the engine that owns a run. */
  post(owner: string, command: Command): Promise<void>
  /** Takes the commands out of an inbox, in the order in which they were posted. */
  takePosted(owner: string): Promise<Command[]>
}

/** What goes with a state. */
export interface StateOptions {
  /** `false`: the result is not kept, only that there was one. */
  readonly persist?: boolean | undefined
  /** What a flow run was called with, if that was not known when it was created. */
  readonly parameters?: unknown
}

/** Who has claimed a key. */
export interface Claim {
  /** What the claimer gave: the caller's own value if `isNew`. */
  readonly value: string
  /** Whether the caller has got it just now. */
  readonly isNew: boolean
  /** How often it has been claimed, from 1. */
  readonly generation: number
  /** Whether its claimer has died for certain, or has given it back. What it did before stays done. */
  readonly isOrphaned: boolean
}

/** What a store is given when it is opened. */
export interface StoreSurroundings {
  /** Id of the engine that writes. */
  readonly owner: string
  /** How values become text, and come back. */
  readonly codec: Codec
  /** Nothing will be written: nothing is made, recovered or cut; a store that does not exist reads as empty. */
  readonly readOnly?: boolean | undefined
  /** Told when the store becomes {@link Store.degraded}: why and what to do about it, and the promise. */
  readonly onDegraded?: ((reason: string, over: Promise<void>) => void) | undefined
  /** Told of what a store does by itself: recovery, a failed write. */
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Values as JSON text, with tags for what JSON lacks. */
export interface Codec {
  /**
   * Throws NOT_SENDABLE naming the path of what cannot be kept. A text that would be longer than `limit`, in characters,
   * need not be made: then it may throw an error that says how large it is.
   */
  encode(value: unknown, limit?: number): string
  /** The value that was encoded. */
  decode(text: string): unknown
  /** A value as it is now, for who keeps values and not texts: what is data in it is copied. */
  copy?(value: unknown): unknown
}

/** A run as a store gives it: a copy, with its history. */
export interface StoredRun<R extends Run = Run> {
  /** Its record, as it is in the store. */
  readonly run: Readonly<R>
  /** Every state it has been in, in order. A result that is not kept reads as {@link NotPersisted}. */
  readonly states: readonly State[]
  /** The engine that wrote it. */
  readonly owner: string
  /** Of a flow run that is read by its id: what it was called with. {@link NotPersisted} if that could not be kept. */
  readonly parameters?: unknown
  /** That engine's process has died: the run is lost, and becomes CRASHED when the store is opened for writing next. */
  readonly ownerGone?: true | undefined
}

/** What stands for a result that was not kept: too large, refused by the codec, or not wanted. */
export interface NotPersisted {
  /** Why, for people. */
  readonly notPersisted: string
}

/** What has become of a task run, without its history. */
export interface BriefTaskRun
  extends Pick<
    TaskRun,
    | 'id'
    | 'name'
    | 'taskName'
    | 'taskKey'
    | 'dynamicKey'
    | 'inputs'
    | 'inputHash'
    | 'taskVersion'
    | 'childFlowRunId'
    | 'runCount'
  > {
  /** When it completed, in epoch milliseconds; `undefined`: it has not. */
  readonly completedAt: number | undefined
  /** The run that computed it, if it was taken over. */
  readonly cachedFrom?: string | undefined
  /** Of one that has completed. */
  result(): unknown
}

const markers = new WeakSet<object>()

/** Makes what stands for a result that was not kept. Data of the same shape stays data. */
export function notPersisted(reason: string): NotPersisted {
  const marker = { notPersisted: reason }
  markers.add(marker)
  return marker
}

/** Whether a value is what {@link notPersisted} made. */
export function isNotPersisted(value: unknown): value is NotPersisted {
  return typeof value === 'object' && value !== null && markers.has(value)
}

/** What {@link NotPersisted} says of a value that would take that many characters. */
export function tooLarge(characters: number, limit: number, orMore = ''): string {
  const size = orMore === '' ? mebibytes(characters) : `${mebibytes(characters)} ${orMore}`
  return `too large: ${size}, the limit is ${mebibytes(limit)}`
}

const mebibytes = (characters: number) => `${(characters / 1024 / 1024).toFixed(1)} MiB`

/** Which flow runs are meant. All that is said has to hold. */
export interface FlowRunFilter {
  /** Runs of one of these flows. */
  readonly flowName?: readonly string[] | undefined
  /** Types or names of states, in any case. */
  readonly state?: readonly (StateType | StateName | (string & {}))[] | undefined
  /** Only runs whose id begins with this, or whose name is this. */
  readonly match?: string | undefined
  /** Subflow runs of this flow run. */
  readonly parentFlowRunId?: string | undefined
  /** Ids of deployments whose runs are wanted. */
  readonly deployment?: readonly string[] | undefined
  /** So many at most, the newest ones. */
  readonly limit?: number | undefined
}

/** What is kept under a cache key. */
export interface CacheEntry {
  /** The state in which that run ended, with its result. */
  readonly state: Completed
  /** Epoch milliseconds; none: for ever. */
  readonly expires?: number | undefined
  /** The task run that computed it. */
  readonly runId: string
}

/** What one engine asks another to do. */
export interface Command {
  /** What to do. */
  readonly type: 'cancel'
  /** Id of the flow run that it is about. */
  readonly runId: string
  /** For people. */
  readonly reason?: string | undefined
}

/** What a filter asks about. */
export interface Filterable
  extends Readonly<Pick<FlowRun, 'id' | 'name' | 'flowName' | 'parentFlowRunId' | 'deployment'>> {
  readonly state: Pick<State, 'type' | 'name'>
}

/** Whether a run is one that the filter asks for. */
export function fits(run: Filterable, filter: FlowRunFilter): boolean {
  const { flowName, state, match, parentFlowRunId, deployment } = filter
  if (flowName?.length && !flowName.includes(run.flowName)) return false
  if (match !== undefined && !run.id.startsWith(match) && run.name !== match) return false
  if (parentFlowRunId !== undefined && run.parentFlowRunId !== parentFlowRunId) return false
  if (deployment?.length && !(run.deployment !== undefined && deployment.includes(run.deployment))) return false
  if (!state?.length) return true
  const wanted = state.map(word => word.toLowerCase())
  return wanted.includes(run.state.type.toLowerCase()) || wanted.includes(run.state.name.toLowerCase())
}
