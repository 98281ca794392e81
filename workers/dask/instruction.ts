import type { Order } from './task.js'

/** What the worker is to do because of a stimulus, in this order. */
export type Instruction<Spec, Value, Failure> =
  /** Begin a run. Its end is a stimulus. */
  | { readonly type: 'execute'; readonly key: string; readonly run: number; readonly order: Order<Spec> }
  /** Nobody wants that run any more. Its end is a stimulus all the same. */
  | { readonly type: 'stop'; readonly run: number }
  /** Ask a peer for values. What becomes of it is a stimulus. */
  | { readonly type: 'fetch'; readonly from: string; readonly keys: readonly string[] }
  /** Say later that the peer may be asked again. */
  | { readonly type: 'retry-peer-later'; readonly address: string }
  /** A value is to be kept from now on; one that nobody tells to keep is not wanted. */
  | { readonly type: 'keep'; readonly key: string; readonly value: Value }
  /** A value is not needed any more. */
  | { readonly type: 'drop'; readonly key: string }
  | ToScheduler<Failure>

/** What the scheduler is told. */
export type ToScheduler<Failure> =
  /** The value of the key has been computed, and is kept. */
  | { readonly type: 'task-finished'; readonly key: string; readonly runId: number | undefined }
  | {
      readonly type: 'task-erred'
      readonly key: string
      readonly runId: number | undefined
      readonly failure: Failure
    }
  /** It could not be computed here, and is free to be computed elsewhere. */
  | { readonly type: 'reschedule'; readonly key: string }
  /** These values are here too. */
  | { readonly type: 'add-keys'; readonly keys: readonly string[] }
  /** This value is not here. */
  | { readonly type: 'release-worker-data'; readonly key: string }
  | { readonly type: 'request-refresh-who-has'; readonly keys: readonly string[] }
  | {
      readonly type: 'steal-response'
      readonly key: string
      /** `null`: not known. The first three give it up. */
      readonly state: 'ready' | 'constrained' | 'waiting' | 'executing' | 'memory' | null
      readonly stimulusId: string
    }
