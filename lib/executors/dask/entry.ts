import type { KeyListener } from '../../dask/client/client.js'
import type { GraphTask, WireAnnotations } from '../../dask/client/graph.js'

/** What is needed to submit an entry, once or again. */
export interface Sendable {
  readonly task: GraphTask
  readonly annotations: WireAnnotations
  /** Entries that have to be on the scheduler before it. */
  readonly upstream: readonly Entry[]
}

/** Something that has a key on the cluster: a call, the code of a task, a value that calls share. */
export interface Entry extends KeyListener {
  readonly key: string
  /** Missing until it has been prepared. */
  readonly sendable: Sendable | undefined
}
