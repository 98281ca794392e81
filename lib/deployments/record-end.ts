import { enter, type FlowRun } from '../core/run.js'
import { states, type TerminalState } from '../core/state.js'
import type { Store } from '../core/store.js'
import { followEveryMs, holderOf } from '../engine/idempotency.js'
import { preview } from '../values/preview.js'
import type { ScheduledRun } from './record.js'

/** Who records, and where. */
export interface Recorder {
  readonly store: Store
  /** The id under which the store was opened. */
  readonly owner: string
  /** Epoch milliseconds. */
  readonly now: () => number
  /** The file of the flow, if it is known. */
  readonly file?: string | undefined
}

/** How often another process is asked that has claimed a run and not recorded it yet. */
const mostPauses = 20

/**
 * Records a scheduled run that will never begin as a flow run that ended in the state that `endAt` gives for a time.
 * `false`: it has begun, or somebody is about to begin it; nothing was written.
 */
export async function recordEnd(
  { store, owner, now, file }: Recorder,
  run: ScheduledRun,
  endAt: (at: number) => TerminalState,
): Promise<boolean> {
  let pauses = 0
  const pause = async () => {
    await new Promise(resolve => setTimeout(resolve, followEveryMs))
    pauses += 1
    return pauses < mostPauses
  }
  const holder = await holderOf(store, run.id, owner, pause)
  if (holder?.type !== 'ours') return false
  try {
    const record = flowRunOf(run, file, now())
    await store.createFlowRun(record, { parameters: run.parameters })
    const end = endAt(now())
    enter(record, end)
    await store.appendState(record, end)
    return true
  } catch (error) {
    await holder.giveBack().catch(() => {})
    throw error
  }
}

function flowRunOf(run: ScheduledRun, file: string | undefined, now: number): FlowRun {
  const { id, name, flowName, deployment, scheduledTime, idempotencyKey, parameters, tags } = run
  return {
    kind: 'flow-run',
    id,
    name,
    flowName,
    file,
    executor: 'none',
    parameters: parameters === undefined ? undefined : preview(parameters, 400),
    idempotencyKey,
    deployment,
    scheduledTime,
    created: now,
    tags,
    state: states.scheduled(now, scheduledTime),
    totalRunTimeMs: 0,
    runCount: 0,
  }
}
