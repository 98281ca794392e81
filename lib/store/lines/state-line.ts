import type { FlowRun, Run } from '../../core/run.js'
import { isSettled, type State } from '../../core/state.js'
import { parametersField } from './flow-run-line.js'
import { type Line, quoted } from './line.js'
import { type ValueCodec, valueText } from './line-values.js'
import { stateFields } from './state-fields.js'
import { hashField } from './task-run-line.js'

/**
 * The line of a state that a run has entered. `parameters`: what a flow run was called with, if its first line does not
 * say so.
 */
export function stateLine(
  run: Run,
  seq: number,
  state: State,
  codec: ValueCodec,
  persist: boolean,
  parameters?: unknown,
): string {
  if (run.kind === 'flow-run') {
    const given = parameters === undefined ? '' : parametersField(valueText(parameters, codec, run.id))
    return `{"s":${quoted(run.id)},"q":${seq}${given}${resumeFields(run, state)}${statsField(run, state)},${stateFields(state, codec, persist, run.id)}}\n`
  }
  // The mirror of a subflow run learns late which flow run it mirrors.
  const child = run.childFlowRunId === undefined ? '' : `,"child":${quoted(run.childFlowRunId)}`
  const hash = isSettled(state) || child !== '' ? hashField(run) : ''
  return `{"u":${quoted(run.id)},"q":${seq}${child}${hash},${stateFields(state, codec, persist, run.flowRunId)}}\n`
}

/** Which run a subflow run continues is known when its parameters are; how its calls differ, when the last is made. */
function resumeFields({ continues, parentFlowRunId, divergence }: FlowRun, { type }: State): string {
  const which = continues === undefined || parentFlowRunId === undefined ? '' : `,"cont":${quoted(continues)}`
  return divergence === undefined || type === 'RUNNING' ? which : `${which},"div":${JSON.stringify(divergence)}`
}

/** Goes with the state that follows the executor's session. */
function statsField({ executorStats }: FlowRun, { type }: State): string {
  return executorStats === undefined || type === 'RUNNING' ? '' : `,"stats":${JSON.stringify(executorStats)}`
}

/** What the line of a later state tells of the flow run besides: how its executor did, and what it continues. */
export function noteOf(run: FlowRun, { fields }: Line): void {
  const { stats, cont, div } = fields
  if (stats !== undefined) run.executorStats = stats
  if (cont !== undefined) run.continues = cont
  if (div !== undefined) run.divergence = div
}
