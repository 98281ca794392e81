import type { Annotations } from './annotations.js'
import type { ExecutorStats } from './executor-stats.js'
import type { Logger, LogLevel } from './logger.js'

/**
 * Where tasks run: an inert, reusable definition. It holds no run state, so that overlapping flow runs can share one.
 *
 * To write your own: `start` opens a session for one flow run, `submit` carries one call out and says how it ended, and
 * the session's `[Symbol.asyncDispose]` gives everything back. `executorSuite` of `mintaka/testing` proves it.
 */
export interface Executor {
  /** Shown in logs and recorded with the flow run: `sequential`, `concurrent`, … */
  readonly name: string
  /** Opens a session for one flow run. A rejection leaves it CRASHED: EXECUTOR_FAILED, with the reason as its cause. */
  start(surroundings: ExecutorSurroundings): Promise<ExecutorSession>
}

/** An executor, or its class: then all flows that name the class share one, made with defaults. */
export type ExecutorOption = Executor | (new () => Executor)

/** What a session may know of the flow run it serves. */
export interface ExecutorSurroundings {
  /** Id of the flow run. */
  readonly flowRunId: string
  /** Name of the flow run. */
  readonly flowRunName: string
  /** Writes to the log of the flow run. */
  readonly log: Logger
}

/** Opened when a flow run begins, closed after all its calls have ended and before its terminal state is recorded. */
export interface ExecutorSession extends AsyncDisposable {
  /**
   * `here`: `submit` runs `call.run()` in this process; RUNNING is proposed when it does. `elsewhere`: only what the
   * call carries travels; the verdict on RUNNING is asked before `submit`, and the session says `call.started()`.
   */
  readonly where: 'here' | 'elsewhere'
  /**
   * Carries one call out, never before it returns. Resolves with how the call ended, when its code has ended or was
   * stopped; what the code threw is an outcome. A rejection means that the executor itself failed: the run becomes
   * CRASHED. A session may return nothing, which costs no promise per call: one that is `here` has no more to say, the
   * call ends as `call.run()` ends; one that is `elsewhere` says `call.ended(outcome)`.
   */
  submit(call: Call): Promise<Outcome> | undefined
  /**
   * Whether a call may be submitted before those that it needs the results of have ended, for sessions that are
   * `elsewhere` and keep results there. Its `upstream` then lists them, its arguments hold a `PendingResult` for each, or
   * a `HeldResult` of this session. If one of them does not complete, whatever the session says of the call counts for
   * nothing: the run rests in NotReady.
   */
  readonly joins?: boolean
  /**
   * Sessions that serve strictly one after another give turns: asked for in call order, for tasks and subflows alike,
   * before their inputs are waited for. The run keeps its turn to its end, retry delays included, then calls the function.
   */
  turn?(): Promise<() => void>
  /**
   * How its calls went, asked at any time; asked last when the session is about to be closed, and kept with the flow run.
   * `undefined` if there is nothing to tell.
   */
  stats?(): ExecutorStats | undefined
}

/** How a call ended. */
export type Outcome =
  /** With its value, or with a `HeldResult` of the session that carried it out. */
  | { readonly type: 'returned'; readonly value: unknown }
  /** User code threw, or what it returned cannot be sent. */
  | { readonly type: 'threw'; readonly error: unknown }
  /** What ran it was lost. */
  | { readonly type: 'crashed'; readonly error: unknown }
  /** `call.signal` fired, and the code has stopped. */
  | { readonly type: 'stopped' }

/** One attempt of one task run, as an executor sees it. */
export interface Call {
  /** Id of the task run. */
  readonly id: string
  /** Name of the task run. */
  readonly name: string
  /** From 1. */
  readonly attempt: number
  /** Id of the flow run that it belongs to. */
  readonly flowRunId: string
  /** For an id and a name that differ from those of other calls by their last number alone: so thousands travel as one. */
  readonly series?: CallSeries | undefined
  /** The id is `series.id` followed by this. */
  readonly idNumber?: number
  /** The name is `series.name` followed by this. */
  readonly nameNumber?: number
  /** Those of the run. */
  readonly tags: readonly string[]
  /** What is to be run. */
  readonly task: TaskCode
  /** The arguments, with the values of futures in place. */
  readonly args: readonly unknown[]
  /**
   * Objects among the arguments that other calls may be given too: results of upstream runs, `unmapped` values. A session
   * that is `elsewhere` may send each of them once.
   */
  readonly shared?: readonly object[] | undefined
  /** Calls that this session was given, that have not ended, and that this one comes after. */
  readonly upstream?: readonly Call[] | undefined
  /** Hints: what the executor knows of them it heeds. */
  readonly annotations: Annotations | undefined
  /** The deadline of this attempt in milliseconds, counted from its start. */
  readonly timeoutMs: number | undefined
  /** Fires when the run is cancelled or out of time. Made when it is first asked for. */
  readonly signal: AbortSignal
  /** Calls back when `signal` fires, or now if it has: what a session needs of it, without making one per call. */
  whenStopped(listener: StopListener): void
  /**
   * Runs the function in this process, with `args` in the place of the call's own if given. Never throws and never
   * rejects. For sessions that are `here`; the slot is free again when it has ended.
   */
  run(args?: readonly unknown[]): Outcome | Promise<Outcome>
  /** Says that a worker has begun, at that time (epoch milliseconds; default now). For sessions that are `elsewhere`. */
  started(at?: number): void
  /**
   * Says how the call ended, when its code has ended or was stopped: exactly once, after `submit` has returned nothing. A
   * second time is not heard. For sessions that are `elsewhere`.
   */
  ended(outcome: Outcome): void
  /** Writes to the run's log, for code that runs elsewhere. */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, at?: number): void
  /**
   * Keeps in the run's log what code that runs elsewhere has printed by itself. Whoever carries the call out has printed
   * it here too: the logger is not told.
   */
  printed(level: LogLevel, text: string, at?: number): void
  /** Passes `taskContext().progress()` on, for code that runs elsewhere. */
  progress(fraction: number, note?: string): void
}

/** What is called when a call shall stop: an object costs no closure for each of a hundred thousand calls. */
export type StopListener = (() => void) | { onStop(): void }

/** What ids and names of the calls of one task in one flow run begin with: one object for all of them. */
export interface CallSeries {
  /** What the ids begin with. */
  readonly id: string
  /** What the names begin with. */
  readonly name: string
}

/** What is known of a task's code: enough to run it here, and to find it in its file and send it. */
export interface TaskCode {
  /** The name of the task. */
  readonly name: string
  /** The function. By-reference tasks (`task.fromModule`) import it when they are first run here. */
  readonly fn: (...args: never[]) => unknown
  /** How to find it elsewhere. */
  readonly source: TaskSource
}

/**
 * Where the code of a task is. `slice`: in a file, and is cut out of it when it travels, with the `files` that it reads.
 * `module`: workers import `url` and call its `exportName`. `python`: Python workers call `target`.
 */
export type TaskSource =
  | {
      readonly type: 'slice'
      /** Path of the file that calls `task(…)`, or what the runtime says instead (`[eval]`, `REPL1`). */
      readonly file: string | undefined
      /** Modification time and size of the file when the task was defined, as `mtimeMs:size`. */
      readonly stamp: string | undefined
      /** Local values that travel with the code. */
      readonly captures: Readonly<Record<string, unknown>> | undefined
      /** Packages that are installed on the workers, and files that travel (Dask). */
      readonly external: readonly string[]
      readonly files: readonly string[]
    }
  | { readonly type: 'module'; readonly url: string; readonly exportName: string }
  /** A Python function, `package.module:function`. Its `fn` throws NEEDS_DASK. */
  | { readonly type: 'python'; readonly target: string }
