import { test } from 'tap'
import { encodePayload, guard } from '../../../lib/dask/payload.js'
import { PyGlobal, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { type Fields, isFields } from '../../../lib/dask/protocol/fields.js'
import { decodeMessage, encodeMessage, Pickled } from '../../../lib/dask/protocol/message.js'
import { encodeError } from '../../../lib/dask/values/errors.js'
import { pickled } from '../../../lib/dask/values/families.js'
import { KeyNames } from '../../../workers/dask/key-names.js'
import { messageOf, stimulusOf } from '../../../workers/dask/messages.js'
import { foreignStored } from '../../../workers/dask/stored-values.js'

/** As it arrives. */
const received = (message: unknown): Fields => {
  const fields = decodeMessage(encodeMessage(message))
  if (!isFields(fields)) throw new Error('no map')
  return fields
}
const names = new KeyNames()
const heard = (message: unknown) => stimulusOf(received(message), names)
const spec = (type: 'call' | 'data') =>
  Pickled.of(
    pyTuple(new PyGlobal('builtins', '__import__'), pyTuple(guard, encodePayload({ type, value: 1 } as never))),
  )

test('an order is read with what the scheduler says of its dependencies', async t => {
  const order = heard({
    ...{ op: 'compute-task', key: 'x', run_id: 7, priority: [0, 1, -2], stimulus_id: 's', run_spec: spec('call') },
    ...{ who_has: { d: ['tcp://a:1'] }, nbytes: { d: 5 }, resource_restrictions: { node: 1e-9 } },
  })
  t.match(order, {
    type: 'compute-task',
    key: 'x',
    order: { runId: 7, priority: [0, 1, -2], resources: { node: 1e-9 }, threads: 1, dependencies: ['d'] },
  })
  t.strictSame(order?.type === 'compute-task' && [...order.whoHas], [['d', { addresses: ['tcp://a:1'], nbytes: 5 }]])
})

test('an order of an old scheduler has no run id and no resources; data takes no thread', async t => {
  const order = heard({ op: 'compute-task', key: 'x', priority: [1], run_spec: spec('data'), who_has: {}, nbytes: {} })
  t.match(order, { order: { resources: {}, threads: 0, dependencies: [] } })
  t.equal(order?.type === 'compute-task' && order.order.runId, undefined)
})

test('all else that the scheduler says', async t => {
  t.strictSame(heard({ op: 'free-keys', keys: ['a', ['t', 1]] }), { type: 'free-keys', keys: ['a', '["t",1]'] })
  t.strictSame(heard({ op: 'remove-replicas', keys: ['a'] }), { type: 'remove-replicas', keys: ['a'] })
  t.strictSame(heard({ op: 'steal-request', key: 'a', stimulus_id: 's' }), {
    type: 'steal-request',
    key: 'a',
    stimulusId: 's',
  })
  t.strictSame(heard({ op: 'cancel-compute', key: 'a' }), { type: 'cancel-compute', key: 'a' })
  t.strictSame(heard({ op: 'remove-worker', worker: 'w' }), { type: 'remove-worker', address: 'w' })
  t.strictSame(heard({ op: 'refresh-who-has', who_has: { a: ['w'] } }), {
    type: 'refresh-who-has',
    whoHas: new Map([['a', ['w']]]),
  })
  t.strictSame(heard({ op: 'acquire-replicas', who_has: { a: ['w'] }, nbytes: { a: 3 } }), {
    type: 'acquire-replicas',
    whoHas: new Map([['a', { addresses: ['w'], nbytes: 3 }]]),
  })
  t.equal(heard({ op: 'close' }), undefined)
})

test('a message that lacks something is not understood', async t => {
  t.throws(() => heard({ op: 'compute-task', key: 'x', run_spec: null }), { code: 'DASK_PROTOCOL' })
  t.throws(() => heard({ op: 'steal-request', key: 'x' }), { code: 'DASK_PROTOCOL' })
})

test('what is told has the fields that the scheduler expects, and keys as it knows them', async t => {
  const stored = { ...foreignStored(pickled(dumps(5))), typeName: 'int', computed: { start: 10, stop: 11, thread: 2 } }
  const around = { names, stored: () => stored, schedulerDelay: 100 }
  names.nameOf(['t', 1])
  const finished = messageOf({ type: 'task-finished', key: '["t",1]', runId: 3 }, around)
  t.match(finished, {
    ...{
      op: 'task-finished',
      status: 'OK',
      key: ['t', 1],
      run_id: 3,
      nbytes: 5,
      typename: 'int',
      metadata: {},
      thread: 2,
    },
    startstops: [{ action: 'compute', start: 110, stop: 111 }],
  })
  t.notOk('run_id' in messageOf({ type: 'task-finished', key: 'x', runId: undefined }, around))
  const failure = { error: encodeError(new TypeError('no')), computed: undefined }
  t.match(messageOf({ type: 'task-erred', key: 'x', runId: 4, failure }, around), {
    ...{
      op: 'task-erred',
      status: 'error',
      key: 'x',
      run_id: 4,
      exception_text: 'TypeError: no',
      thread: null,
      startstops: [],
    },
  })
  t.match(messageOf({ type: 'add-keys', keys: ['x', '["t",1]'] }, around), { op: 'add-keys', keys: ['x', ['t', 1]] })
  t.match(messageOf({ type: 'reschedule', key: 'x' }, around), { op: 'reschedule', key: 'x' })
  t.strictSame(messageOf({ type: 'steal-response', key: 'x', state: null, stimulusId: 's' }, around), {
    op: 'steal-response',
    key: 'x',
    state: null,
    stimulus_id: 's',
  })
  t.throws(() => messageOf({ type: 'task-finished', key: 'x', runId: 1 }, { ...around, stored: () => undefined }))
})

test('keys that are no strings come out as they came in', async t => {
  for (const key of ['x', ['x', 0], ['x', ['y', 1]], 7, '[not a tuple', '[odd]']) {
    t.strictSame(names.keyOf(names.nameOf(key)), key, JSON.stringify(key))
  }
  t.strictSame(names.keysOf(['["from a map",1]', 'y']), [['from a map', 1], 'y'])
  t.strictSame(names.namesOf(undefined), [])
})
