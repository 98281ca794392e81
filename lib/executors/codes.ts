import type { TaskCode } from '../core/executor.js'
import { needsDask } from '../core/needs-dask.js'
import type { Code } from '../threads/protocol.js'
import { toWire } from '../values/wire.js'

/** The code of a task, ready for threads. */
export interface Prepared {
  readonly code: Code
  /** What may go wrong there but need not. */
  readonly warnings: readonly string[]
}

/**
 * Prepares tasks for threads, each once. A task with captures may be made anew for every flow run: when nobody can call
 * it any more, `onForgotten` is told the key of its code, so that nobody keeps it for ever.
 */
export class Codes {
  readonly #known = new WeakMap<TaskCode, Prepared | Promise<Prepared>>()
  /** How many tasks have that code. */
  readonly #holders = new Map<string, number>()
  readonly #collected: FinalizationRegistry<string>

  constructor(onForgotten: (key: string) => void) {
    this.#collected = new FinalizationRegistry(key => {
      const left = (this.#holders.get(key) ?? 1) - 1
      if (left > 0) return this.#holders.set(key, left)
      this.#holders.delete(key)
      onForgotten(key)
    })
  }

  /** Rejects with what makes it impossible; so it does the next time. */
  of(task: TaskCode): Prepared | Promise<Prepared> {
    const known = this.#known.get(task)
    if (known) return known
    const { source } = task
    if (source.type === 'python') return Promise.reject(needsDask(task.name, source.target))
    const prepared = source.type === 'module' ? { code: moduleCode(task.name, source), warnings: [] } : this.#ship(task)
    this.#known.set(task, prepared)
    return prepared
  }

  async #ship(task: TaskCode): Promise<Prepared> {
    const { ship } = await import('../shipping/index.js')
    const { hash, url, warnings } = await ship(task)
    const captures = task.source.type === 'slice' ? task.source.captures : undefined
    const code: Code = {
      key: captures ? `${hash}#${idOf(captures)}` : hash,
      taskName: task.name,
      url,
      captures: captures && toWire(captures, 'captures', { task: task.name }),
    }
    const prepared = { code, warnings }
    this.#known.set(task, prepared)
    if (captures) this.#hold(task, code.key)
    return prepared
  }

  #hold(task: TaskCode, key: string): void {
    this.#holders.set(key, (this.#holders.get(key) ?? 0) + 1)
    this.#collected.register(task, key)
  }
}

function moduleCode(taskName: string, { url, exportName }: Extract<TaskCode['source'], { type: 'module' }>): Code {
  return { key: `${url}#${exportName}#${taskName}`, taskName, url, exportName }
}

// Two tasks of one source may have captured different values: each has its own function in a thread.
const ids = new WeakMap<object, number>()
let count = 0
function idOf(captures: object): number {
  const id = ids.get(captures) ?? ++count
  ids.set(captures, id)
  return id
}
