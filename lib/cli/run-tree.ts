import type { FlowRun, TaskRun } from '../core/run.js'
import type { Store, StoredRun } from '../core/store.js'

/** A flow run with all below it. */
export interface RunTree {
  readonly flowRun: StoredRun<FlowRun>
  readonly parent: StoredRun<FlowRun> | undefined
  readonly taskRuns: readonly { readonly taskRun: StoredRun<TaskRun>; readonly child: RunTree | undefined }[]
}

export async function growTree(store: Store, flowRun: StoredRun<FlowRun>): Promise<RunTree> {
  const { id, parentFlowRunId } = flowRun.run
  const taskRuns: { taskRun: StoredRun<TaskRun>; child: RunTree | undefined }[] = []
  for (const taskRun of await store.listTaskRuns(id)) {
    const { childFlowRunId } = taskRun.run
    const child = childFlowRunId === undefined ? undefined : await store.getFlowRun(childFlowRunId)
    taskRuns.push({ taskRun, child: child && (await growTree(store, child)) })
  }
  const parent = parentFlowRunId === undefined ? undefined : await store.getFlowRun(parentFlowRunId)
  return { flowRun, parent, taskRuns }
}
