import { HeldResult } from '../core/held-result.js'
import type { FlowRun, TaskRun } from '../core/run.js'
import { type Completed, isSettled, states } from '../core/state.js'
import { type BriefTaskRun, isNotPersisted, type Store, type StoredRun } from '../core/store.js'
import type { EarlierRun } from './done-runs.js'

/** What a flow run did. */
export interface Earlier {
  readonly runs: readonly EarlierRun[]
  /** Its subflow runs that did not complete. */
  readonly failed: readonly string[]
}

/**
 * What a flow run did, for one that continues it: also what that one had been continued from, as far as it was not taken
 * over again. Of several attempts the later one counts.
 */
export async function runsOf(store: Store, flowRunId: string): Promise<Earlier> {
  const earlier: EarlierRun[] = []
  const failed: string[] = []
  /** What newer attempts have taken over: it is theirs now. */
  const taken = new Set<string>()
  for (let id: string | undefined = flowRunId; id !== undefined; ) {
    const flowRun: StoredRun<FlowRun> | undefined = await store.getFlowRun(id)
    const attempts = attemptsOf(await briefRunsOf(store, id))
    const next = flowRun?.run.continues
    if (attempts.length > 1 || next !== undefined) for (const child of await continuedBy(store, id)) taken.add(child)
    for (const attempt of attempts.reverse()) {
      for (const run of attempt)
        if (taken.size === 0 || !taken.has(originOf(run))) earlier.push(new EarlierTaskRun(run))
      for (const { cachedFrom, childFlowRunId, completedAt, runCount } of attempt) {
        const origin = childFlowRunId ?? cachedFrom
        if (origin !== undefined) taken.add(origin)
        if (childFlowRunId === undefined || completedAt !== undefined) continue
        if (runCount > 0 || (await hasFailedUnderKey(store, childFlowRunId))) failed.push(childFlowRunId)
      }
    }
    id = next
  }
  return { runs: earlier, failed }
}

/** Whether that subflow run has ended under an idempotency key, though its mirror says that it never began. */
async function hasFailedUnderKey(store: Store, flowRunId: string): Promise<boolean> {
  const run = (await store.getFlowRun(flowRunId))?.run
  return run?.idempotencyKey !== undefined && isSettled(run.state) && run.state.type !== 'COMPLETED'
}

/** The runs of each attempt, in call order. The calls of a task are counted from 0 in each. */
function attemptsOf(runs: readonly BriefTaskRun[]): BriefTaskRun[][] {
  let counts = new Map<string, number>()
  let attempt: BriefTaskRun[] = []
  const attempts = [attempt]
  for (const run of runs) {
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
function originOf({ id, cachedFrom, childFlowRunId }: BriefTaskRun): string {
  return childFlowRunId ?? cachedFrom ?? id
}

/** Lean: there may be a million. */
class EarlierTaskRun implements EarlierRun {
  readonly #run: BriefTaskRun

  constructor(run: BriefTaskRun) {
    this.#run = run
  }

  get taskKey() {
    return this.#run.taskKey
  }
  get taskName() {
    return this.#run.taskName
  }
  get name() {
    return this.#run.name
  }
  get inputHash() {
    return this.#run.inputHash
  }
  get taskVersion() {
    return this.#run.taskVersion
  }
  get inputs() {
    return this.#run.inputs
  }
  get childFlowRunId() {
    return this.#run.childFlowRunId
  }
  get end() {
    const { completedAt, runCount } = this.#run
    return completedAt !== undefined ? 'completed' : runCount > 0 ? 'begun' : 'not begun'
  }

  completed(): Completed | undefined {
    const { completedAt, childFlowRunId, cachedFrom, id } = this.#run
    if (completedAt === undefined || childFlowRunId !== undefined) return undefined
    const value = this.#run.result()
    return isNotPersisted(value) || value instanceof HeldResult
      ? undefined
      : states.cached(completedAt, value, cachedFrom ?? id)
  }
}

/** The task runs of a flow run, in call order. */
export async function briefRunsOf(store: Store, flowRunId: string): Promise<BriefTaskRun[]> {
  if (store.listTaskRunsBriefly) return store.listTaskRunsBriefly(flowRunId)
  return (await store.listTaskRuns(flowRunId)).map(({ run }) => briefly(run))
}

function briefly(run: Readonly<TaskRun>): BriefTaskRun {
  const { state } = run
  if (state.type !== 'COMPLETED') return { ...run, completedAt: undefined, result: () => undefined }
  return { ...run, completedAt: state.timestamp, cachedFrom: state.cachedFrom, result: () => state.result }
}
