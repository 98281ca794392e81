import { AsyncLocalStorage } from 'node:async_hooks'
import { type Annotations, checkAnnotations, mergeAnnotations } from '../core/annotations.js'
import type { FlowContext, TaskContext } from '../core/context.js'
import { workerDoor } from '../core/door.js'
import { MintakaError } from '../core/errors.js'
import type { FlowLife } from './run-flow.js'

/**
 * Where the running code stands. A flow's body and everything it starts share the flow's scope; `annotate` and `tags`
 * nest scopes within it; a task's body has a scope of its own, in which no run may be started.
 */
export interface Scope {
  readonly flow: FlowLife | undefined
  /** The attempt of that flow run. A body that was left behind by a retry may start nothing. */
  readonly attempt: number
  /** Made when it is first asked for. Present: the code is a task's. */
  readonly task: { context(): TaskContext } | undefined
  /** For sentences. */
  readonly taskName: string | undefined
  readonly tags: readonly string[]
  readonly annotations: Annotations | undefined
}

export const scopes = new AsyncLocalStorage<Scope>()

/** Where code stands that is no run's. */
export const outside: Scope = {
  flow: undefined,
  attempt: 0,
  task: undefined,
  taskName: undefined,
  tags: [],
  annotations: undefined,
}

export function currentScope(): Scope {
  return scopes.getStore() ?? outside
}

/**
 * Adds annotations to every task called in `body`, subflows' tasks included. Scopes nest: inner over outer. Misspelt
 * annotations are refused with INVALID_ANNOTATION.
 */
export function annotate<T>(annotations: Annotations, body: () => T): T {
  const scope = currentScope()
  return scopes.run({ ...scope, annotations: mergeAnnotations(scope.annotations, checkAnnotations(annotations)) }, body)
}

/** Adds tags to every run started in `body`, subflows' included. Scopes nest and unite. */
export function tags<T>(names: readonly string[], body: () => T): T {
  const scope = currentScope()
  return scopes.run({ ...scope, tags: unite(scope.tags, names) }, body)
}

/** Both lists, each name once. */
export function unite(some: readonly string[], more: readonly string[]): readonly string[] {
  if (more.length === 0) return some
  if (some.length === 0) return more
  return [...new Set([...some, ...more])]
}

/** The run of the task that is running: its ids, its signal, its log. Throws OUTSIDE_RUN outside a task. */
export function taskContext(): TaskContext {
  const { task } = currentScope()
  if (task) return task.context()
  const door = workerDoor()
  if (door) return door.taskContext() as TaskContext
  throw new MintakaError('OUTSIDE_RUN', 'taskContext() was called outside a task. Call it in the function of a task.')
}

/** The run of the flow around the running code. Throws OUTSIDE_RUN outside a flow, and in a task. */
export function flowContext(): FlowContext {
  const scope = currentScope()
  if (scope.flow && !scope.task) return scope.flow.context()
  const where = scope.task ? `in task '${scope.taskName}'; a task has taskContext()` : 'outside a flow'
  throw new MintakaError('OUTSIDE_RUN', `flowContext() was called ${where}. Call it in the function of a flow.`)
}
