import type { Dialect, GraphTask } from '../client/graph.js'
import { guard } from '../payload.js'
import { pyTuple } from '../pickle/objects.js'
import { dumps } from '../pickle/write.js'
import { apply, importGuard, loads } from './globals.js'

/**
 * Schedulers up to 2023.3.2. Functions and arguments are pickled apart and never opened by the scheduler; dependencies
 * stand among the arguments as their keys.
 */
export const msgpackDialect: Dialect = {
  name: 'msgpack',
  identityFields: {},
  updateGraph(tasks, annotations) {
    const keys = tasks.map(({ key }) => key)
    return {
      op: 'update-graph',
      tasks: Object.fromEntries(tasks.map(task => [task.key, runSpec(task)])),
      dependencies: Object.fromEntries(tasks.map(({ key, call }) => [key, call.deps])),
      keys,
      priority: Object.fromEntries(keys.map((key, index) => [key, index])),
      submitting_task: null,
      fifo_timeout: 0,
      actors: null,
      code: null,
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [name, Object.fromEntries(keys.map(key => [key, value]))]),
      ),
    }
  },
  cancelKeys: () => undefined,
}

const importPickle = dumps(importGuard)
const applyPickle = dumps(apply)

function runSpec({ call }: GraphTask): { function: Uint8Array; args: Uint8Array } {
  if (call.type === 'node') return { function: importPickle, args: dumps(pyTuple(guard, call.payload, [...call.deps])) }
  return { function: applyPickle, args: dumps(pyTuple(loads, [call.pickle], new Map([['buffers', [...call.deps]]]))) }
}
