import { enter, type TaskRun } from '../core/run.js'
import { type Completed, type SettledState, type State, states } from '../core/state.js'
import { taskRunName } from '../core/task-calls.js'
import { keyOfInputs } from './attempt-arguments.js'
import type { FlowDefinition } from './definitions.js'
import type { EarlierRun, Match } from './done-runs.js'
import { keptState } from './flow-result.js'
import { describeInputs, type Inputs } from './inputs.js'
import type { FlowLife } from './run-flow.js'
import { taskKeyOf } from './source.js'

/** A subflow run of before. */
export interface EarlierSubflow {
  readonly id: string
  readonly hadBegun: boolean
  /** Its completed state, as far as that is at hand. */
  completed(): Completed | undefined
}

/**
 * The task run in the parent that mirrors a subflow run: every state of the child is its state too, by force. It stands for
 * the call, and the parent keeps its books by it: what was done before, and what a later attempt finds.
 */
export class Mirror {
  readonly record: TaskRun
  readonly #parent: FlowLife

  constructor(
    parent: FlowLife,
    flow: FlowDefinition,
    childId: string,
    inputs: Inputs,
    tags: readonly string[],
    now: number,
  ) {
    const key = taskKeyOf(flow.file, flow.name, flow.tags)
    const { id, dynamicKey } = parent.calls.ofSubflow(key)
    this.#parent = parent
    this.record = {
      kind: 'task-run',
      id,
      name: taskRunName(flow.name, key, dynamicKey),
      flowRunId: parent.record.id,
      taskName: flow.name,
      taskKey: key,
      dynamicKey,
      created: now,
      tags,
      inputs: inputs.described ?? describeInputs(inputs.args, 'parameters'),
      state: states.pending(now),
      startTime: undefined,
      endTime: undefined,
      totalRunTimeMs: 0,
      runCount: 0,
      childFlowRunId: childId,
      inputHash: inputs.edges ? undefined : keyOfInputs(inputs),
    }
  }

  /** The parent waits for the child. */
  follow(child: FlowLife): void {
    this.#parent.children.adopt(child)
    this.#parent.engine.created(this.record)
  }

  /** What the subflow is called with has arrived. */
  inputsArrived(inputs: Inputs): void {
    if (inputs.edges) this.record.inputHash = keyOfInputs(inputs)
  }

  reflect(state: State): void {
    const { engine } = this.#parent
    const from = this.record.state
    enter(this.record, state)
    engine.store.appendState(this.record, state, { persist: false })?.catch(() => {}) // the child's own states tell
    engine.changed(this.record, from, state)
  }

  // --- what has been done before

  /** What the call is: at once, nearly always. `undefined`: the run has ended while it was on hold. */
  match(child: FlowLife): Match | Promise<Match | undefined> {
    return this.#parent.onHold.match(this.record, child)
  }

  /** The flow run that the call was before, if there was one; for one that is new or has none, the parent notes that. */
  earlierOf(match: Match): EarlierSubflow | undefined {
    const { done } = this.#parent
    if (match.type !== 'known') done.notKnown(this.record)
    else if (match.run.childFlowRunId === undefined) done.ranAgain(this.record)
    else return earlierSubflow(match.run, match.run.childFlowRunId)
    return undefined
  }

  /** The call is that run, whatever it was called with: its idempotency key says so. Gives whether there was one. */
  takeChild(flowRunId: string): boolean {
    return this.#parent.done.takeChild(this.record, flowRunId)
  }

  /** The child ends as that run did. */
  reused(): void {
    this.#parent.done.reused(this.record)
  }

  /** The child does again what that run did, as far as it cannot be taken over. */
  ranAgain(): void {
    this.#parent.done.ranAgain(this.record)
  }

  /** The child has settled. `isKnown`: the store has it, or another run that it follows. */
  over(flowRunId: string, settled: SettledState, isKnown: boolean): void {
    const { children, done, mayRetry } = this.#parent
    if (mayRetry) {
      done.keepSubflow(this.record, flowRunId, keptState(settled, flowRunId))
      if (settled.type !== 'COMPLETED' && isKnown) done.fail(flowRunId)
    }
    children.over()
  }
}

function earlierSubflow(run: EarlierRun, id: string): EarlierSubflow {
  return { id, hadBegun: run.end !== 'not begun', completed: () => run.completed?.() }
}
