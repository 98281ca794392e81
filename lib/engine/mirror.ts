import { enter, type TaskRun } from '../core/run.js'
import { type State, states } from '../core/state.js'
import { taskRunName } from '../core/task-calls.js'
import { keyOfInputs } from './attempt-arguments.js'
import type { FlowDefinition } from './definitions.js'
import { describeInputs, type Inputs } from './inputs.js'
import type { FlowLife } from './run-flow.js'
import { taskKeyOf } from './source.js'

/** The task run in the parent that mirrors a subflow run: every state of the child is its state too, by force. */
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
}
