import { CallGroups, type DivergenceReport } from '../core/divergence.js'
import type { RunInput, TaskRun } from '../core/run.js'
import type { Completed } from '../core/state.js'
import type { FormerKeys } from './moved.js'

/** How a flow run treats what has been done before it. */
export interface ReusePolicy {
  /** Whether what was done by other code is good: `same` wants the same version of the task. */
  readonly code: 'any' | 'same'
  /** What happens when its calls are others than those of the run that it continues. */
  readonly divergence: 'continue' | 'fail'
}

export const defaultPolicy: ReusePolicy = { code: 'any', divergence: 'continue' }

/** A call, as far as it matters whether another one has done the same. One without an `inputHash` cannot be told from others. */
export type ComparedCall = Pick<TaskRun, 'taskKey' | 'taskName' | 'name' | 'inputHash' | 'taskVersion' | 'inputs'>

/** A run of before. */
export interface EarlierRun extends ComparedCall {
  /** Whether it has completed. If not: whether it had begun. */
  readonly end: 'completed' | 'begun' | 'not begun'
  /** For the mirror of a subflow run: that flow run. */
  readonly childFlowRunId?: string | undefined
  /** Its completed state, with a result that is there; `undefined`: that was not kept. Read when it is taken over. */
  completed?(): Completed | undefined
}

/** What becomes of a call: the run of before that it is, if there was one; or it has to wait until more is known. */
export type Match =
  | { readonly type: 'known'; readonly run: EarlierRun }
  | { readonly type: 'new' }
  | { readonly type: 'on hold' }

const isNew: Match = { type: 'new' }
const onHold: Match = { type: 'on hold' }

/**
 * What has been done before a flow run's present attempt: by its attempts so far, and by the run that it continues. A
 * call takes over what an equal one did, each once, as a multiset: equal calls answer equal calls, in whatever order
 * `Promise.all` makes them.
 */
export class DoneRuns {
  /** Whether what is done now is kept for a later attempt. */
  readonly keeps: boolean
  #policy: ReusePolicy = defaultPolicy
  #continues = false
  #before: RunsByCall | undefined
  #now = new RunsByCall()
  #notKnown = new CallGroups()
  #ranAgain = new CallGroups()
  #reused = new CallGroups()
  #taken = 0
  #former: FormerKeys = new Map()
  /** Subflow runs of earlier attempts, and of runs that are continued, that have ended otherwise than completed. */
  readonly #failed = new Set<string>()
  #failedNow: string[] = []

  constructor(keeps: boolean) {
    this.keeps = keeps
  }

  /** Whether an earlier run may have done what a call is about to do. */
  get offers(): boolean {
    return this.#before !== undefined
  }

  /** Whether a call may have to be on hold. */
  get mayHold(): boolean {
    return this.#before !== undefined && this.#policy.divergence === 'fail'
  }

  /** How many calls have been found to be known. */
  get taken(): number {
    return this.#taken
  }

  /** What the run that is continued did, and which subflow runs failed in it. */
  continue(runs: Iterable<EarlierRun>, policy: ReusePolicy, failed: Iterable<string> = []): void {
    this.#policy = policy
    this.#continues = true
    this.#before = new RunsByCall()
    for (const run of runs) this.#before.add(run)
    for (const id of failed) this.#failed.add(id)
  }

  /** Tasks were called otherwise then, because they were defined in another file. */
  moved(former: FormerKeys): void {
    this.#former = former
  }

  /** Another attempt begins: what the last one has done, and what it left of those before, is there for it. */
  startAfresh(): void {
    this.#notKnown = new CallGroups()
    this.#ranAgain = new CallGroups()
    this.#reused = new CallGroups()
    for (const id of this.#failedNow) this.#failed.add(id)
    this.#failedNow = []
    if (this.#now.isEmpty) return
    this.#before?.moveTo(this.#now)
    this.#before = this.#now
    this.#now = new RunsByCall()
  }

  /** A call has completed. */
  keep(call: ComparedCall, state: Completed): void {
    if (!this.keeps) return
    const { taskKey, taskName, name, inputHash, taskVersion } = call
    const compared = { taskKey, taskName, name, inputHash, taskVersion, inputs: none }
    this.#now.add({ ...compared, end: 'completed', completed: () => state })
  }

  /** A subflow has ended: a later attempt takes it over, or continues it. */
  keepSubflow(call: ComparedCall, childFlowRunId: string, completed: Completed | undefined): void {
    if (!this.keeps) return
    const { taskKey, taskName, name, inputHash } = call
    const end = completed ? 'completed' : 'begun'
    this.#now.add({ taskKey, taskName, name, inputHash, inputs: none, end, childFlowRunId, completed: () => completed })
  }

  /** A subflow run has ended otherwise than completed. */
  fail(childFlowRunId: string): void {
    this.#failedNow.push(childFlowRunId)
  }

  /** Whether that subflow run was called before, and did not complete. */
  hasFailed(childFlowRunId: string): boolean {
    return this.#failed.has(childFlowRunId)
  }

  /** A call of a subflow is that run, whatever it was called with: its idempotency key says so. */
  takeChild(call: ComparedCall, childFlowRunId: string): boolean {
    const { taskKey: now, inputHash } = call
    const keys = [now, ...(this.#former.get(now) ?? [])]
    const isThere = keys.some(taskKey => this.#before?.takeChild({ taskKey, inputHash }, childFlowRunId))
    if (isThere) this.#taken += 1
    return isThere
  }

  /**
   * What a call is, which is asked once. `isLast`: it has been on hold, and nothing else goes on; it is not held again.
   */
  match(call: ComparedCall, isLast = false): Match {
    const before = this.#before
    if (!before) return isNew
    const run = before.take(this.#asBefore(call, before), this.#policy.code)
    if (run) {
      this.#taken += 1
      return { type: 'known', run }
    }
    if (!isLast && this.#policy.divergence === 'fail' && this.hasLeft(call.taskKey)) return onHold
    const unfinished = before.takeUntold(call)
    return unfinished ? { type: 'known', run: unfinished } : isNew
  }

  /** The call under the key that its task had before: one for which there is something to take over, if there is one. */
  #asBefore(call: ComparedCall, before: RunsByCall): ComparedCall {
    const former = this.#former.get(call.taskKey)
    if (!former || before.hasGood(call, this.#policy.code)) return call
    const { taskName, name, inputHash, taskVersion, inputs } = call
    const calls = former.map(taskKey => ({ taskKey, taskName, name, inputHash, taskVersion, inputs }))
    return calls.find(call => before.hasGood(call, this.#policy.code)) ?? calls.find(call => before.has(call)) ?? call
  }

  /** Whether something of that task has completed, and nobody has asked for it yet. */
  hasLeft(taskKey: string): boolean {
    const keys = [taskKey, ...(this.#former.get(taskKey) ?? [])]
    return keys.some(key => this.#before?.hasCompleted(key))
  }

  // --- what becomes of calls, for the report

  reused({ taskName }: ComparedCall): void {
    if (this.#continues) this.#reused.add(taskName)
  }

  ranAgain(call: ComparedCall): void {
    if (this.#continues) this.#ranAgain.add(call.taskName, () => exampleOf(call))
  }

  notKnown(call: ComparedCall): void {
    if (this.#continues) this.#notKnown.add(call.taskName, () => exampleOf(call))
  }

  /** How the calls differ from those before; `undefined` if no run is continued. `isWhole`: all of them have been made. */
  report(isWhole: boolean): DivergenceReport | undefined {
    if (!this.#continues) return undefined
    const notAskedFor = new CallGroups()
    for (const run of this.#before?.completed() ?? []) notAskedFor.add(run.taskName, () => exampleOf(run))
    return {
      diverged: isWhole && notAskedFor.size > 0,
      notAskedFor: notAskedFor.toData(),
      notKnown: this.#notKnown.toData(),
      ranAgain: this.#ranAgain.toData(),
      reused: this.#reused.toData(),
    }
  }
}

const none: readonly RunInput[] = []

function exampleOf(call: ComparedCall) {
  const inputs = inputsText(call)
  return inputs === '' ? { name: call.name } : { name: call.name, inputs }
}

/** What a call was made with, for people: its inputs, or its key, which is their text where they are small. */
export function inputsText({ inputs, inputHash = '' }: ComparedCall): string {
  if (inputs.length > 0) return inputs.map(({ runs, preview }) => preview ?? `run ${runs?.join(', ')}`).join(', ')
  return inputHash.startsWith('#') ? '' : inputHash.replace(/@[\w?]+$/, '')
}

/** Runs of one task: by what they were called with, and those of which that is not known. */
interface RunsOfTask {
  /** One of each nearly always: no list for it. */
  readonly byInput: Map<string, EarlierRun | EarlierRun[]>
  readonly untold: EarlierRun[]
  /** How many have completed, of those that can be told apart. */
  completed: number
}

/** Runs by what was called, and with what. */
class RunsByCall {
  readonly #tasks = new Map<string, RunsOfTask>()

  get isEmpty(): boolean {
    return this.#tasks.size === 0
  }

  add(run: EarlierRun): void {
    let task = this.#tasks.get(run.taskKey)
    if (!task) this.#tasks.set(run.taskKey, (task = { byInput: new Map(), untold: [], completed: 0 }))
    if (run.inputHash === undefined) {
      task.untold.push(run)
      return
    }
    if (run.end === 'completed') task.completed += 1
    const equal = task.byInput.get(run.inputHash)
    if (Array.isArray(equal)) equal.push(run)
    else task.byInput.set(run.inputHash, equal ? [equal, run] : run)
  }

  moveTo(other: RunsByCall): void {
    for (const { byInput, untold } of this.#tasks.values()) {
      for (const runs of byInput.values()) for (const run of listOf(runs)) other.add(run)
      for (const run of untold) other.add(run)
    }
  }

  /** A run with the same inputs: the first that has completed, by the same code if that matters; else one that has not. */
  take({ taskKey, inputHash, taskVersion }: ComparedCall, code: ReusePolicy['code']): EarlierRun | undefined {
    const task = this.#tasks.get(taskKey)
    const found = inputHash === undefined ? undefined : task?.byInput.get(inputHash)
    if (!task || !found || inputHash === undefined) return undefined
    const equal = listOf(found)
    const isGood = (run: EarlierRun) => isGoodFor(run, taskVersion, code)
    let at = equal.findIndex(isGood)
    // One that never began has nothing: if it is a subflow, not even what it would have continued.
    if (at < 0) at = equal.findIndex(({ end }) => end === 'begun')
    if (at < 0) at = equal.findIndex(({ end }) => end !== 'completed')
    if (at < 0) at = 0
    const [run] = equal.splice(at, 1)
    if (equal.length === 0) task.byInput.delete(inputHash)
    if (run?.end !== 'completed') return run
    task.completed -= 1
    return isGood(run) ? run : withoutResult(run)
  }

  /** Whether an equal call of that key is left. */
  has({ taskKey, inputHash }: ComparedCall): boolean {
    return inputHash !== undefined && (this.#tasks.get(taskKey)?.byInput.has(inputHash) ?? false)
  }

  /** Whether one is left that can be taken over. */
  hasGood({ taskKey, inputHash, taskVersion }: ComparedCall, code: ReusePolicy['code']): boolean {
    const found = inputHash === undefined ? undefined : this.#tasks.get(taskKey)?.byInput.get(inputHash)
    return found !== undefined && listOf(found).some(run => isGoodFor(run, taskVersion, code))
  }

  /** The run of a subflow under that id: with the same inputs most likely. */
  takeChild({ taskKey, inputHash = '' }: Pick<ComparedCall, 'taskKey' | 'inputHash'>, childFlowRunId: string): boolean {
    const task = this.#tasks.get(taskKey)
    if (!task) return false
    const isIt = (run: EarlierRun) => run.childFlowRunId === childFlowRunId
    const has = (hash: string) => listOf(task.byInput.get(hash) ?? []).some(isIt)
    const hash = has(inputHash) ? inputHash : [...task.byInput.keys()].find(has)
    if (hash === undefined) return removeFrom(task.untold, isIt) !== undefined
    const equal = listOf(task.byInput.get(hash) ?? [])
    const run = removeFrom(equal, isIt)
    const [only] = equal
    if (!only) task.byInput.delete(hash)
    else task.byInput.set(hash, equal)
    if (run?.end === 'completed') task.completed -= 1
    return true
  }

  /** A run of the task of which nobody knows what it was called with. */
  takeUntold({ taskKey, inputHash }: ComparedCall): EarlierRun | undefined {
    const untold = this.#tasks.get(taskKey)?.untold
    if (!untold || untold.length === 0) return undefined
    // A call that cannot be told from others is rather one that has completed; one that can was rather lost on its way.
    const wanted = inputHash === undefined ? 'completed' : 'begun'
    const at = untold.findIndex(({ end }) => end === wanted)
    const [run] = untold.splice(Math.max(at, 0), 1)
    return run && withoutResult(run)
  }

  hasCompleted(taskKey: string): boolean {
    return (this.#tasks.get(taskKey)?.completed ?? 0) > 0
  }

  /** Those that have completed. */
  *completed(): Iterable<EarlierRun> {
    for (const { byInput, untold } of this.#tasks.values()) {
      for (const runs of byInput.values()) for (const run of listOf(runs)) if (run.end === 'completed') yield run
      for (const run of untold) if (run.end === 'completed') yield run
    }
  }
}

/** Whether a run has completed, by the code that is asked for. */
function isGoodFor(run: EarlierRun, taskVersion: string | undefined, code: ReusePolicy['code']): boolean {
  if (run.end !== 'completed') return false
  return code === 'any' || run.childFlowRunId !== undefined || run.taskVersion === taskVersion
}

function removeFrom(runs: EarlierRun[], isIt: (run: EarlierRun) => boolean): EarlierRun | undefined {
  const at = runs.findIndex(isIt)
  return at < 0 ? undefined : runs.splice(at, 1)[0]
}

function listOf(runs: EarlierRun | EarlierRun[]): EarlierRun[] {
  return Array.isArray(runs) ? runs : [runs]
}

/** The same run, of which nothing can be taken over. */
function withoutResult({ taskKey, taskName, name, inputHash, inputs, end }: EarlierRun): EarlierRun {
  return { taskKey, taskName, name, inputHash, inputs, end }
}
