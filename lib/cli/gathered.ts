import type { RunTree } from './run-tree.js'

type TaskRunOfTree = RunTree['taskRuns'][number]

/** Many calls of one task of which nothing is to be said but how they ended. */
export interface Gathered {
  readonly taskName: string
  readonly count: number
  /** One of them. */
  readonly first: TaskRunOfTree
}

/** So many task runs of a flow run are listed one by one. */
const readable = 1000

/**
 * The task runs of a flow run as a person wants them: one by one while they are few. Of more, those that completed at
 * the first attempt are gathered by task, in the place of the first one; the others, and subflows, stay as they are.
 */
export function gathered(taskRuns: RunTree['taskRuns']): readonly (TaskRunOfTree | Gathered)[] {
  if (taskRuns.length <= readable) return taskRuns
  const rows: (TaskRunOfTree | Gathering)[] = []
  const gatherings = { Completed: new Map<string, Gathering>(), Cached: new Map<string, Gathering>() }
  for (const each of taskRuns) {
    const { run } = each.taskRun
    if (each.child || run.runCount > 1 || run.state.type !== 'COMPLETED') {
      rows.push(each)
      continue
    }
    const known = gatherings[run.state.name].get(run.taskName)
    if (known) known.count += 1
    else {
      const gathering = { taskName: run.taskName, count: 1, first: each }
      gatherings[run.state.name].set(run.taskName, gathering)
      rows.push(gathering)
    }
  }
  return rows
}

/** While it grows. */
interface Gathering extends Gathered {
  count: number
}
