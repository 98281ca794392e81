import type { Dialect, GraphTask } from '../client/graph.js'
import { guard } from '../payload.js'
import { PyCall, PyGlobal, pyTuple } from '../pickle/objects.js'
import { dumps } from '../pickle/write.js'
import { Pickled, PySet } from '../protocol/message.js'
import { apply, dict, importGuard, loads } from './globals.js'

/**
 * Schedulers from 2023.4.0 to 2025.3: a pickled HighLevelGraph of one layer, tasks in it as tuples. Those from 2024.5.2 on
 * want to be told of spans, those before do not know the word.
 */
export function hlgDialect(hasSpans: boolean): Dialect {
  return {
    name: 'hlg',
    identityFields: {},
    updateGraph(tasks, annotations) {
      const layer = new Map(tasks.map(task => [task.key, tupleOf(task)]))
      const graph = new PyCall(highLevelGraph, [new Map([['node', layer]]), new Map([['node', new Set()]])])
      return {
        op: 'update-graph',
        graph_header: { serializer: 'pickle', writeable: [] },
        graph_frames: [dumps(new PyCall(toPickle, [graph]))],
        ...commonFields(tasks, annotations),
        ...(hasSpans && { span_metadata: noSpans }),
      }
    },
    cancelKeys: keys => ({ op: 'cancel-keys', keys, force: false }),
  }
}

/** What the messages of this dialect and of the next one share. */
export function commonFields(tasks: readonly GraphTask[], annotations: object): Record<string, unknown> {
  return {
    keys: new PySet(tasks.map(({ key }) => key)),
    internal_priority: Object.fromEntries(tasks.map(({ key }, index) => [key, index])),
    submitting_task: null,
    fifo_timeout: 0,
    actors: null,
    code: Pickled.of([]),
    annotations: Pickled.of(annotations),
  }
}

// Schedulers change these lists in place: as plain msgpack they would be tuples.
export const noSpans = Pickled.of({ collections: [] })

const toPickle = new PyGlobal('distributed.protocol.serialize', 'ToPickle')
const highLevelGraph = new PyGlobal('dask.highlevelgraph', 'HighLevelGraph')
const wrappedKey = new PyGlobal('distributed.utils_comm', 'WrappedKey')

function tupleOf({ call }: GraphTask): unknown {
  const deps = call.deps.map(key => new PyCall(wrappedKey, [key]))
  if (call.type === 'node') return pyTuple(importGuard, guard, call.payload, ...deps)
  return pyTuple(apply, loads, [call.pickle], pyTuple(dict, [['buffers', deps]]))
}
