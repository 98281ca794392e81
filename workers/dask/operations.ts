import type { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import type { Fields } from '../../lib/dask/protocol/fields.js'
import { Serialized } from '../../lib/dask/protocol/message.js'
import { benchmarkDisk, benchmarkMemory, benchmarkNetwork } from './benchmark.js'
import type { WorkerCore } from './core.js'
import type { KeyNames } from './key-names.js'
import type { WorkerLog } from './log.js'
import { addressesIn, map } from './messages.js'
import { Outgoing } from './outgoing.js'
import { versions } from './scheduler-link.js'
import { failure, type Operation } from './server.js'

/** What can be asked of a worker refers to these. */
export interface OperationSurroundings {
  readonly core: WorkerCore
  readonly names: KeyNames
  readonly log: WorkerLog
  readonly rpc: RpcPool
  readonly folder: string
  readonly id: string
  readonly name: string | number
  readonly schedulerAddress: string
  readonly nthreads: number
  readonly memoryLimitBytes: number
  /** Whether the worker rests: then it serves one peer at a time. */
  readonly isPaused: () => boolean
  readonly terminate: (reason: string) => void
}

/** All that peers, scheduler and clients may ask of a worker, by name. */
export function operationsOf(around: OperationSurroundings): ReadonlyMap<string, Operation> {
  return new Map<string, Operation>([...data(around), ...diagnostics(around), ...control(around), ...pythonOnly()])
}

type Entries = [string, Operation][]

function data({ core, names, isPaused }: OperationSurroundings): Entries {
  const outgoing = new Outgoing(core, isPaused)
  return [
    ['get_data', (message, comm) => outgoing.serve(names.namesOf(message['keys']), names, comm)],
    ['keys', () => names.keysOf(core.store.keys)],
    ['update_data', message => updateData(core, names, map(message, 'data'))],
    [
      'gather',
      async message => {
        const missing = await core.gather(addressesIn(map(message, 'who_has')))
        return missing.length === 0 ? { status: 'OK' } : { status: 'partial-fail', keys: names.keysOf(missing) }
      },
    ],
    [
      'free_keys',
      message => {
        core.handle({ type: 'free-keys', keys: names.namesOf(message['keys']) })
        return { status: 'OK' }
      },
    ],
  ]
}

// The scheduler hears of these values by this answer. An `add-keys` would come too early: it would have them removed.
function updateData(core: WorkerCore, names: KeyNames, data: Fields) {
  const values = Object.entries(data).filter((entry): entry is [string, Serialized] => entry[1] instanceof Serialized)
  core.scatter(new Map(values))
  const nbytes = new Map(values.map(([key]) => [names.keyOf(key), core.store.get(key)?.nbytes ?? 0]))
  return { status: 'OK', nbytes }
}

function diagnostics(around: OperationSurroundings): Entries {
  const { core, names, log, id, name, schedulerAddress, nthreads, memoryLimitBytes, folder, rpc } = around
  const identity = () => ({
    type: 'Worker',
    id,
    name,
    scheduler: schedulerAddress,
    nthreads,
    memory_limit: memoryLimitBytes,
  })
  return [
    ['ping', () => Buffer.from('pong')],
    ['echo', ({ data }) => data],
    ['identity', identity],
    ['versions', versions],
    ['get_logs', ({ n }) => log.latest(typeof n === 'number' ? n : undefined)],
    ['get_story', ({ keys_or_stimuli: keys }) => storyOf(core, names.namesOf(keys))],
    ['dump_state', () => ({ ...identity(), tasks: core.machine.counts, story: storyOf(core) })],
    // Stacks and profiles are those of Python threads: there are none.
    ['call_stack', () => ({})],
    ['profile', () => emptyProfile],
    ['profile_metadata', () => ({ counts: [], keys: [] })],
    ['get_monitor_info', () => ({ range_query: {}, count: 0, last_time: 0 })],
    ['benchmark_disk', () => benchmarkDisk(folder)],
    ['benchmark_memory', () => benchmarkMemory()],
    ['benchmark_network', ({ address }) => benchmarkNetwork(rpc, String(address))],
  ]
}

function storyOf(core: WorkerCore, keys?: readonly string[]) {
  return core.machine.story(keys).map(({ key, from, to, because }) => [key, from, to, because])
}

const emptyProfile = {
  count: 0,
  children: {},
  identifier: 'root',
  description: { filename: '', name: '', line_number: 0, line: '' },
}

function control({ terminate }: OperationSurroundings): Entries {
  const accept = () => ({ status: 'OK' })
  return [
    [
      'terminate',
      ({ reason }) => {
        terminate(typeof reason === 'string' ? reason : 'terminate')
        return 'OK'
      },
    ],
    ['plugin-add', accept],
    ['plugin-remove', accept],
  ]
}

/** Whoever asks for these has a client of Python, which raises the error. */
function pythonOnly(): Entries {
  const run = ['run', 'run_coroutine']
  const others = ['actor_execute', 'actor_attribute', 'upload_file']
  const refuse = (op: string, status: 'error' | 'uncaught-error'): Operation => {
    const error = new Error(`This is a Node worker: it cannot '${op}' what is written in Python.`)
    error.stack = error.message
    return () => failure(error, status)
  }
  return [
    ...run.map((op): [string, Operation] => [op, refuse(op, 'error')]),
    ...others.map((op): [string, Operation] => [op, refuse(op, 'uncaught-error')]),
  ]
}
