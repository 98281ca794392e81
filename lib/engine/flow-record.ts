import type { FlowRun } from '../core/run.js'
import { type State, states } from '../core/state.js'
import { preview } from '../values/preview.js'
import type { FlowDefinition } from './definitions.js'
import { versionOf } from './source.js'

/** What the record of a flow run says besides what its flow says. */
export interface NewFlowRun extends Pick<FlowRun, 'id' | 'name' | 'created' | 'tags'> {
  readonly parentTaskRunId: string | undefined
  readonly parentFlowRunId: string | undefined
  readonly parameters: readonly unknown[]
  readonly continues: string | undefined
}

/** The record of a flow run that is about to begin. */
export function newFlowRun(flow: FlowDefinition, run: NewFlowRun): FlowRun {
  return {
    kind: 'flow-run',
    id: run.id,
    name: run.name,
    flowName: flow.name,
    version: flow.version ?? versionOf(flow.file),
    file: flow.file,
    description: flow.description,
    executor: flow.executor.name,
    parentTaskRunId: run.parentTaskRunId,
    parentFlowRunId: run.parentFlowRunId,
    parameters: run.parameters.length === 0 ? undefined : preview(run.parameters[0], 400),
    idempotencyKey: flow.idempotencyKey,
    deployment: flow.occasion?.deployment,
    scheduledTime: flow.occasion?.scheduledTime,
    created: run.created,
    tags: run.tags,
    state: firstState(flow, run.created),
    startTime: undefined,
    endTime: undefined,
    totalRunTimeMs: 0,
    runCount: 0,
    continues: run.continues,
  }
}

/** How far behind its time a run begins that is Late. */
const lateAfterMs = 5000

function firstState({ occasion }: FlowDefinition, now: number): State {
  const { scheduledTime } = occasion ?? {}
  if (scheduledTime === undefined) return states.pending(now)
  return now - scheduledTime > lateAfterMs ? states.late(now, scheduledTime) : states.scheduled(now, scheduledTime)
}
