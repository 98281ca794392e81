import { argumentsElsewhere, argumentsHere } from './attempt-arguments.js'
import { HereCall } from './here-call.js'
import type { Inputs } from './inputs.js'
import type { UpstreamCalls } from './joining.js'
import type { TaskLife } from './run-task.js'
import { TaskCall } from './task-call.js'

/** The next attempt of a run, for its executor. `upstream`: calls under way that it is handed over together with. */
export function newCall(life: TaskLife, inputs: Inputs | undefined, upstream: UpstreamCalls | undefined): TaskCall {
  const { flow, task, record } = life
  const isHere = flow.session.where === 'here'
  if (!inputs) {
    const { constants = noArgs } = record
    return isHere ? new HereCall(life, constants, undefined) : new TaskCall(life, constants, undefined)
  }
  const again = record.runCount < task.retries || flow.engine.hasAddedRules
  if (isHere) return new HereCall(life, argumentsHere(inputs, again), undefined)
  const { args, shared } = argumentsElsewhere(inputs, again, upstream, flow.session)
  return new TaskCall(life, args, shared, upstream && upstream.size > 0 ? [...upstream.values()] : undefined)
}

const noArgs: readonly unknown[] = []
