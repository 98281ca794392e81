import { callSeries, type TaskCalls, taskRunId } from '../core/task-calls.js'
import type { TaskDefinition } from './definitions.js'
import { unite } from './scope.js'
import { capturedBy, taskVersionOf } from './task-keys.js'
import { keyOf } from './task-record.js'

/** How often something was called. */
export interface Counter {
  count: number
}

/** Numbers the calls in a flow run: all of them, for ids; and those of each task key in the present attempt, for names. */
export class CallCounts {
  readonly #flowRunId: string
  #number = 0
  readonly #calls = new Map<TaskDefinition, TaskCalls & { readonly counter: Counter }>()
  readonly #counters = new Map<string, Counter>()

  constructor(flowRunId: string) {
    this.#flowRunId = flowRunId
  }

  /** What the calls of a task have in common, and a counter of its key. */
  of(
    task: TaskDefinition,
    tags: readonly string[],
    where: 'here' | 'elsewhere',
  ): TaskCalls & { readonly counter: Counter } {
    const known = tags.length === 0 ? this.#calls.get(task) : undefined
    if (known && (known.captured === undefined || known.captured === capturedBy(task, where))) return known
    const taskKey = keyOf(task)
    const { name: taskName, runName } = task
    const counter = this.#counterOf(taskKey)
    const flowRunId = this.#flowRunId
    const series = runName === undefined ? callSeries(flowRunId, taskName, taskKey) : undefined
    const version = taskVersionOf(task)
    const captured = capturedBy(task, where)
    const calls = {
      flowRunId,
      taskName,
      taskKey,
      tags: unite(task.tags, tags),
      runName,
      version,
      captured,
      series,
      counter,
    }
    if (tags.length === 0) this.#calls.set(task, calls)
    return calls
  }

  /** The mirror of a subflow run is counted like a call of a task. */
  ofSubflow(taskKey: string): { readonly id: string; readonly dynamicKey: number } {
    return { id: taskRunId(this.#flowRunId, this.next()), dynamicKey: this.#counterOf(taskKey).count++ }
  }

  /** The number of the next call, of whatever. */
  next(): number {
    return this.#number++
  }

  /** Another attempt begins: names begin again where they began, so that its calls are recognised; ids never do. */
  startAfresh(): void {
    this.#calls.clear()
    this.#counters.clear()
  }

  #counterOf(taskKey: string): Counter {
    const known = this.#counters.get(taskKey)
    if (known) return known
    const counter = { count: 0 }
    this.#counters.set(taskKey, counter)
    return counter
  }
}
