/**
 * What goes between the pool and a thread. Only these envelopes are ever posted, never a value of a user's as it is: a
 * value that cannot be cloned would end the thread.
 */
import type { LogLevel } from '../core/logger.js'

/** A call, for a thread. */
export interface Envelope {
  /** Counts the calls of a thread, from 1. */
  readonly n: number
  readonly id: string
  readonly name: string
  readonly flowRunId: string
  readonly attempt: number
  readonly tags: readonly string[]
  /** The number of the code in the pool. */
  readonly code: number
  /** The code itself, the first time. */
  readonly newCode?: Code | undefined
  /** The list of arguments, in wire form. */
  readonly args: unknown
}

/** Where a thread finds a function. */
export interface Code {
  /** A thread gets and loads it once per key. */
  readonly key: string
  readonly taskName: string
  /** The module that holds it. */
  readonly url: string
  /** The export that is the function; without it the default export makes the function out of the captured values. */
  readonly exportName?: string | undefined
  /** Captured values by name, in wire form. */
  readonly captures?: unknown
}

/** How a call ended, on its way back. */
export interface Reply {
  readonly type: 'returned' | 'threw' | 'stopped'
  /** In wire form. */
  readonly value: unknown
  /** How many notices the call has posted: they may come by another port than the reply, and arrive later. */
  readonly posted: number
}

/**
 * A batch as it is posted: the number of its first call, then the fields of call after call. One flat list, because names
 * of fields and lists in lists cost as much as what is in them.
 */
export type PackedBatch = unknown[]

const fieldsOfCall = 6

export function packBatch(first: number): PackedBatch {
  return [first]
}

export function packCall(batch: PackedBatch, envelope: Omit<Envelope, 'n'>): void {
  const { id, name, flowRunId, code, args, attempt, tags, newCode } = envelope
  // The flow run's id, or how much of the task run's id it is.
  const flow = id.startsWith(flowRunId) ? flowRunId.length : flowRunId
  const isPlain = attempt === 1 && tags.length === 0 && !newCode
  batch.push(id, name, flow, code, args, isPlain ? 0 : { attempt, tags, newCode })
}

export function countOf(batch: PackedBatch): number {
  return (batch.length - 1) / fieldsOfCall
}

export function unpackCall(batch: PackedBatch, index: number): Envelope {
  const at = 1 + index * fieldsOfCall
  const id = batch[at] as string
  const flow = batch[at + 2] as string | number
  const rest = batch[at + 5] as Pick<Envelope, 'attempt' | 'tags' | 'newCode'> | 0
  return {
    n: (batch[0] as number) + index,
    id,
    name: batch[at + 1] as string,
    flowRunId: typeof flow === 'number' ? id.slice(0, flow) : flow,
    code: batch[at + 3] as number,
    args: batch[at + 4],
    attempt: rest ? rest.attempt : 1,
    tags: rest ? rest.tags : [],
    newCode: rest ? rest.newCode : undefined,
  }
}

/** Replies as they are posted: the number of a call and the fields of its reply, one after the other. */
export type PackedReplies = unknown[]

export function packReply(replies: PackedReplies, n: number, { type, value, posted }: Reply): void {
  replies.push(n, type, value, posted)
}

export function* unpackReplies(replies: PackedReplies): Iterable<[n: number, reply: Reply]> {
  for (let at = 0; at < replies.length; at += 4) {
    const [n, type, value, posted] = replies.slice(at, at + 4) as [number, Reply['type'], unknown, number]
    yield [n, { type, value, posted }]
  }
}

/** What a thread says on the side; `n` is the call it belongs to. */
export type Notice =
  /** How some calls of the batch have ended. */
  | { readonly mintaka: 'replies'; readonly replies: PackedReplies }
  | {
      readonly mintaka: 'log'
      readonly n: number
      readonly level: LogLevel
      readonly message: string
      readonly fields: unknown
      readonly at: number
    }
  /** A line for the console, which the thread has formatted; `n` is 0 for what no call printed. */
  | {
      readonly mintaka: 'printed'
      readonly n: number
      readonly level: LogLevel
      readonly text: string
      readonly at: number
    }
  | { readonly mintaka: 'progress'; readonly n: number; readonly fraction: number; readonly note: string | undefined }
  /** Something failed in the background; `n` is 0 where nobody knows whose it was, and where that call had ended. */
  | { readonly mintaka: 'stray'; readonly n: number; readonly taskName: string | undefined; readonly error: unknown }
  /** The reply to call `n` could not be posted. */
  | { readonly mintaka: 'unsent'; readonly n: number; readonly error: unknown }

/** What a thread is started with. */
export interface ThreadData {
  readonly mintaka: SharedArrayBuffer
}
