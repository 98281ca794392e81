import { test } from 'tap'
import { BatchedStream } from '../../../lib/dask/comm/batched-stream.js'
import { pair } from '../../fixtures/dask/peer.js'

test('what is sent in one turn goes together, at once', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 60_000)
  stream.send('one')
  stream.send('two')
  t.strictSame(await far.read(), ['one', 'two'])
})

test('what is sent soon after waits for more', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 25)
  stream.send('first')
  t.strictSame(await far.read(), ['first'])
  for (const message of ['second', 'third']) {
    stream.send(message)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.strictSame(await far.read(), ['second', 'third'])
})

test('what is waiting can be sent now', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 60_000)
  stream.flush()
  stream.send('first')
  await far.read()
  stream.send('second')
  stream.flush()
  t.strictSame(await far.read(), ['second'])
  stream.flush()
  near.close()
  await t.rejects(far.read(), { code: 'DASK_CONNECT' })
})

test('a message that cannot be sent costs itself only', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 1)
  stream.send('before')
  t.throws(() => stream.send({ f: Symbol('x') }), { code: 'INVALID_ARGUMENT' })
  stream.send('after')
  t.strictSame(await far.read(), ['before', 'after'])
})

test('a message is as it was when it was sent', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 1)
  const list = [1]
  stream.send(list)
  list.push(2)
  t.strictSame(await far.read(), [[1]])
})

test('while the peer does not read, messages are kept back, and then go together', async t => {
  const { near, far } = await pair(t)
  near.write(Buffer.alloc(20_000_000))
  t.ok(near.isFull)
  const stream = new BatchedStream(near, 1)
  stream.send('one')
  await new Promise(resolve => setTimeout(resolve, 20))
  stream.send('two')
  t.type(await far.read(), Buffer)
  t.strictSame(await far.read(), ['one', 'two'])
})

test('what is sent after the end is lost, and nobody is hurt', async t => {
  const { near, far } = await pair(t)
  const stream = new BatchedStream(near, 1)
  stream.send('never')
  near.abort()
  stream.send('never')
  stream.flush()
  await t.rejects(far.read(), { code: 'DASK_CONNECT' })
})
