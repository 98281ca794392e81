import tap, { test } from 'tap'
import { Comm } from '../../../lib/dask/comm/comm.js'
import { RpcPool } from '../../../lib/dask/comm/rpc-pool.js'
import { Serialized } from '../../../lib/dask/protocol/message.js'
import { decodeValue } from '../../../lib/dask/values/decode.js'
import { encodeValue } from '../../../lib/dask/values/encode.js'
import { encodeError } from '../../../lib/dask/values/errors.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { serve } from '../../fixtures/dask/peer.js'
import { startPythonWorker, startScheduler } from '../../fixtures/dask/scheduler.js'

tap.setTimeout(240_000)

type Fields = Readonly<Record<string, unknown>>

/** A server that answers each message by what `answer` gives for it; undefined is no answer. */
async function answering(t: Parameters<typeof serve>[0], answer: (message: Fields, comm: Comm) => unknown) {
  const seen = { connections: 0, messages: [] as unknown[] }
  const address = await serve(t, async socket => {
    seen.connections++
    const comm = await Comm.accept(socket)
    comm.listen(message => {
      seen.messages.push(message)
      const reply = answer(message as Fields, comm)
      if (reply !== undefined) comm.write(reply)
    })
  })
  return { address, seen }
}

function poolFor(t: Parameters<typeof serve>[0], options?: ConstructorParameters<typeof RpcPool>[0]): RpcPool {
  const pool = new RpcPool(options)
  t.teardown(() => pool.close())
  return pool
}

test('a connection that rests is used again, and one that is busy is not', async t => {
  const { address, seen } = await answering(t, ({ n }) => ['answer', n])
  const pool = poolFor(t)
  t.strictSame(await pool.call(address, 'ask', { n: 1 }), ['answer', 1])
  t.strictSame(await pool.call(address, 'ask', { n: 2 }), ['answer', 2])
  t.equal(seen.connections, 1)
  const answers = await Promise.all([3, 4, 5].map(n => pool.call(address, 'ask', { n })))
  t.strictSame(
    answers,
    [3, 4, 5].map(n => ['answer', n]),
  )
  t.ok(seen.connections <= 3)
  t.match(seen.messages[0], { op: 'ask', reply: true, n: 1 })
})

test('a connection that the peer has ended is not used again', async t => {
  const { address, seen } = await answering(t, (_, comm) => {
    comm.write('answer')
    comm.close()
  })
  const pool = poolFor(t)
  for (let count = 1; count <= 3; count++) {
    t.equal(await pool.call(address, 'ask'), 'answer')
    // The end of the connection is on its way behind the answer.
    await new Promise(resolve => setImmediate(resolve))
    await pool.call(address, 'ask').catch(() => {})
  }
  t.ok(seen.connections >= 3)
})

test('a peer that failed is DASK_REMOTE, and its connection is used again', async t => {
  const { exception, traceback, exceptionText, tracebackText } = encodeError(new TypeError('no such thing'))
  const failure = {
    status: 'uncaught-error',
    exception,
    traceback,
    exception_text: exceptionText,
    traceback_text: tracebackText,
  }
  const { address, seen } = await answering(t, ({ op }) => (op === 'fail' ? failure : 'fine'))
  const pool = poolFor(t)
  await t.rejects(pool.call(address, 'fail'), {
    code: 'DASK_REMOTE',
    message: `${address} failed at 'fail': TypeError: no such thing`,
    cause: { name: 'TypeError', message: 'no such thing' },
    op: 'fail',
    address,
  })
  t.equal(await pool.call(address, 'ask'), 'fine')
  t.equal(seen.connections, 1)
})

test('a question that is not answered in time ends its connection', async t => {
  const { address, seen } = await answering(t, ({ op }) => (op === 'slow' ? undefined : 'fine'))
  const pool = poolFor(t, { timeoutMs: 10_000 })
  const late = { code: 'DASK_CONNECT', message: /has not answered in 30 ms/ }
  await t.rejects(pool.call(address, 'slow', {}, { timeoutMs: 30 }), late)
  t.equal(await pool.call(address, 'quick'), 'fine')
  t.equal(seen.connections, 2)
})

test('closing the pool ends what is being asked', async t => {
  let asked: () => void = () => {}
  const arrived = new Promise<void>(resolve => {
    asked = resolve
  })
  const { address } = await answering(t, () => void asked())
  const pool = new RpcPool()
  const asking = pool.call(address, 'slow')
  await arrived
  pool.close()
  await t.rejects(asking, { code: 'DASK_CONNECT' })
  await t.rejects(pool.call(address, 'ask'), { code: 'DASK_CONNECT', message: /have been closed/ })
})

test('values are asked for in two steps', async t => {
  const { serialized } = encodeValue({ a: 1 })
  const { address, seen } = await answering(t, message => {
    return message['op'] === 'get_data' ? { status: 'OK', data: { x: serialized } } : undefined
  })
  const pool = poolFor(t)
  const reply = await pool.getData(address, ['x', 'constructor'], 'tcp://127.0.0.1:1')
  t.equal(reply.status, 'OK')
  if (reply.status !== 'OK') return
  t.strictSame(Object.keys(reply.data), ['x'])
  t.equal(reply.data['constructor'], undefined)
  t.strictSame(decodeValue(reply.data['x']!), { a: 1 })
  await pool.getData(address, ['x'], 'tcp://127.0.0.1:1')
  t.match(seen.messages, [{ op: 'get_data', keys: ['x', 'constructor'], who: 'tcp://127.0.0.1:1' }, 'OK', {}])
  t.equal(seen.connections, 1)
})

test('a worker may be busy', async t => {
  const { address, seen } = await answering(t, () => ({ status: 'busy' }))
  const pool = poolFor(t)
  t.strictSame(await pool.getData(address, ['x'], 'me'), { status: 'busy' })
  t.strictSame(await pool.getData(address, ['x'], 'me'), { status: 'busy' })
  t.equal(seen.messages.length, 2)
})

for (const reply of ['OK', 7, { status: 'OK' }, { status: 'OK', data: { x: 1 } }, { status: 'strange', data: {} }]) {
  test(`values that come as ${JSON.stringify(reply)} are refused`, async t => {
    const { address } = await answering(t, message => (message['op'] === 'get_data' ? reply : undefined))
    await t.rejects(poolFor(t).getData(address, ['x'], 'me'), { code: 'DASK_PROTOCOL', message: /get_data/ })
  })
}

for (const environment of daskEnvironments()) {
  test(`Dask ${environment.version} answers`, async t => {
    const scheduler = await startScheduler(t, environment)
    const worker = await startPythonWorker(t, scheduler.address, environment)
    const pool = poolFor(t, { timeoutMs: 30_000 })
    t.match(await pool.call(scheduler.address, 'versions'), { packages: { distributed: environment.version } })
    await t.rejects(pool.call(scheduler.address, 'gather', { nonsense: 1 }), {
      code: 'DASK_REMOTE',
      pyType: 'builtins.TypeError',
      message: /failed at 'gather': TypeError: .*unexpected keyword argument 'nonsense'/,
      cause: { name: 'TypeError', stack: /Traceback \(most recent call last\):\n {2}File ".*core\.py", line \d+/ },
    })
    const data = { mine: encodeValue({ a: [1, 2] }).serialized }
    // By way of the scheduler: it has values removed of which it does not know.
    const scatter = { data, client: 'Client-test', broadcast: false, timeout: 30, workers: null }
    t.strictSame(await pool.call(scheduler.address, 'scatter', scatter), ['mine'])
    const reply = await pool.getData(worker.address, ['mine', 'other'], 'tcp://127.0.0.1:1')
    t.equal(reply.status, 'OK')
    const { mine } = reply.status === 'OK' ? reply.data : {}
    t.type(mine, Serialized)
    t.strictSame(decodeValue(mine!), { a: [1, 2] })
  })
}
