import { createHash } from 'node:crypto'
import type { TaskCode } from '../core/executor.js'
import { unknownCaptured } from '../core/input-keys.js'
import type { Store } from '../core/store.js'
import { isPlainObject } from '../core/traverse.js'
import { keyOfArguments, shortContentOf } from '../values/hash.js'
import { keyOfInputs } from './attempt-arguments.js'
import type { TaskDefinition } from './definitions.js'
import { hasShortKey } from './inputs.js'
import { fileOf, versionOf } from './source.js'
import type { TaskExtras } from './task-extras.js'
import type { TaskRecord } from './task-record.js'

/** The key under which a task run's result is cached; `undefined`: not this time. Throws what the user's function throws. */
export function cacheKeyOf(
  task: TaskDefinition,
  { taskKey, taskVersion, tags, inputHash }: TaskRecord,
  flowName: string,
  args: () => readonly unknown[],
): string | undefined {
  const { cacheKey, name } = task
  if (typeof cacheKey === 'function') return cacheKey({ taskName: name, taskKey, flowName, tags }, args())
  if (cacheKey === undefined || inputHash === undefined) return undefined
  return JSON.stringify([taskKey, taskVersion, inputHash])
}

/** Makes the key of what a run is called with, where that does not follow from its record. */
export function takeInputKey(record: TaskRecord, task: TaskDefinition, store: Store, extras?: TaskExtras): void {
  if (task.persistResult === false && !extras?.known) return // nobody would ask for it
  if (record.inputKey !== undefined || store.keepsNothing || extras?.hasNoKey) return
  if (extras?.inputs) record.inputKey = keyOfInputs(extras.inputs)
  else if (record.constants && !hasShortKey(record.constants)) record.inputKey = keyOfArguments(record.constants)
  if (extras) extras.hasNoKey = record.inputKey === undefined
}

const versions = new WeakMap<TaskCode, string>()

/** The version of a task's code: any change of its file counts, of the function's text where there is no file. */
export function taskVersionOf({ code }: TaskDefinition): string {
  let version = versions.get(code)
  if (version === undefined) {
    version = versionOf(fileOf(code.source)) ?? createHash('sha256').update(String(code.fn)).digest('hex').slice(0, 12)
    versions.set(code, version)
  }
  return version
}

/** Of tasks whose captured values cannot change, or cannot be told apart. */
const lasting = new WeakMap<TaskCode, string>()

/**
 * What a task captures, as a part of what it is called with: the values as they are now. They are looked at again for each
 * call, unless they are primitives or frozen.
 */
export function capturedBy({ code }: TaskDefinition, where: 'here' | 'elsewhere'): string | undefined {
  const values = code.source.type === 'slice' ? code.source.captures : undefined
  if (values === undefined || Object.keys(values).length === 0) return undefined
  const known = lasting.get(code)
  if (known !== undefined) return known
  const content = shortContentOf(values)
  const key = content === undefined ? unknownCaptured : createHash('sha256').update(content).digest('hex').slice(0, 12)
  if (content === undefined || Object.values(values).every(value => isLasting(value))) lasting.set(code, key)
  return where === 'here' || isAsSent(code, key) ? key : unknownCaptured
}

const sent = new WeakMap<TaskCode, string>()

/** Workers have the values of the first call: what a later one would be computed from is not what is captured here. */
function isAsSent(code: TaskCode, key: string): boolean {
  const first = sent.get(code)
  if (first === undefined) sent.set(code, key)
  return first === undefined || first === key
}

/** Whether a value will always have the content that it has. */
function isLasting(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return true
  if (!Object.isFrozen(value) || !(Array.isArray(value) || isPlainObject(value))) return false
  seen.add(value)
  const fields = Object.values(Object.getOwnPropertyDescriptors(value))
  return fields.every(field => 'value' in field && isLasting(field.value, seen))
}
