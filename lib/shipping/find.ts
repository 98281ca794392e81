import { MintakaError } from '../core/errors.js'
import type { Definition } from './definitions.js'
import { setupName } from './setup-name.js'
import type { Source } from './source.js'

/** The tasks that a file defines, the function that sets threads up among them, in their order. */
export function tasksOf({ definitions }: Source): Definition[] {
  return definitions.filter(({ kind, fn }) => kind === 'task' || (kind === 'setup' && fn))
}

/** The one place in a file that defines a task. Throws the MintakaError that says why there is not one. */
export function findTask(source: Source, name: string): Definition {
  if (name === setupName) return findSetUp(source)
  const named = tasksOf(source).filter(task => task.name === name)
  const certain = named.filter(({ isCertain }) => isCertain)
  const [task, ...others] = certain.length > 0 ? certain : named
  if (!task) throw notLocated(source, name)
  if (others.length > 0) throw duplicate(source, name, [task, ...others])
  if (!task.fn) throw notLocated(source, name)
  return task
}

/** Nothing tells two of them apart, nor one from those that cannot be seen. */
function findSetUp({ definitions, file, label }: Source): Definition {
  const all = definitions.filter(({ kind }) => kind === 'setup')
  const [only] = all
  if (only?.fn && all.length === 1) return only
  const found = all.length > 1 ? `${all.length} of them are in` : 'none is plain to see in'
  const sentence =
    `The setup of a ParallelExecutor can't be sent to its threads: it is looked for as new ParallelExecutor({ setup: … }), ` +
    `and ${found} ${label}. Make it a task, which has a name: setup: task('set up', () => …).`
  throw new MintakaError('NOT_LOCATED', sentence, { file, ...(only && { line: only.line }) })
}

function notLocated({ file, label }: Source, name: string): MintakaError {
  const sentence =
    `Task '${name}' can't be sent to a worker: there is no call task('${name}', …) with a literal name in ${label}. ` +
    "Write the name as a string literal. If your app is bundled, keep 'mintaka' external."
  return new MintakaError('NOT_LOCATED', sentence, { task: name, file })
}

function duplicate({ file, label }: Source, name: string, tasks: readonly Definition[]): MintakaError {
  const lines = new Intl.ListFormat('en-GB').format(tasks.map(({ line }) => String(line)))
  const count = tasks.length === 2 ? 'Two' : String(tasks.length)
  const sentence = `${count} tasks are named '${name}' in ${label} (lines ${lines}). Give each its own name.`
  return new MintakaError('DUPLICATE_NAME', sentence, { task: name, file, line: tasks[0]!.line })
}
