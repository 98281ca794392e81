/**
 * What `mintaka` is inside a worker: tasks run where they are called, flows and engines do nothing. Sent code finds it
 * as a global, so that `import` and `require` give the same thing and no worker loads the engine.
 */
import { errorCodes, isMintakaError, MintakaError } from '../lib/core/errors.js'
import { allowFailure, isFuture, isUnmapped, unmapped, unmappedValue } from '../lib/core/future.js'
import { runInPlace } from '../lib/core/in-place.js'
import { exponential } from '../lib/core/retry.js'
import { isSettled, isState, isTerminal, states } from '../lib/core/state.js'
import { transfer } from '../lib/values/transfer.js'
import { currentCall, taskContext } from './context.js'

type Fn = (...args: unknown[]) => unknown

/** A task as it is in a worker. */
export interface DoorTask {
  (...args: unknown[]): unknown
  readonly fn: Fn
  with(options?: unknown): DoorTask
  map(...lists: unknown[]): unknown[]
}

/** A flow as it is in a worker. */
export interface DoorFlow {
  (params?: unknown): Promise<never>
  readonly fn: Fn
  with(options?: unknown): DoorFlow
}

function makeTask(name: string, fn: Fn): DoorTask {
  const call = (...args: unknown[]): unknown => {
    if (currentCall()) return runInPlace(name, fn, withoutIndex(args, fn))
    const text = `Task '${name}' was called outside any flow. Call it in a flow.`
    throw new MintakaError('TASK_OUTSIDE_FLOW', text, { task: name })
  }
  const task: DoorTask = Object.assign(call, {
    fn,
    with: () => task,
    map: (...lists: unknown[]) => rowsOf(name, lists).map(row => call(...row)),
  })
  return task
}

function makeFlow(name: string, fn: Fn): DoorFlow {
  const call = (): Promise<never> => {
    const inside = currentCall()
    // At the top level of a module a flow is not called for by anybody who waits here.
    if (!inside) return new Promise(() => {})
    throw new MintakaError(
      'FLOW_IN_TASK',
      `Flow '${name}' was called inside task '${inside.taskName}' on a worker; flows run on the main thread. Call it from a flow.`,
      { flow: name, task: inside.taskName },
    )
  }
  const flow: DoorFlow = Object.assign(call, { fn, with: () => flow })
  return flow
}

function fromModule(url: string, exportName: string): DoorTask {
  return makeTask(exportName, async (...args) => {
    const exported: unknown = ((await import(url)) as Record<string, unknown>)[exportName]
    return functionOf(exported)(...args)
  })
}

function python(target: string): DoorTask {
  return makeTask(target, () => {
    throw new MintakaError(
      'INVALID_ARGUMENT',
      `The Python task '${target}' cannot run inside another task. Call it in a flow.`,
    )
  })
}

/** The function of what may be a task. */
export function functionOf(exported: unknown): Fn {
  const { fn } = (exported ?? {}) as { fn?: unknown }
  return (typeof fn === 'function' ? fn : exported) as Fn
}

// `xs.map(aTask)` calls with value, index and array; the task is meant to have the value.
function withoutIndex(args: readonly unknown[], fn: Fn): readonly unknown[] {
  const [value, index, list] = args
  const isMapped =
    args.length === 3 &&
    fn.length < 3 &&
    typeof index === 'number' &&
    Array.isArray(list) &&
    Object.is(list[index], value)
  return isMapped ? [value] : args
}

function rowsOf(name: string, lists: readonly unknown[]): unknown[][] {
  const lengths = new Set(lists.filter(list => !isUnmapped(list)).map(list => (list as unknown[]).length))
  if (lengths.size !== 1) {
    const found = [...lengths].join(', ') || 'none'
    const text = `Task '${name}' is mapped over lists of different lengths (${found}).`
    throw new MintakaError('INVALID_ARGUMENT', text, { task: name })
  }
  const [length = 0] = lengths
  return Array.from({ length }, (_, index) =>
    lists.map(list => (isUnmapped(list) ? unmappedValue(list) : (list as unknown[])[index])),
  )
}

function flowContext(): never {
  const where = currentCall() ? 'inside a task' : 'outside a flow'
  throw new MintakaError('OUTSIDE_RUN', `flowContext() was called ${where}. Call it in the function of a flow.`)
}

/** Stands for engines, executors, stores, deployments and services, so that a line that makes one at the top level of a file does no harm. */
class Inert {
  use(): this {
    return this
  }
  async close(): Promise<void> {}
  async stop(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

export const door = {
  __esModule: true,
  task: Object.assign(makeTask, { fromModule, python }),
  flow: makeFlow,
  taskContext,
  flowContext,
  annotate: (_annotations: unknown, body: () => unknown) => body(),
  tags: (_names: unknown, body: () => unknown) => body(),
  unmapped,
  allowFailure,
  transfer,
  exponential,
  MintakaError,
  isMintakaError,
  errorCodes,
  isFuture,
  isState,
  isTerminal,
  isSettled,
  Completed: (result?: unknown, message?: string) => states.completed(Date.now(), result, message),
  Failed: (error: unknown, message?: string) => states.failed(Date.now(), error, message),
  Cancelled: (error?: unknown, message?: string) => states.cancelled(Date.now(), error, message),
  createEngine: () => new Inert(),
  deployment: () => new Inert(),
  serve: async () => new Inert(),
  SequentialExecutor: Inert,
  ConcurrentExecutor: Inert,
  ParallelExecutor: Inert,
  DaskExecutor: Inert,
  MemoryStore: Inert,
  JsonStore: Inert,
}

/** Puts the door where sent code looks for it. */
export function installDoor(): void {
  const key = Symbol.for('mintaka.door')
  const place = globalThis as { [key]?: typeof door }
  place[key] ??= door
}
