import type { FlowRun, TaskRun } from '../../core/run.js'
import { isTerminal, type State } from '../../core/state.js'
import type { StoredRun } from '../../core/store.js'
import { type FollowedStore, Walk } from './walk.js'

/** What is told of a flow run that another process carries out: every state of it and of all below it, once. */
export interface RunListener {
  flowRun(run: Readonly<FlowRun>, from: State | undefined, to: State): void
  taskRun(run: Readonly<TaskRun>, from: State | undefined, to: State): void
}

/** `lost`: the process has died that should have carried the run on; `gone`: it has been removed from the store. */
export type Progress = 'going on' | 'ended' | 'lost' | 'gone'

/**
 * Follows a flow run by what is in the store. Each look tells what has happened since the last one: flow runs before what is
 * below them, the end of a flow run after what is below it.
 */
export class RunFollower {
  readonly #walk: Walk
  readonly #listener: RunListener
  /** How many states of each run have been told. */
  readonly #told = new Map<string, number>()

  constructor(store: FollowedStore, flowRunId: string, listener: RunListener) {
    this.#walk = new Walk(store, flowRunId)
    this.#listener = listener
  }

  async look(): Promise<Progress> {
    const top = await this.#walk.visit({
      enter: (flowRun, taskRuns) => {
        this.#tellFlowRun(flowRun, flowRun.states.filter(state => !isTerminal(state)).length)
        for (const taskRun of taskRuns) this.#tellTaskRun(taskRun)
      },
      leave: flowRun => this.#tellFlowRun(flowRun, flowRun.states.length),
    })
    return progressOf(top)
  }

  #tellFlowRun({ run, states }: StoredRun<FlowRun>, upTo: number): void {
    this.#tell(run.id, states.slice(0, upTo), (from, to) => this.#listener.flowRun(asIn(run, to), from, to))
  }

  #tellTaskRun({ run, states }: StoredRun<TaskRun>): void {
    this.#tell(run.id, states, (from, to) => this.#listener.taskRun(asIn(run, to), from, to))
  }

  #tell(id: string, states: readonly State[], tell: (from: State | undefined, to: State) => void): void {
    const from = this.#told.get(id) ?? 0
    if (states.length <= from) return
    for (const [index, state] of states.entries()) if (index >= from) tell(states[index - 1], state)
    this.#told.set(id, states.length)
  }
}

/** How far the flow run at the top has come. */
export function progressOf(top: StoredRun<FlowRun> | undefined): Progress {
  if (!top) return 'gone'
  return isTerminal(top.run.state) ? 'ended' : top.ownerGone ? 'lost' : 'going on'
}

/** A run as it was in one of its states. */
function asIn<R extends FlowRun | TaskRun>(run: Readonly<R>, state: State): R {
  return { ...run, state, endTime: isTerminal(state) ? run.endTime : undefined }
}
