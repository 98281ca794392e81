/** Flow runs and task runs as an engine makes them, and what a flow does with a store. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { enter, type FlowRun, type Run, type TaskRun } from '../lib/core/run.js'
import { states } from '../lib/core/state.js'
import type { Store } from '../lib/core/store.js'
import type { TaskCalls } from '../lib/core/task-calls.js'
import { TaskRecord } from '../lib/engine/task-record.js'
import { codec } from '../lib/values/json.js'

export const flowRunId = 'x3k9fq02ab7z'
/** How many results arrive at once. */
const group = 256

/** Opens a store and creates a flow run in it. */
export async function flowRunIn(store: Store | undefined, owner: string): Promise<FlowRun> {
  await store?.open({ owner, codec, warn: message => console.error(message) })
  const run: FlowRun = {
    kind: 'flow-run',
    id: flowRunId,
    name: 'calm-owl',
    flowName: 'flood',
    executor: 'concurrent',
    created: 1_700_000_000_000,
    tags: [],
    state: states.pending(1_700_000_000_000),
    totalRunTimeMs: 0,
    runCount: 0,
  }
  await store?.createFlowRun(run)
  return run
}

export function seriesOf(run: FlowRun): TaskCalls {
  return { flowRunId: run.id, taskName: 'square', taskKey: '3f9c21d0', tags: [], runName: undefined }
}

export function callsOf(run: FlowRun, count: number, from = 0): TaskRecord[] {
  const calls = seriesOf(run)
  return Array.from({ length: count }, (_, index) => callOf(calls, from + index))
}

/** A task run as the engine makes them. */
export function callOf(calls: TaskCalls, index: number): TaskRecord {
  const pending = states.pending(1_700_000_000_000 + Math.floor(index / 1000))
  return new TaskRecord(calls, index, index, pending, [index], undefined)
}

/** A task run with more to say than a call: each of its states takes a line of its own. */
export function taskRun(flowRunId: string, index: number): TaskRun {
  return {
    kind: 'task-run',
    id: `x3k9fq02ab7z-${index}`,
    name: `square-3f9c21d0-${index}`,
    flowRunId,
    taskName: 'square',
    taskKey: '3f9c21d0',
    dynamicKey: index,
    created: 1_700_000_000_000,
    tags: [],
    inputs: [{ name: '0', preview: String(index) }],
    state: states.pending(1_700_000_000_000 + index),
    totalRunTimeMs: 0,
    runCount: 0,
  }
}

export function begin(store: Store | undefined, run: Run): void {
  const state = states.running(run.created + 1, 1)
  enter(run, state)
  store?.appendState(run, state)
}

export function end(store: Store | undefined, run: TaskRun): unknown {
  const state = states.completed(run.created + 2, run.dynamicKey)
  enter(run, state)
  return store?.appendState(run, state)
}

/** All at once, as a flow of many calls does it; the last acknowledgement is waited for. */
export async function flood(store: Store, runs: readonly TaskRun[]): Promise<void> {
  let last: unknown
  for (const run of runs) {
    store.createTaskRun(run)
    begin(store, run)
    last = end(store, run)
  }
  await last
}

/** As ParallelExecutor does it: all calls are made, then results arrive in groups, in a turn each. */
export async function asThreads(store: Store | undefined, runs: readonly TaskRun[]): Promise<void> {
  for (const run of runs) store?.createTaskRun(run)
  let last: unknown
  for (let index = 0; index < runs.length; ) {
    for (const until = Math.min(runs.length, index + group); index < until; index += 1) {
      begin(store, runs[index]!)
      last = end(store, runs[index]!)
    }
    await nextTurn()
  }
  await last
}
