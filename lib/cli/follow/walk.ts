import type { FlowRun, TaskRun } from '../../core/run.js'
import { isTerminal } from '../../core/state.js'
import type { Store, StoredRun } from '../../core/store.js'

/** Where a flow run is followed. */
export type FollowedStore = Pick<Store, 'getFlowRun' | 'listTaskRuns' | 'listLogs'>

/** Who is shown a flow run and all below it: each flow run before its subflow runs, and once more after them. */
export interface Visitor {
  enter(flowRun: StoredRun<FlowRun>, taskRuns: readonly StoredRun<TaskRun>[]): void | Promise<void>
  leave?(flowRun: StoredRun<FlowRun>): void
}

/** Reads a flow run and its subflow runs from a store, any number of times. What had ended the last time is not read again. */
export class Walk {
  readonly #store: FollowedStore
  readonly #id: string
  readonly #over = new Set<string>()

  constructor(store: FollowedStore, flowRunId: string) {
    this.#store = store
    this.#id = flowRunId
  }

  /** Gives the flow run at the top as it stood before all others were read; `undefined`: it is not there any more. */
  async visit(visitor: Visitor): Promise<StoredRun<FlowRun> | undefined> {
    return this.#visit(this.#id, visitor)
  }

  async #visit(id: string, visitor: Visitor): Promise<StoredRun<FlowRun> | undefined> {
    if (this.#over.has(id)) return undefined
    const flowRun = await this.#store.getFlowRun(id)
    if (!flowRun) return undefined
    const taskRuns = await this.#store.listTaskRuns(id)
    await visitor.enter(flowRun, taskRuns)
    for (const { run } of taskRuns) if (run.childFlowRunId !== undefined) await this.#visit(run.childFlowRunId, visitor)
    visitor.leave?.(flowRun)
    // A flow run ends after all that it has begun.
    if (isTerminal(flowRun.run.state)) this.#over.add(id)
    return flowRun
  }
}
