import type { TaskCode } from '../../core/executor.js'
import type { CodeRef } from '../../dask/payload.js'
import { toWire } from '../../values/wire.js'
import { Resource } from './resource.js'

/** The code of a task, as calls name it, and what has to be on the cluster for it. */
export interface PreparedCode {
  readonly ref: CodeRef
  readonly resource: Resource | undefined
  /** What may go wrong there but need not. */
  readonly warnings: readonly string[]
}

/** The code of the tasks of one session: bundles by their hash, each on the cluster once. */
export class CodeKeys {
  readonly #id: string
  readonly #known = new WeakMap<TaskCode, PreparedCode | Promise<PreparedCode>>()
  readonly #resources = new Map<string, Resource>()

  /** `id` makes keys unique on the cluster. */
  constructor(id: string) {
    this.#id = id
  }

  /** Rejects with what makes it impossible; so it does the next time. */
  of(task: TaskCode): PreparedCode | Promise<PreparedCode> {
    const known = this.#known.get(task)
    if (known) return known
    const { source } = task
    const prepared =
      source.type === 'module'
        ? {
            ref: { type: 'module', url: source.url, exportName: source.exportName } as const,
            resource: undefined,
            warnings: [],
          }
        : this.#ship(task)
    this.#known.set(task, prepared)
    return prepared
  }

  async #ship(task: TaskCode): Promise<PreparedCode> {
    const { shipRemote } = await import('../../shipping/remote.js')
    const { bundle, module, warnings } = await shipRemote(task)
    const { hash } = bundle
    let resource = this.#resources.get(hash)
    if (!resource) {
      resource = new Resource('code', `${hash.slice(0, 16)}-${this.#id}`, { type: 'code', bundle })
      this.#resources.set(hash, resource)
    }
    const captured = task.source.type === 'slice' ? task.source.captures : undefined
    const captures = captured && toWire(captured, 'captures', { task: task.name })
    const prepared = { ref: { type: 'bundle', key: resource.key, hash, module, captures } as const, resource, warnings }
    this.#known.set(task, prepared)
    return prepared
  }
}
