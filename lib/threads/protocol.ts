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
  /** The number of the code in this thread. */
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
  /** When it began: epoch milliseconds. */
  readonly startedAt: number
  /** How many notices the call has posted: they come by another port and may arrive later. */
  readonly posted: number
}

/** An envelope as it is posted: a list, because names of fields cost as much as what is in them. */
export type PackedEnvelope = readonly [
  n: number,
  id: string,
  name: string,
  /** The flow run's id, or how much of the task run's id it is. */
  flowRunId: string | number,
  code: number,
  args: unknown,
  rest?: Pick<Envelope, 'attempt' | 'tags' | 'newCode'>,
]

export function pack(envelope: Envelope): PackedEnvelope {
  const { n, id, name, flowRunId, code, args, attempt, tags, newCode } = envelope
  const flow = id.startsWith(flowRunId) ? flowRunId.length : flowRunId
  if (attempt === 1 && tags.length === 0 && !newCode) return [n, id, name, flow, code, args]
  return [n, id, name, flow, code, args, { attempt, tags, newCode }]
}

export function unpack([n, id, name, flow, code, args, rest]: PackedEnvelope): Envelope {
  const flowRunId = typeof flow === 'number' ? id.slice(0, flow) : flow
  return { n, id, name, flowRunId, code, args, ...(rest ?? { attempt: 1, tags: [] }) }
}

/** A reply as it is posted. */
export type PackedReply = readonly [type: Reply['type'], value: unknown, startedAt: number, posted: number]

export function packReply({ type, value, startedAt, posted }: Reply): PackedReply {
  return [type, value, startedAt, posted]
}

export function unpackReply([type, value, startedAt, posted]: PackedReply): Reply {
  return { type, value, startedAt, posted }
}

/** What a thread says on the side; `n` is the call it belongs to. */
export type Notice =
  | {
      readonly mintaka: 'log'
      readonly n: number
      readonly level: LogLevel
      readonly message: string
      readonly fields: unknown
      readonly at: number
    }
  | { readonly mintaka: 'progress'; readonly n: number; readonly fraction: number; readonly note: string | undefined }
  /** Something failed in the background; `n` is 0 where nobody knows whose it was. */
  | { readonly mintaka: 'stray'; readonly n: number; readonly taskName: string | undefined; readonly error: unknown }
  /** The reply to call `n` could not be posted. */
  | { readonly mintaka: 'unsent'; readonly n: number; readonly error: unknown }

/** What a thread is started with. */
export interface ThreadData {
  readonly mintaka: SharedArrayBuffer
}

/**
 * The few bytes that both sides see: which call the thread has begun and when, and which one it shall stop. Calls are
 * told apart by their number, so that nothing needs to be reset.
 */
export class ClaimSlot {
  static readonly bytes = 16
  private static readonly claimed = 2
  private static readonly stopped = 3
  private readonly times: Float64Array
  private readonly numbers: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.times = new Float64Array(memory, 0, 1)
    this.numbers = new Int32Array(memory)
  }

  /** Called by the thread when it begins call `n`. */
  claim(n: number): number {
    const at = Date.now()
    this.times[0] = at
    Atomics.store(this.numbers, ClaimSlot.claimed, n)
    return at
  }

  /** When the thread began call `n`; `undefined`: it has not. */
  claimedAt(n: number): number | undefined {
    return Atomics.load(this.numbers, ClaimSlot.claimed) === n ? this.times[0] : undefined
  }

  /** Called by the pool: call `n` shall stop. */
  stop(n: number): void {
    Atomics.store(this.numbers, ClaimSlot.stopped, n)
    Atomics.notify(this.numbers, ClaimSlot.stopped)
  }

  isStopped(n: number): boolean {
    return Atomics.load(this.numbers, ClaimSlot.stopped) === n
  }

  /** Calls back once call `n` shall stop. `release` ends the waiting. */
  whenStopped(n: number, callback: () => void): void {
    const before = Atomics.load(this.numbers, ClaimSlot.stopped)
    if (before === n) return callback()
    // TypeScript's libraries for ES2023 lack it; Node has had it since version 16.
    const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync }
    const waiting = waitAsync(this.numbers, ClaimSlot.stopped, before)
    Promise.resolve(waiting.value).then(() => {
      if (this.isStopped(n)) callback()
    })
  }

  release(): void {
    Atomics.notify(this.numbers, ClaimSlot.stopped)
  }
}

type WaitAsync = (
  numbers: Int32Array,
  index: number,
  value: number,
) => { readonly async: boolean; readonly value: string | Promise<string> }
