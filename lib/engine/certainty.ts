import type { Dependence } from '../core/dependence.js'
import type { TaskCode } from '../core/executor.js'
import type { TaskDefinition } from './definitions.js'
import type { LeveledLogger } from './logger.js'

/**
 * What all definitions of one name at one place of a file have in common. There may be several: `k => task('times', x => x * k)`
 * makes another task whenever it is called, and by name, file and arguments nobody can tell one from the other.
 */
export class DefinitionPlace {
  #fn: WeakRef<object>
  #several = false

  constructor(fn: object) {
    this.#fn = new WeakRef(fn)
  }

  /** Whether several functions have been given that name there, in this process. */
  get isShared(): boolean {
    return this.#several
  }

  add(fn: object): void {
    if (this.#fn.deref() !== fn) this.#several = true
  }
}

/** Where an earlier result is from: of the same flow run and those that it continues, or of any. */
export type Origin = 'flow run' | 'cache'

interface Looked {
  readonly of: Dependence | undefined
}

/** What is known of each task's code. Many calls may ask before the first has its answer: they wait for the same look. */
const dependences = new WeakMap<TaskCode, Looked | Promise<Looked>>()

/**
 * Whether it is certain that a call of the task with the same values, in the past, was a call of this task. If it is not,
 * the log says so, once for the task. The file of the task is read for that, the first time.
 */
export function isCertain(task: TaskDefinition, origin: Origin, logger: LeveledLogger): boolean | Promise<boolean> {
  const looked = dependences.get(task.code) ?? look(task)
  if (!(looked instanceof Promise)) return judge(task, origin, looked.of, logger)
  return looked.then(({ of }) => judge(task, origin, of, logger))
}

function look({ code, dependence }: TaskDefinition): Promise<Looked> {
  const looking = dependence(code).then(of => {
    const looked = { of }
    dependences.set(code, looked)
    return looked
  })
  dependences.set(code, looking)
  looking.catch(() => dependences.delete(code))
  return looking
}

function judge(task: TaskDefinition, origin: Origin, of: Dependence | undefined, logger: LeveledLogger): boolean {
  const doubt = doubtOf(task, origin, of)
  if (doubt === undefined) return true
  if (!told.has(doubt)) {
    if (told.size < maxTold) told.add(doubt)
    logger.warn(doubt)
  }
  return false
}

const told = new Set<string>()
const maxTold = 10_000

function doubtOf(
  { name, code, place }: TaskDefinition,
  origin: Origin,
  of: Dependence | undefined,
): string | undefined {
  const varying = of && (origin === 'cache' ? [...of.given, ...of.parameters] : of.given)
  const variables = varying?.map(variable => `'${variable}'`).join(', ')
  const what = `Results of task '${name}' are not reused`
  const names = 'or make tasks of different names'
  if (variables)
    return `${what}: it depends on ${variables} of what is around it, which may differ. List that in 'captures', ${names}.`
  if (!place?.isShared || dependsOnNothing(of, origin) || listsCaptures(code)) return undefined
  return `${what}: several were made at one place, and may differ. List in 'captures' what differs, ${names}.`
}

function dependsOnNothing(of: Dependence | undefined, origin: Origin): boolean {
  return of !== undefined && of.locals.length === 0 && (origin === 'flow run' || of.parameters.length === 0)
}

/** Then that is what differs. */
function listsCaptures({ source }: TaskCode): boolean {
  return source.type === 'slice' && Object.keys(source.captures ?? {}).length > 0
}
