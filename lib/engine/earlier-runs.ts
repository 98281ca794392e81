import { HeldResult } from '../core/held-result.js'
import type { FlowRun, TaskRun } from '../core/run.js'
import { type Completed, states } from '../core/state.js'
import { isNotPersisted, type Store, type StoredRun } from '../core/store.js'
import type { EarlierRun } from './done-runs.js'

/**
 * What a flow run did, for one that continues it: also what that one had been continued from, as far as it was not taken
 * over again. Of several attempts the later one counts.
 */
export async function runsOf(store: Store, flowRunId: string): Promise<EarlierRun[]> {
  const earlier: EarlierRun[] = []
  /** What newer attempts have taken over: it is theirs now. */
  const taken = new Set<string>()
  for (let id: string | undefined = flowRunId; id !== undefined; ) {
    const flowRun: StoredRun<FlowRun> | undefined = await store.getFlowRun(id)
    const attempts = attemptsOf(await store.listTaskRuns(id))
    const next = flowRun?.run.continues
    if (attempts.length > 1 || next !== undefined) for (const child of await continuedBy(store, id)) taken.add(child)
    for (const attempt of attempts.reverse()) {
      earlier.push(...attempt.filter(run => !taken.has(originOf(run))).map(earlierRun))
      for (const run of attempt) if (originOf(run) !== run.id) taken.add(originOf(run))
    }
    id = next
  }
  return earlier
}

/** The runs of each attempt, in call order. The calls of a task are counted from 0 in each. */
function attemptsOf(stored: readonly StoredRun<TaskRun>[]): Readonly<TaskRun>[][] {
  let counts = new Map<string, number>()
  let attempt: Readonly<TaskRun>[] = []
  const attempts = [attempt]
  for (const { run } of stored) {
    const count = counts.get(run.taskKey) ?? 0
    if (run.dynamicKey < count) {
      counts = new Map()
      attempt = []
      attempts.push(attempt)
    }
    counts.set(run.taskKey, run.dynamicKey + 1)
    attempt.push(run)
  }
  return attempts
}

/** Subflow runs that those of a flow run continue. */
async function continuedBy(store: Store, parentFlowRunId: string): Promise<string[]> {
  const children = await store.listFlowRuns({ parentFlowRunId })
  return children.flatMap(({ run }) => run.continues ?? [])
}

/** The run that has computed the result, or the subflow run behind a mirror. */
function originOf({ id, state, childFlowRunId }: Readonly<TaskRun>): string {
  return childFlowRunId ?? (state.type === 'COMPLETED' ? (state.cachedFrom ?? id) : id)
}

function earlierRun(run: Readonly<TaskRun>): EarlierRun {
  const { taskKey, taskName, name, inputHash, taskVersion, inputs, state, childFlowRunId, runCount } = run
  const isCompleted = state.type === 'COMPLETED'
  return {
    taskKey,
    taskName,
    name,
    inputHash,
    taskVersion,
    inputs,
    childFlowRunId,
    end: isCompleted ? 'completed' : runCount > 0 ? 'begun' : 'not begun',
    completed: isCompleted && childFlowRunId === undefined ? () => completedBy(run.id, state) : undefined,
  }
}

function completedBy(id: string, state: Completed): Completed | undefined {
  const { timestamp, result, cachedFrom = id } = state
  return isNotPersisted(result) || result instanceof HeldResult
    ? undefined
    : states.cached(timestamp, result, cachedFrom)
}
