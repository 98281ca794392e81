import { taskKey, type WireAnnotations } from '../../dask/client/graph.js'
import { encodePayload, nodeResource, type Payload } from '../../dask/payload.js'
import type { Entry, Sendable } from './entry.js'

/** So little of what every Node worker has that it never limits anything: no Python worker has any. */
export const aTraceOfNode = { [nodeResource]: 1e-9 } as const

// What a call waits for goes before calls.
const urgently: WireAnnotations = { resources: aTraceOfNode, priority: 1_000_000 }

/** A value on the cluster that calls depend on: the code of a task, or data that many share. */
export class Resource implements Entry {
  readonly key: string
  sendable: Sendable | undefined

  constructor(name: string, id: string, payload: Payload) {
    this.key = taskKey(name, id)
    const call = { type: 'node', payload: encodePayload(payload), deps: [] } as const
    this.sendable = { task: { key: this.key, call }, annotations: urgently, upstream: [] }
  }

  // Whatever becomes of it, the calls that depend on it are told.
  inMemory(): void {}
  erred(): void {}
  cancelled(): void {}
  lost(): void {}
}
