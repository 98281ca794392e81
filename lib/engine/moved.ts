import type { FlowRun } from '../core/run.js'
import type { Store } from '../core/store.js'
import { briefRunsOf } from './earlier-runs.js'
import { pathsOf, taskKeyAt, taskKeyOf } from './source.js'

/** Former task keys, by the key that the same task has now. */
export type FormerKeys = ReadonlyMap<string, readonly string[]>

/**
 * What the tasks of a flow's own file were called by a flow run, and those that it continues, where the flow is defined in
 * another `file` now. A task key says where its task was defined: without this a file that was moved would do all again.
 */
export async function formerKeysOf(store: Store, flowRunId: string, file: string | undefined): Promise<FormerKeys> {
  const found = new Map<string, string[]>()
  for (let id: string | undefined = flowRunId; id !== undefined && file !== undefined; ) {
    const run: FlowRun | undefined = (await store.getFlowRun(id))?.run
    if (run?.file !== undefined && run.file !== file) await addKeys(found, store, id, run.file, file)
    id = run?.continues
  }
  return found
}

async function addKeys(found: Map<string, string[]>, store: Store, flowRunId: string, before: string, file: string) {
  const paths = pathsOf(before)
  const examples = new Map((await briefRunsOf(store, flowRunId)).map(run => [run.taskKey, run]))
  for (const [key, { id, taskName }] of examples) {
    const tags = (await store.getTaskRun(id))?.run.tags ?? []
    const declared = beginningsOf(tags).find(tags => paths.some(path => taskKeyAt(path, taskName, tags) === key))
    if (!declared) continue
    const now = taskKeyOf(file, taskName, declared)
    const former = found.get(now) ?? []
    if (now !== key && !former.includes(key)) found.set(now, [...former, key])
  }
}

/** A run has the tags that its task declares, then those of what is around the call. */
function beginningsOf(tags: readonly string[]): (readonly string[])[] {
  return [tags, ...tags.map((_, count) => tags.slice(0, count))]
}
