import type { TaskCode } from './executor.js'

const key = Symbol.for('mintaka.code')

/** What makes a task known as one, to whoever needs its code: executors never see the rest of it. */
export function withTaskCode(code: TaskCode): { readonly [key]: { readonly value: TaskCode } } {
  return { [key]: { value: code } }
}

/** The code of a task; `undefined`: that is none. */
export function taskCodeOf(task: unknown): TaskCode | undefined {
  return typeof task === 'function' ? (task as { [key]?: TaskCode })[key] : undefined
}
