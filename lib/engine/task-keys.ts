import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { TaskCode } from '../core/executor.js'
import { unknownCaptured } from '../core/input-keys.js'
import { shortContentOf } from '../values/hash.js'
import type { TaskDefinition } from './definitions.js'
import { versionOf } from './source.js'
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

const versions = new WeakMap<TaskCode, string>()

/** The version of a task's code: any change of its file counts, of the function's text where there is no file. */
export function taskVersionOf({ code }: TaskDefinition): string {
  let version = versions.get(code)
  if (version === undefined) {
    version = versionOf(fileOf(code)) ?? createHash('sha256').update(String(code.fn)).digest('hex').slice(0, 12)
    versions.set(code, version)
  }
  return version
}

const captured = new WeakMap<TaskCode, string>()

/** What a task captures, as a part of what it is called with. Taken once: captured values are not expected to change. */
export function capturedBy({ code }: TaskDefinition): string | undefined {
  const values = code.source.type === 'slice' ? code.source.captures : undefined
  if (values === undefined || Object.keys(values).length === 0) return undefined
  let key = captured.get(code)
  if (key === undefined) {
    const content = shortContentOf(values)
    key = content === undefined ? unknownCaptured : createHash('sha256').update(content).digest('hex').slice(0, 12)
    captured.set(code, key)
  }
  return key
}

function fileOf({ source }: TaskCode): string | undefined {
  if (source.type === 'slice') return source.file
  return source.type === 'module' && source.url.startsWith('file:') ? fileURLToPath(source.url) : undefined
}
