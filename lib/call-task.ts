import { MintakaError } from './core/errors.js'
import { isUnmapped, type TaskFuture, unmappedValue } from './core/future.js'
import { runInPlace } from './core/in-place.js'
import type { TaskDefinition } from './engine/definitions.js'
import { Future } from './engine/future.js'
import { takeWhole } from './engine/inputs.js'
import { TaskLife } from './engine/run-task.js'
import { currentScope, type Scope } from './engine/scope.js'
import { TaskPromise } from './engine/task-future.js'

/** What a call of a task does: starts a run of it in the flow run around it, or runs it in place in another task. */
export function callTask(definition: TaskDefinition, given: readonly unknown[]): TaskFuture<unknown> {
  const args = given.length === 3 ? withoutIndex(given, definition.code.fn) : given
  const scope = currentScope()
  if (scope.task) return runInPlace(definition.name, definition.code.fn, args)
  const life = start(definition, args, scope)
  // A promise of the language would fetch a result that stays elsewhere although nobody asks for it.
  return life.flow.session.joins ? (new Future(life) as TaskFuture<unknown>) : new TaskPromise(life)
}

/** A call per element of the lists. */
export function mapTask(definition: TaskDefinition, lists: readonly unknown[]): TaskFuture<unknown>[] {
  const length = lengthOf(definition.name, lists)
  const scope = currentScope()
  const columns = lists.map(list =>
    isUnmapped(list) ? takeOnce(definition, unmappedValue(list), length, scope) : list,
  )
  const futures = new Array<TaskFuture<unknown>>(length)
  for (let index = 0; index < length; index++) {
    const args = rowOf(lists, columns, index)
    futures[index] = scope.task
      ? runInPlace(definition.name, definition.code.fn, args)
      : (new Future(start(definition, args, scope)) as TaskFuture<unknown>)
  }
  return futures
}

function start(definition: TaskDefinition, args: readonly unknown[], scope: Scope): TaskLife {
  const { flow } = scope
  if (!flow) {
    const fix = `Call it in the function of a flow, or call ${definition.name}.fn(…) for the plain function.`
    throw new MintakaError('TASK_OUTSIDE_FLOW', `Task '${definition.name}' was called outside a flow. ${fix}`, {
      task: definition.name,
    })
  }
  flow.admit('Task', definition.name, scope.attempt)
  return TaskLife.start(flow, definition, args, scope)
}

/** `xs.map(aTask)` calls with (value, index, array): the value alone is meant. */
function withoutIndex(args: readonly unknown[], fn: (...args: never[]) => unknown): readonly unknown[] {
  if (fn.length >= 3) return args
  const [value, index, array] = args
  return Array.isArray(array) && typeof index === 'number' && Object.is(array[index], value) ? [value] : args
}

/** How many calls the lists of a `map` ask for. */
function lengthOf(name: string, lists: readonly unknown[]): number {
  const lengths = new Set<number>()
  for (const [index, list] of lists.entries()) {
    if (isUnmapped(list)) continue
    if (Array.isArray(list)) lengths.add(list.length)
    else {
      const what = `Argument ${index + 1} of ${name}.map(…) is neither an array nor unmapped(value)`
      throw new MintakaError('INVALID_ARGUMENT', `${what}. To pass one value to every call, write unmapped(value).`)
    }
  }
  const [length] = lengths
  if (length !== undefined && lengths.size === 1) return length
  const what = lengths.size === 0 ? 'has no list' : `has lists of different lengths (${[...lengths].join(', ')})`
  throw new MintakaError('INVALID_ARGUMENT', `${name}.map(…) ${what}. Give one list at least, all equally long.`)
}

/** What each of so many calls is given whole: taken now, for all of them. Calls that run in place take nothing. */
function takeOnce({ name }: TaskDefinition, value: unknown, calls: number, scope: Scope): unknown {
  const { flow, task, attempt } = scope
  if (!flow || task || calls < 2) return value
  flow.admit('Task', name, attempt)
  return takeWhole(value, flow.session.where)
}

/** The arguments of one call. */
function rowOf(lists: readonly unknown[], columns: readonly unknown[], index: number): readonly unknown[] {
  if (lists.length === 1) return [(columns[0] as readonly unknown[])[index]]
  return columns.map((column, at) => (isUnmapped(lists[at]) ? column : (column as readonly unknown[])[index]))
}
