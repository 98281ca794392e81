import assert from 'node:assert/strict'
import { enter, type FlowRun, type Run, type TaskRun } from '../../core/run.js'
import { type State, states } from '../../core/state.js'
import type { Store, StoredRun } from '../../core/store.js'
import { type CallRecord, type TaskCalls, taskRunId, taskRunName } from '../../core/task-calls.js'

/** A test that has a store to itself, opened for that owner. */
export type StoreTest = (name: string, body: (store: Store, owner: string) => Promise<void>) => void

let ids = 0
/** An id that no other run or engine has. */
export const newId = (what: string) => `${what}-${++ids}`

/** A flow run that has not begun. */
export function flowRun(fields: Partial<FlowRun> = {}, state: State = states.pending(1000)): FlowRun {
  return {
    kind: 'flow-run',
    id: newId('flow-run'),
    name: 'calm-owl',
    flowName: 'etl',
    executor: 'concurrent',
    created: 1000,
    tags: [],
    totalRunTimeMs: 0,
    runCount: 0,
    ...fields,
    state,
  }
}

/** A task run that has not begun. */
export function taskRun(flowRunId: string, index = 0): TaskRun {
  return {
    kind: 'task-run',
    id: newId('task-run'),
    name: `load-3f9c21d0-${index}`,
    flowRunId,
    taskName: 'load',
    taskKey: '3f9c21d0',
    dynamicKey: index,
    created: 1000,
    tags: [],
    inputs: [],
    state: states.pending(1000),
    totalRunTimeMs: 0,
    runCount: 0,
  }
}

/** Calls of one task in a flow run. */
export function callsOf(flowRunId: string, taskName: string, tags: readonly string[] = []): TaskCalls {
  return { flowRunId, taskName, taskKey: '3f9c21d0aa', tags, runName: undefined }
}

/** A task run as the engine makes them. */
export function callRecord(calls: TaskCalls, number: number, inputKey?: string): CallRecord {
  const { flowRunId, taskName, taskKey, tags, version, captured } = calls
  const record = {
    ...taskRun(flowRunId, number),
    id: taskRunId(flowRunId, number),
    name: taskRunName(taskName, taskKey, number),
    taskName,
    taskKey,
    tags,
    inputs: [{ name: '0', preview: inputKey === undefined ? String(number) : 'Array(3)' }],
    inputHash: inputKey ?? (captured === undefined ? String(number) : `${number}@${captured}`),
    taskVersion: version,
  }
  // What only says the same once more is not part of what is compared.
  const constants = inputKey === undefined ? [number] : undefined
  const more: Pick<CallRecord, 'calls' | 'number' | 'constants' | 'inputKey'> = { calls, number, constants, inputKey }
  for (const key of Object.keys(more)) Object.defineProperty(more, key, { enumerable: false })
  return Object.defineProperties({ ...record, ...more }, Object.getOwnPropertyDescriptors(more))
}

/** The run enters a state, which is appended. */
export async function change(store: Store, run: Run, state: State): Promise<void> {
  enter(run, state)
  await store.appendState(run, state)
}

/** What a run that is COMPLETED has given. */
export function resultOf({ run: { state } }: StoredRun): unknown {
  assert.equal(state.type, 'COMPLETED')
  return state.type === 'COMPLETED' ? state.result : undefined
}

/** The ids of what is listed, in that order. */
export async function idsOf(listed: Promise<StoredRun[]>): Promise<string[]> {
  return (await listed).map(({ run }) => run.id)
}

/** A record without what makes it more than data: no brand, no fields that are `undefined`, errors as their texts. */
export function plain(value: unknown): unknown {
  if (value instanceof Error) return { ...value, name: value.name, message: value.message }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Object.prototype.toString.call(value) !== '[object Object]')
    return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, plain(field)]),
  )
}
