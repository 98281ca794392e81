/** A task as the client sends it. */
export interface GraphTask {
  /** Unique for ever: a scheduler that still knows a key does not run it again. See {@link taskKey}. */
  readonly key: string
  readonly call: NodeCall | PythonCall
}

/** Carried out by a Node worker, which knows what the payload means. */
export interface NodeCall {
  readonly type: 'node'
  readonly payload: Uint8Array
  /** Keys that it comes after; the payload says what for. */
  readonly deps: readonly string[]
}

/**
 * Carried out by a Python worker: it unpickles `pickle` with the values of `deps` as its buffers, in order. Those that
 * are left over are keys that it merely comes after.
 */
export interface PythonCall {
  readonly type: 'python'
  readonly pickle: Uint8Array
  readonly deps: readonly string[]
}

/** What Dask is told of where and when tasks run. Sent as they are: the names are the scheduler's. */
export interface WireAnnotations {
  readonly priority?: number
  readonly retries?: number
  /** Addresses, names or hosts. */
  readonly workers?: readonly string[]
  readonly allow_other_workers?: true
  readonly resources?: Readonly<Record<string, number>>
}

/** How a range of schedulers wants to be spoken to. */
export interface Dialect {
  readonly name: 'msgpack' | 'hlg' | 'expr'
  /** The message that submits tasks which share their annotations. */
  updateGraph(tasks: readonly GraphTask[], annotations: WireAnnotations): Record<string, unknown>
  /** The message that cancels keys; `undefined`: it is asked by an RPC. */
  cancelKeys(keys: readonly string[]): Record<string, unknown> | undefined
  /** Fields of the RPC `identity`, so that it lists all workers. */
  readonly identityFields: Readonly<Record<string, unknown>>
}

/**
 * A key that the dashboard groups under the name of the task. `id` is made unique by its caller, and begins with
 * something that is no word: Dask takes words of letters alone for a part of the name.
 */
export function taskKey(name: string, id: string): string {
  return `${name}-0${id}`
}
