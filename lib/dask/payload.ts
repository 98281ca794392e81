import { deserialize, serialize } from 'node:v8'
import type { LogLevel } from '../core/logger.js'

/**
 * What a Node worker is asked to do. To Dask it is opaque: bytes among the arguments of a guard task (see `guard`). A task
 * never names its code or a large value itself, but the Dask keys that hold them, so that they move between workers.
 */
export type Payload = CallPayload | CodePayload | DataPayload

/** One attempt of a task run. */
export interface CallPayload {
  readonly type: 'call'
  /** Of the task run; the Dask key is another thing. */
  readonly id: string
  readonly name: string
  readonly attempt: number
  readonly flowRunId: string
  readonly tags: readonly string[]
  readonly taskName: string
  readonly code: CodeRef
  /**
   * The list of arguments in wire form. A shared value with number n in it stands for the value of `deps[n]`.
   */
  readonly args: unknown
  /** Dask keys whose values are arguments, by number. */
  readonly deps: readonly string[]
  /** The Dask topic on which the worker tells {@link WorkerEvent}s. */
  readonly topic: string
  /** A result whose encoded form is no larger travels to the client with the message that the task has finished. */
  readonly inlineBytes: number
}

/** Where a worker finds the function. */
export type CodeRef =
  /**
   * A bundle: the Dask key that holds it, and the wire form of captured values. `module` is the file of the bundle that the
   * worker imports: its default export is `(captures) => function`. So what tells codes apart in a pool is hash, module and
   * captures together.
   */
  | {
      readonly type: 'bundle'
      readonly key: string
      readonly hash: string
      readonly module: string
      readonly captures: unknown
    }
  /** A module that every worker can import by itself. */
  | { readonly type: 'module'; readonly url: string; readonly exportName: string }

/** The code of a task: its result is the bundle itself, so that workers pass it on to each other. */
export interface CodePayload {
  readonly type: 'code'
  readonly bundle: CodeBundle
}

/**
 * The code of tasks of one file: all that could be sent when the first of them was. A worker writes it into a folder with
 * `writeBundle` (`bundle-folder.ts`) and imports modules from there. They need nothing but Node and Mintaka's door.
 */
export interface CodeBundle {
  /** Of the code and the files of the user, without source maps. */
  readonly hash: string
  /**
   * What lies in the folder, by path: ES modules, their source maps, and below `files/` the files of the user that travel.
   * A path that ends in `/` is a folder.
   */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  /** Packages that the code loads from where the worker has them installed. */
  readonly external: readonly string[]
}

/** A value that many calls share: its result is the value. */
export interface DataPayload {
  readonly type: 'data'
  readonly value: unknown
}

/** Node workers know their payloads by this: a stock worker cannot import a module of that name, and says so. */
export const guard = 'dask_node_task_requires_a_node_worker'

/** What Node workers offer and Node tasks ask a trace of, so that no Python worker is given one. */
export const nodeResource = 'node'

export function encodePayload(payload: Payload): Buffer {
  return serialize(payload)
}

/** Throws if the bytes were not made by {@link encodePayload}. */
export function decodePayload(bytes: Uint8Array): Payload {
  const payload = deserialize(bytes) as Partial<Payload> | undefined
  if (payload?.type === 'call' || payload?.type === 'code' || payload?.type === 'data') return payload as Payload
  throw new TypeError('The payload is not one of Mintaka.')
}

/**
 * What a worker tells its client while a task runs: lists of these are the events of a topic. `key` is the Dask key; times
 * are epoch milliseconds. Fields of a log line are text by the `codec` of `values/json.ts`. What a call has said comes
 * before its end.
 */
export type WorkerEvent =
  /** Not told of calls that end within a few milliseconds: that one has begun is said by its end too. */
  | readonly ['started', key: string, at: number]
  | readonly ['log', key: string, level: LogLevel, message: string, fields: string | null, at: number]
  | readonly ['printed', key: string, level: LogLevel, text: string, at: number]
  | readonly ['progress', key: string, fraction: number, note: string | null]
  /** A call that was cancelled has stopped, or will never begin here. Told of each that had been given to a worker. */
  | readonly ['stopped', key: string]
