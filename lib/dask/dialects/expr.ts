import { randomUUID } from 'node:crypto'
import type { Dialect, GraphTask } from '../client/graph.js'
import { guard } from '../payload.js'
import { PyCall, PyGlobal, pyTuple } from '../pickle/objects.js'
import { dumps } from '../pickle/write.js'
import { Serialized } from '../protocol/message.js'
import { apply, importGuard, loads } from './globals.js'
import { commonFields, noSpans } from './hlg.js'

/** Schedulers from 2025.4.0 on: a pickled expression over a graph of `Task` objects. */
export const exprDialect: Dialect = {
  name: 'expr',
  identityFields: { n_workers: -1 },
  updateGraph(tasks, annotations) {
    const graph = new Map(tasks.map(task => [task.key, taskOf(task)]))
    const token = randomUUID().replaceAll('-', '')
    const expression = new PyCall(reconstruct, [lowLevelGraph, graph, token, new Map()])
    return {
      op: 'update-graph',
      // The scheduler reads this one frame as it is: it must be neither split nor compressed.
      expr_ser: new Serialized({ serializer: 'pickle', writeable: [] }, [dumps(expression)]),
      ...commonFields(tasks, annotations),
      span_metadata: noSpans,
    }
  },
  cancelKeys: keys => ({ op: 'cancel-keys', keys, force: false, reason: 'cancelled by its client', msg: '' }),
}

const reconstruct = new PyGlobal('dask._expr', 'Expr._reconstruct')
const lowLevelGraph = new PyGlobal('dask._expr', 'LLGExpr')
const daskTask = new PyGlobal('dask._task_spec', 'Task')
const taskRef = new PyGlobal('dask._task_spec', 'TaskRef')
const daskList = new PyGlobal('dask._task_spec', 'List')

function taskOf({ key, call }: GraphTask): PyCall {
  const deps = new PyCall(
    daskList,
    call.deps.map(key => new PyCall(taskRef, [key])),
  )
  if (call.type === 'node') {
    const args = [key, importGuard, guard, call.payload]
    return new PyCall(daskTask, call.deps.length > 0 ? [...args, deps] : args)
  }
  // A Task takes keyword arguments, which a pickle can only give it by way of `apply`.
  const kwargs = new Map([['buffers', deps]])
  return new PyCall(apply, [daskTask, pyTuple(key, loads, call.pickle), kwargs])
}
