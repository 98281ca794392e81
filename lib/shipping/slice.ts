import type { Definition } from './definitions.js'
import { reachOf } from './reach.js'
import { refusalsOf } from './refusals.js'
import type { Source, Unit } from './source.js'
import type { Node } from './syntax.js'
import { warningsOf } from './warnings.js'

/** What a worker needs of a file to run one task of it. */
export interface Slice {
  readonly source: Source
  readonly task: Definition
  readonly name: string
  /** The expression of the function. */
  readonly root: Node
  /** The names that are given from outside when the function is made. */
  readonly captureKeys: readonly string[]
  /** The declarations and set-up lines that the function reaches. Imports are counted by what uses them. */
  readonly units: ReadonlySet<Unit>
  readonly warnings: readonly string[]
}

/** Cuts what a task needs out of its file, or throws the MintakaError that says why it cannot be. */
export function sliceTask(source: Source, task: Definition, captureKeys: readonly string[] | undefined): Slice {
  const reach = reachOf(source, task, captureKeys)
  const [refusal] = refusalsOf(reach)
  if (refusal) throw refusal
  const { name, root, units } = reach
  return { source, task, name, root, captureKeys: captureKeys ?? [], units, warnings: warningsOf(reach) }
}
