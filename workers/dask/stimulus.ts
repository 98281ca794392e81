import type { Order } from './task.js'

/** What happens to a worker: what the scheduler says, and what became of what was begun. Values are opaque. */
export type Stimulus<Spec, Value, Failure> =
  | FromScheduler<Spec>
  | FromRun<Value, Failure>
  | FromPeer<Value>
  | FromHere<Value>

export type FromScheduler<Spec> =
  | {
      readonly type: 'compute-task'
      readonly key: string
      readonly order: Order<Spec>
      /** Of each dependency: the addresses of the workers that have it, and its size. */
      readonly whoHas: Whereabouts
    }
  /** The scheduler has no use for them: what runs is to be stopped. */
  | { readonly type: 'free-keys'; readonly keys: readonly string[] }
  /** These copies are of no use, unless a task here needs them. */
  | { readonly type: 'remove-replicas'; readonly keys: readonly string[] }
  | { readonly type: 'acquire-replicas'; readonly whoHas: Whereabouts }
  | { readonly type: 'steal-request'; readonly key: string; readonly stimulusId: string }
  | { readonly type: 'cancel-compute'; readonly key: string }
  | { readonly type: 'refresh-who-has'; readonly whoHas: ReadonlyMap<string, readonly string[]> }
  /** Another worker has left. */
  | { readonly type: 'remove-worker'; readonly address: string }

export type Whereabouts = ReadonlyMap<string, { readonly addresses: readonly string[]; readonly nbytes: number }>

/** What became of a run. */
export type FromRun<Value, Failure> =
  | { readonly type: 'executed'; readonly run: number; readonly value: Value }
  | { readonly type: 'failed'; readonly run: number; readonly failure: Failure }
  /** It was stopped, or could not be begun. */
  | { readonly type: 'stopped'; readonly run: number }

/** What became of a transfer from another worker. */
export type FromPeer<Value> =
  /** Keys that were asked for and are not there, it does not have. */
  | { readonly type: 'fetched'; readonly from: string; readonly values: ReadonlyMap<string, Value> }
  | { readonly type: 'busy'; readonly from: string }
  | { readonly type: 'unreachable'; readonly from: string }

export type FromHere<Value> =
  /** A client has put values here. */
  | { readonly type: 'scattered'; readonly values: ReadonlyMap<string, Value> }
  /** Whether tasks may begin and values may be fetched. */
  | { readonly type: 'may-start'; readonly mayStart: boolean }
  /** A peer that was busy, or did not answer, may be asked again. */
  | { readonly type: 'retry-peer'; readonly address: string }
  /** It is time to ask again who has what is missing. */
  | { readonly type: 'find-missing' }
  | { readonly type: 'close' }
