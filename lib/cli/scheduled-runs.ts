import type { FlowRun } from '../core/run.js'
import { states } from '../core/state.js'
import { type FlowRunFilter, fits, type Store, type StoredRun } from '../core/store.js'
import { kinds, type ScheduledRun } from '../deployments/record.js'
import { preview } from '../values/preview.js'
import type { FollowedStore } from './follow/walk.js'
import { deploymentsIn } from './store.js'

/** Where flow runs are looked up. */
export type FlowRuns = Pick<Store, 'getFlowRun' | 'listFlowRuns'>

/** The flow runs of a store with those that are scheduled and have not begun. */
export function withScheduled(store: Store): FlowRuns {
  return {
    async getFlowRun(id) {
      return (await store.getFlowRun(id)) ?? (await notBegun(store, { match: id })).find(({ run }) => run.id === id)
    },
    async listFlowRuns(filter = {}) {
      const scheduled = await notBegun(store, filter)
      const begun = await store.listFlowRuns(filter)
      const ids = new Set(begun.map(({ run }) => run.id)) // one may have begun in between
      const all = [...scheduled.filter(({ run }) => !ids.has(run.id)), ...begun]
      return all.sort((a, b) => b.run.created - a.run.created).slice(0, filter.limit)
    },
  }
}

/** The same for who follows one run: its task runs and its log are none before it has begun. */
export function followed(store: Store): FollowedStore {
  const { getFlowRun } = withScheduled(store)
  return { getFlowRun, listTaskRuns: id => store.listTaskRuns(id), listLogs: id => store.listLogs(id) }
}

/** One that has begun is a flow run of the store, from then on also where an agent still looks after it. */
async function notBegun(store: Store, filter: FlowRunFilter): Promise<StoredRun<FlowRun>[]> {
  if (filter.parentFlowRunId !== undefined) return []
  // Where nobody has deployments, nothing of them needs to be loaded.
  if ((await store.documents?.list(kinds.scheduled))?.length === 0) return []
  const now = Date.now()
  const found: StoredRun<FlowRun>[] = []
  for (const scheduled of await (await deploymentsIn(store)).scheduled()) {
    const stored = asFlowRun(scheduled, now)
    if (fits(stored.run, filter) && !(await store.getFlowRun(scheduled.id))) found.push(stored)
  }
  return found
}

/** More than this after its time, a run that has not begun is Late. */
const lateAfterMs = 5000

/** A scheduled run as the flow run that will come of it. No engine and no executor has anything to do with it yet. */
export function asFlowRun(scheduled: ScheduledRun, now: number): StoredRun<FlowRun> {
  const { id, name, flowName, deployment, scheduledTime, idempotencyKey, parameters, tags, created } = scheduled
  const lateAt = scheduledTime + lateAfterMs
  const history = [
    states.scheduled(created, scheduledTime),
    ...(now > lateAt ? [states.late(Math.max(created, lateAt), scheduledTime)] : []),
  ]
  const run: FlowRun = {
    kind: 'flow-run',
    id,
    name,
    flowName,
    deployment,
    scheduledTime,
    idempotencyKey,
    parameters: parameters === undefined ? undefined : preview(parameters, 400),
    tags,
    created,
    state: history.at(-1)!,
    totalRunTimeMs: 0,
    runCount: 0,
    executor: '',
  }
  return { run, states: history, owner: nobody }
}

/** Whether it has not begun. */
export function isWaiting({ owner }: StoredRun): boolean {
  return owner === nobody
}

const nobody = ''
