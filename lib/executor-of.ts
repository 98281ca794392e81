import { MintakaError } from './core/errors.js'
import type { Executor, ExecutorOption } from './core/executor.js'

/** The executor itself, or the one of its class with defaults. */
export function executorOf(flowName: string, option: ExecutorOption): Executor {
  const executor = typeof option === 'function' ? instanceOf(option) : option
  if (typeof executor?.start === 'function' && typeof executor.name === 'string') return executor
  const what = `The executor of flow '${flowName}' has no name or no start()`
  throw new MintakaError('INVALID_OPTION', `${what}. Give an executor such as new ParallelExecutor(), or its class.`)
}

/** One for each class that was given in the place of an executor: flows share it, and with it what it keeps warm. */
const instances = new WeakMap<new () => Executor, Executor>()

function instanceOf(Class: new () => Executor): Executor {
  const known = instances.get(Class)
  if (known) return known
  const made = new Class()
  instances.set(Class, made)
  return made
}
