import { callTask, mapTask } from './call-task.js'
import { type Annotations, checkAnnotations, mergeAnnotations } from './core/annotations.js'
import type { Dependence } from './core/dependence.js'
import { workerDoor } from './core/door.js'
import { MintakaError } from './core/errors.js'
import type { TaskCode, TaskSource } from './core/executor.js'
import type { Args, MapArgs, RunFuture, TaskFuture } from './core/future.js'
import { needsDask } from './core/needs-dask.js'
import { check, checkOptions } from './core/options.js'
import type { RetryDelay } from './core/retry.js'
import { withTaskCode } from './core/task-code.js'
import { DefinitionPlace } from './engine/certainty.js'
import type { CacheKeyContext, TaskDefinition } from './engine/definitions.js'
import { type CallSite, callSite } from './shipping/locate.js'

/** Options of a task. Times are milliseconds. */
export interface TaskOptions {
  /** Attempts after the first, for failures, timeouts and crashes alike. Default 0. */
  readonly retries?: number | undefined
  /** Between attempts: a number, one per attempt (the last repeats), or a function; `exponential()` makes one. Default 0. */
  readonly retryDelayMs?: RetryDelay | undefined
  /** Asked with what an attempt threw; false ends the run. */
  readonly retryIf?: ((error: unknown, attempt: number) => boolean) | undefined
  /**
   * How long one attempt may take, counted from its start. On threads the code is stopped; what runs in this process
   * cannot be: the run fails, and its slot stays taken until the code ends.
   */
  readonly timeoutMs?: number | undefined
  /**
   * Takes the result of an earlier run with the same key. `'inputs'`: made of the task, its code and its arguments. A
   * function makes its own; `undefined` from it means: not this time. Keys are global to the store.
   */
  readonly cacheKey?:
    | 'inputs'
    | ((context: CacheKeyContext, args: readonly unknown[]) => string | undefined)
    | undefined
  /** How long a cached result is good, counted from its completion. Default: for ever. */
  readonly cacheForMs?: number | undefined
  /** Whether the store keeps the result. Default true. */
  readonly persistResult?: boolean | undefined
  /** For people, for `limits` of an executor, and a part of what tells tasks apart. */
  readonly tags?: readonly string[] | undefined
  /** Hints for the executor: `{ priority, resources }`. */
  readonly annotations?: Annotations | undefined
  /** For people. */
  readonly description?: string | undefined
  /** Local values that travel with the code to a worker: `{ captures: { k } }`. */
  readonly captures?: Readonly<Record<string, unknown>> | undefined
  /** Files or folders that travel to remote workers, relative to the file of the task: `['./words.json']`. */
  readonly files?: readonly string[] | undefined
  /** Packages that are installed on remote workers and do not travel, such as native ones: `['sharp']`. */
  readonly external?: readonly string[] | undefined
}

/** Options of `.with()`: those of the task, and some for the calls it is used for. */
export interface TaskCallOptions extends TaskOptions {
  /** Runs to wait for, whose values are not arguments. */
  readonly waitFor?: readonly RunFuture<unknown>[] | undefined
  /** Name of the task run. */
  readonly name?: string | undefined
  /** Cancels the run when it fires. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A function whose every call is tracked, retried, cached and handed to the executor of the flow run around it. A call
 * gives a future at once; each argument may be a future, or hold futures at any depth of arrays, plain objects, Maps and
 * Sets.
 */
export interface Task<A extends unknown[], R> {
  /**
   * Starts a run of it in the flow run around the call. Throws TASK_OUTSIDE_FLOW, FLOW_RUN_ENDED; in a flow run that is to
   * stop, CANCELLED or TIMED_OUT. What goes wrong later is told by the future. In another task it runs in place, as `fn`
   * does.
   */
  (...args: Args<A>): TaskFuture<Awaited<R>>
  /** Its name, as it was given. */
  readonly name: string
  /**
   * A call per element: lists are taken side by side, `unmapped(value)` is passed whole to each. Throws as a call does, and
   * INVALID_ARGUMENT for lists of different lengths.
   */
  map(...lists: MapArgs<A>): TaskFuture<Awaited<R>>[]
  /** The same task with some options changed; annotations are merged. Throws INVALID_OPTION or INVALID_ANNOTATION. */
  with(options: TaskCallOptions): Task<A, R>
  /** The plain function: for unit tests, and for synchronous calls inside a task. */
  readonly fn: (...args: A) => R
}

/**
 * Makes a task of a function. `name` is a string literal, unique in its file: workers find the code by it.
 *
 * ```ts
 * const square = task('square', (x: number) => x * x, { retries: 2 })
 * ```
 *
 * Throws INVALID_ARGUMENT, INVALID_OPTION or INVALID_ANNOTATION at once.
 */
export function task<const N extends string, A extends unknown[], R>(
  name: string extends N ? never : N,
  fn: (...args: A) => R,
  options?: TaskOptions,
): Task<A, R> {
  checkName(name, fn)
  const door = workerDoor()
  if (door) return door.task(name, fn) as Task<A, R>
  const site = callSite(task)
  const { file, stamp } = site
  const { captures, files = [], external = [] } = checkTaskOptions(name, options) ?? {}
  const source = { type: 'slice', file, stamp, captures, files, external } as const
  return makeTask<A, R>(define(name, fn, source, options, placeOf(site, name, fn)))
}

/**
 * A task by reference: workers import the module and call its export. For code that cannot be sliced: modules with state
 * of their own, native packages, custom loaders. The module's top level runs once in every worker.
 *
 * Throws INVALID_ARGUMENT, INVALID_OPTION or INVALID_ANNOTATION at once. A module without that export fails the run:
 * NOT_FOUND.
 */
task.fromModule = <A extends unknown[], R>(url: string, exportName: string, options?: TaskOptions): Task<A, R> => {
  if (typeof url !== 'string' || !/^(file|node|data):/.test(url) || typeof exportName !== 'string') {
    const usage = "Write task.fromModule(import.meta.url, 'exportName')."
    throw new MintakaError(
      'INVALID_ARGUMENT',
      `task.fromModule takes the URL of a module and the name of an export. ${usage}`,
    )
  }
  checkTaskOptions(exportName, options)
  const fn = async (...args: A): Promise<Awaited<R>> => {
    const module = (await import(url)) as Record<string, unknown>
    const exported = module[exportName]
    if (typeof exported !== 'function') {
      const names = Object.keys(module).join(', ')
      throw new MintakaError('NOT_FOUND', `${url} exports no function '${exportName}'. It exports: ${names}.`)
    }
    const plain = 'fn' in exported && typeof exported.fn === 'function' ? exported.fn : exported
    return (await plain(...args)) as Awaited<R>
  }
  return makeTask<A, R>(define(exportName, fn, { type: 'module', url, exportName }, options)) as Task<A, R>
}

/**
 * A Python function as a task, for flows on a `DaskExecutor`: `task.python<[number], number>('math:factorial')`. Python
 * workers of the cluster import the module and call it; `package.module:Class.method` is fine. Its result can be the
 * argument of tasks in JavaScript, and theirs of it; what JavaScript cannot read stays on the cluster and is passed on.
 * What it raises arrives as an error with Python's type as `name`, its arguments and its traceback.
 *
 * Throws INVALID_ARGUMENT. Called on another executor, its run fails with NEEDS_DASK.
 */
task.python = <A extends unknown[], R>(target: string, options?: TaskOptions & { name?: string }): Task<A, R> => {
  const { name: given, ...others } = options ?? {}
  const match = typeof target === 'string' ? /^[\w.]+:((?:\w+\.)*(\w+))$/.exec(target) : null
  if (!match) {
    throw new MintakaError(
      'INVALID_ARGUMENT',
      "task.python takes 'package.module:function', as in task.python('math:factorial').",
    )
  }
  const name = given ?? (match[2] as string)
  checkTaskOptions(name, others)
  const fn = (..._args: A): R => {
    throw needsDask(name, target)
  }
  return makeTask<A, R>(define(name, fn, { type: 'python', target }, others))
}

function define(
  name: string,
  fn: (...args: never[]) => unknown,
  source: TaskSource,
  options: TaskOptions = {},
  place?: DefinitionPlace,
): TaskDefinition {
  return {
    name,
    code: { name, fn, source },
    place,
    dependence,
    description: options.description,
    retries: options.retries ?? 0,
    retryDelayMs: options.retryDelayMs ?? 0,
    retryIf: options.retryIf,
    timeoutMs: options.timeoutMs,
    cacheKey: options.cacheKey,
    cacheForMs: options.cacheForMs,
    persistResult: options.persistResult,
    tags: options.tags ?? [],
    annotations: options.annotations,
    runName: undefined,
    waitFor: undefined,
    signal: undefined,
  }
}

const places = new Map<string, DefinitionPlace>()

function placeOf({ file, position }: CallSite, name: string, fn: object): DefinitionPlace {
  const key = `${position}:${file}:${name}`
  const known = places.get(key)
  if (known) known.add(fn)
  else places.set(key, new DefinitionPlace(fn))
  return known ?? (places.get(key) as DefinitionPlace)
}

async function dependence(code: TaskCode): Promise<Dependence | undefined> {
  const { dependenceOf } = await import('./shipping/index.js')
  return dependenceOf(code)
}

function makeTask<A extends unknown[], R>(definition: TaskDefinition): Task<A, R> {
  const call = (...args: unknown[]) => callTask(definition, args)
  return Object.defineProperties(call, {
    name: { value: definition.name },
    fn: { value: definition.code.fn },
    with: { value: (options: TaskCallOptions) => makeTask<A, R>(change(definition, options)) },
    map: { value: (...lists: unknown[]) => mapTask(definition, lists) },
    ...withTaskCode(definition.code),
  }) as unknown as Task<A, R>
}

function change(definition: TaskDefinition, options: TaskCallOptions): TaskDefinition {
  checkOptions(`task '${definition.name}'`, options, { ...taskChecks, ...callChecks })
  const { name, annotations, captures, files, external, ...rest } = options
  if (annotations) checkAnnotations(annotations)
  const { source } = definition.code
  const moved = captures || files || external
  const code =
    moved && source.type === 'slice'
      ? {
          ...definition.code,
          source: {
            ...source,
            captures: captures ?? source.captures,
            files: files ?? source.files,
            external: external ?? source.external,
          },
        }
      : definition.code
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return {
    ...definition,
    ...given,
    code,
    annotations: mergeAnnotations(definition.annotations, annotations),
    runName: name ?? definition.runName,
  }
}

const taskChecks = {
  retries: check.count,
  retryDelayMs: check.delay,
  retryIf: check.function,
  timeoutMs: check.milliseconds,
  cacheKey: (value: unknown) =>
    value === 'inputs' || typeof value === 'function' ? undefined : "'inputs' or a function",
  cacheForMs: check.milliseconds,
  persistResult: check.boolean,
  tags: check.strings,
  annotations: check.object,
  description: check.string,
  captures: check.object,
  files: check.strings,
  external: check.strings,
}
const callChecks = { waitFor: check.futures, name: check.string, signal: check.signal }

function checkTaskOptions(name: string, options: TaskOptions | undefined): TaskOptions | undefined {
  checkOptions(`task '${name}'`, options, taskChecks)
  if (options?.annotations) checkAnnotations(options.annotations)
  return options
}

function checkName(name: unknown, fn: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw new MintakaError('INVALID_ARGUMENT', "A task begins with its name: task('name', fn).")
  }
  if (typeof fn !== 'function') {
    throw new MintakaError('INVALID_ARGUMENT', `task('${name}', …) has no function. Write task('${name}', fn).`, {
      task: name,
    })
  }
}
