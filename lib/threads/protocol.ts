/**
 * What goes between the pool and a thread, by a port of their own. Only these envelopes are ever posted, never a value of
 * a user's as it is: a value that cannot be cloned would cost others their results.
 */
import type { MessagePort } from 'node:worker_threads'
import type { LogLevel } from '../core/logger.js'

/** What a thread is started with. */
export interface ThreadStart {
  /** Seen by both: the `Slots`. */
  readonly memory: SharedArrayBuffer
  readonly port: MessagePort
  /** Runs once, before the first call. */
  readonly setup: Code | undefined
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

/** What some calls have in common. What differs, and is small, is in their slots. */
export interface Kin {
  readonly flowRunId: string
  /** Their ids, up to the number that each ends with; of a call with another id, the whole of it. */
  readonly id: string
  readonly name: string
  readonly isNumbered: boolean
  readonly tags: readonly string[]
  readonly attempt: number
  readonly taskName: string
  /** The number of the code in the pool. */
  readonly code: number
  /** The code itself, the first time. */
  readonly newCode: Code | undefined
  /** How many arguments each has; `asList`: one, the whole list in wire form. */
  readonly arity: number
  /** The thread says when the call begins: somebody has a deadline for it. */
  readonly tells: boolean
}

export const asList = -1

/**
 * Calls on their way to a thread. The calls are numbered from `first` on; their kins, where they are new, go to places
 * from `kinsAt` on. The arguments of call after call are one list: lists in lists cost as much as what is in them.
 */
export type Parcel = readonly [
  first: number,
  count: number,
  kinsAt: number,
  kins: readonly Kin[],
  args: readonly unknown[],
]

/** One call of a parcel, as the thread sees it. */
export class Envelope {
  readonly n: number
  readonly kin: Kin
  private readonly idNumber: number
  private readonly nameNumber: number

  constructor(n: number, kin: Kin, idNumber: number, nameNumber: number) {
    this.n = n
    this.kin = kin
    this.idNumber = idNumber
    this.nameNumber = nameNumber
  }

  get id(): string {
    const { kin } = this
    return kin.isNumbered ? kin.id + this.idNumber : kin.id
  }

  get name(): string {
    const { kin } = this
    return kin.isNumbered ? kin.name + this.nameNumber : kin.name
  }
}

/** How a call ended. */
export interface Reply {
  readonly type: 'returned' | 'threw' | 'stopped'
  /** In wire form. */
  readonly value: unknown
}

/** Something has ended: the slots tell what. */
export const look = 0

/** What a thread says; `n` is the call it belongs to. */
export type Notice =
  | typeof look
  /** How a call ended whose result is not small. */
  | { readonly type: 'reply'; readonly n: number; readonly reply: Reply }
  | {
      readonly type: 'log'
      readonly n: number
      readonly level: LogLevel
      readonly message: string
      readonly fields: unknown
      readonly at: number
    }
  /** A line for the console, which the thread has formatted; `n` is 0 for what no call printed. */
  | {
      readonly type: 'printed'
      readonly n: number
      readonly level: LogLevel
      readonly text: string
      readonly at: number
    }
  | { readonly type: 'progress'; readonly n: number; readonly fraction: number; readonly note: string | undefined }
  /** The setup has ended; without one nothing is said. */
  | { readonly type: 'ready' }
  /** The setup has failed: the thread begins no calls. */
  | { readonly type: 'unready'; readonly error: unknown }
  /** Something failed in the background; `n` is 0 where nobody knows whose it was, and where that call had ended. */
  | {
      readonly type: 'stray'
      readonly n: number
      readonly taskName: string | undefined
      readonly flowRunId: string | undefined
      readonly error: unknown
    }
  /** A port of its own, for questions: see `home.ts`. */
  | { readonly type: 'home'; readonly port: MessagePort }
