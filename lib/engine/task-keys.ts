import { hashValue } from '../values/hash.js'
import type { TaskDefinition } from './definitions.js'
import { versionOf } from './source.js'
import type { TaskRecord } from './task-record.js'

/** The key under which a task run's result is cached; `undefined`: not this time. Throws what the user's function throws. */
export function cacheKeyOf(
  task: TaskDefinition,
  { taskKey, tags }: TaskRecord,
  flowName: string,
  args: readonly unknown[],
): string | undefined {
  const { cacheKey, name } = task
  if (typeof cacheKey === 'function') return cacheKey({ taskName: name, taskKey, flowName, tags }, args)
  if (cacheKey === undefined) return undefined
  return hashValue([taskKey, codeVersion(task), capturesOf(task), args])
}

/** Tells equal calls of one flow run's attempts: the same task, with the same captured values and arguments. */
export function reuseKeyOf(task: TaskDefinition, taskKey: string, args: readonly unknown[]): string | undefined {
  return hashValue([taskKey, capturesOf(task), args])
}

/** Edited code must miss the cache: any change of its file counts, of the function's text where there is no file. */
function codeVersion({ code }: TaskDefinition): string {
  const file = code.source.type === 'slice' ? code.source.file : undefined
  return versionOf(file) ?? String(code.fn)
}

function capturesOf({ code }: TaskDefinition): Readonly<Record<string, unknown>> | undefined {
  return code.source.type === 'slice' ? code.source.captures : undefined
}
