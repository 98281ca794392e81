import type { Fields } from '../../lib/dask/protocol/fields.js'
import { isFields } from '../../lib/dask/protocol/fields.js'
import { malformed } from '../../lib/dask/protocol/malformed.js'
import type { Computed, Failed } from './execution.js'
import type { ToScheduler } from './instruction.js'
import type { KeyNames } from './key-names.js'
import { type Spec, specOf } from './run-spec.js'
import type { FromScheduler, Whereabouts } from './stimulus.js'
import type { Stored } from './store.js'
import type { Order } from './task.js'

/** What a message of the scheduler means to the machine; `undefined`: it is for others. Throws DASK_PROTOCOL. */
export function stimulusOf(message: Fields, names: KeyNames): FromScheduler<Spec> | undefined {
  const { op } = message
  switch (op) {
    case 'compute-task':
      return computeTask(message, names)
    case 'free-keys':
    case 'remove-replicas':
      return { type: op, keys: names.namesOf(message['keys']) }
    case 'acquire-replicas':
      return { type: op, whoHas: whereabouts(message) }
    case 'steal-request':
      return { type: op, key: names.nameOf(message['key']), stimulusId: text(message, 'stimulus_id') }
    case 'cancel-compute':
      return { type: op, key: names.nameOf(message['key']) }
    case 'refresh-who-has':
      return { type: op, whoHas: addressesIn(map(message, 'who_has')) }
    case 'remove-worker':
      return { type: op, address: text(message, 'worker') }
    default:
      return undefined
  }
}

function computeTask(message: Fields, names: KeyNames): FromScheduler<Spec> {
  const key = names.nameOf(message['key'])
  const spec = specOf(key, message)
  const whoHas = whereabouts(message)
  const { run_id: runId, priority, resource_restrictions: resources } = message
  const order: Order<Spec> = {
    spec,
    runId: typeof runId === 'number' ? runId : undefined,
    priority: Array.isArray(priority) ? priority.map(Number) : [],
    resources: amounts(resources),
    // Code and data are there at once; a task that is refused need not even wait for its values.
    threads: spec.type === 'call' ? 1 : 0,
    dependencies: spec.type === 'call' ? [...whoHas.keys()] : [],
  }
  return { type: 'compute-task', key, order, whoHas }
}

function whereabouts(message: Fields): Whereabouts {
  const sizes = map(message, 'nbytes')
  const places = addressesIn(map(message, 'who_has'))
  return new Map([...places].map(([key, addresses]) => [key, { addresses, nbytes: Number(sizes[key] ?? 0) }]))
}

export function addressesIn(whoHas: Fields): Map<string, string[]> {
  return new Map(
    Object.entries(whoHas).map(([key, addresses]) => [key, Array.isArray(addresses) ? addresses.map(String) : []]),
  )
}

function amounts(resources: unknown): Record<string, number> {
  if (!isFields(resources)) return {}
  return Object.fromEntries(Object.entries(resources).map(([name, amount]) => [name, Number(amount)]))
}

/** A field that must be a map. Throws DASK_PROTOCOL. */
export function map(message: Fields, name: string): Fields {
  const value = message[name]
  if (isFields(value)) return value
  throw malformed(`the message '${String(message['op'])}' has no '${name}'`)
}

function text(message: Fields, name: string): string {
  const value = message[name]
  if (typeof value === 'string') return value
  throw malformed(`the message '${String(message['op'])}' has no '${name}'`)
}

/** What is needed for messages to the scheduler. */
export interface MessageSurroundings {
  readonly names: KeyNames
  /** What is kept of a key. */
  stored(key: string): Stored | undefined
  /** By how much the scheduler's clock is ahead, in seconds. */
  readonly schedulerDelay: number
}

let count = 0

/** A message that the scheduler understands. Any other field of it, or one less, would be the end of the connection. */
export function messageOf(said: ToScheduler<Failed>, around: MessageSurroundings): Record<string, unknown> {
  const { names } = around
  const stimulus_id = `${said.type}-node-${++count}`
  switch (said.type) {
    case 'task-finished':
      return { ...finished(said.key, around), ...runIdOf(said), stimulus_id }
    case 'task-erred':
      return { ...erred(said.key, said.failure, around), ...runIdOf(said), stimulus_id }
    case 'reschedule':
    case 'release-worker-data':
      return { op: said.type, key: names.keyOf(said.key), stimulus_id }
    case 'add-keys':
    case 'request-refresh-who-has':
      return { op: said.type, keys: names.keysOf(said.keys), stimulus_id }
    case 'steal-response':
      return { op: said.type, key: names.keyOf(said.key), state: said.state, stimulus_id: said.stimulusId }
  }
}

// Schedulers that gave none would not know what to do with it.
function runIdOf({ runId }: { readonly runId: number | undefined }) {
  return runId === undefined ? {} : { run_id: runId }
}

function finished(key: string, { names, stored, schedulerDelay }: MessageSurroundings) {
  const value = stored(key)
  if (!value) throw new Error(`The value of ${key} is told, and not kept.`)
  const { nbytes, type, typeName, computed } = value
  return {
    op: 'task-finished',
    status: 'OK',
    key: names.keyOf(key),
    nbytes,
    type,
    typename: typeName,
    metadata: {},
    thread: computed?.thread ?? null,
    startstops: startstops(computed, schedulerDelay),
  }
}

function erred(key: string, { error, computed }: Failed, { names, schedulerDelay }: MessageSurroundings) {
  return {
    op: 'task-erred',
    status: 'error',
    key: names.keyOf(key),
    exception: error.exception,
    traceback: error.traceback,
    exception_text: error.exceptionText,
    traceback_text: error.tracebackText,
    thread: computed?.thread ?? null,
    startstops: startstops(computed, schedulerDelay),
  }
}

function startstops(computed: Computed | undefined, delay: number) {
  if (!computed) return []
  return [{ action: 'compute', start: computed.start + delay, stop: computed.stop + delay }]
}
