import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { Comm } from '../../../lib/dask/comm/comm.js'
import { Serialized } from '../../../lib/dask/protocol/message.js'
import { helloBytes, pair, serve, wireBytes } from '../../fixtures/dask/peer.js'

/** Why a connection has ended. */
function ending(comm: Comm): Promise<Error | undefined> {
  return new Promise(resolve => comm.whenClosed(resolve))
}

test('messages go both ways, in order', async t => {
  const { near, far } = await pair(t)
  for (const op of ['first', 'second', 'third']) near.write({ op })
  far.write(['answer'])
  t.strictSame(
    [await far.read(), await far.read(), await far.read()].map(message => ({ ...(message as object) })),
    [{ op: 'first' }, { op: 'second' }, { op: 'third' }],
  )
  t.strictSame(await near.read(), ['answer'])
  t.match(near.peer, /^tcp:\/\/127\.0\.0\.1:\d+$/)
  t.match(far.peer, /^tcp:\/\/127\.0\.0\.1:\d+$/)
})

test('messages that come with the hello are there for who reads', async t => {
  const stream = Buffer.concat([helloBytes, wireBytes('reply', 'task 1', 'task 2')])
  const comm = await Comm.connect(await serve(t, socket => void socket.write(stream)))
  t.strictSame([await comm.read(), await comm.read(), await comm.read()], ['reply', 'task 1', 'task 2'])
  comm.abort()
})

test('messages that came before anybody listened are told first', async t => {
  const stream = Buffer.concat([helloBytes, wireBytes('reply', 'task 1', 'task 2')])
  const address = await serve(t, socket => {
    socket.write(stream)
    socket.on('data', () => void socket.write(wireBytes('task 3')))
  })
  const comm = await Comm.connect(address)
  t.equal(await comm.read(), 'reply')
  const heard: unknown[] = []
  await new Promise<void>(resolve => {
    comm.listen(message => {
      heard.push(message)
      if (heard.length === 2) comm.write('go on')
      if (message === 'task 3' && heard.length > 2) resolve()
    })
  })
  t.strictSame(heard.slice(0, 2), ['task 1', 'task 2'])
  comm.abort()
})

test('what has arrived can be read after the other side has gone', async t => {
  const address = await serve(t, socket => void socket.end(Buffer.concat([helloBytes, wireBytes('last words')])))
  const comm = await Comm.connect(address)
  t.match((await ending(comm))?.message, /was lost: the other side closed it/)
  t.equal(await comm.read(), 'last words')
  await t.rejects(comm.read(), { code: 'DASK_CONNECT', message: new RegExp(`${address} was lost`) })
})

test('the end is told to all who wait', async t => {
  const { near, far } = await pair(t)
  const reading = near.read()
  far.abort()
  await t.rejects(reading, { code: 'DASK_CONNECT', message: /was lost/ })
  t.ok(near.isClosed)
  t.match(await ending(near), { code: 'DASK_CONNECT', peer: near.peer })
  t.throws(() => near.write('more'), { code: 'DASK_CONNECT' })
  await t.rejects(near.read(), { code: 'DASK_CONNECT' })
  await near.drained()
})

test('closing by this side is no error', async t => {
  const { near, far } = await pair(t)
  const reading = near.read()
  near.close()
  t.equal(await ending(near), undefined)
  await t.rejects(reading, { code: 'DASK_CONNECT', message: /has been closed/ })
  t.throws(() => near.write('more'), { code: 'DASK_CONNECT', message: /has been closed/ })
  t.match(await ending(far), { code: 'DASK_CONNECT' })
  near.close()
  near.abort()
})

test('what was written before closing arrives', async t => {
  const { near, far } = await pair(t)
  const bytes = Buffer.alloc(20_000_000, 7)
  near.write({ value: new Serialized({ serializer: 'dask' }, [bytes]) })
  near.close()
  const { value } = (await far.read()) as { value: Serialized }
  t.ok(Buffer.from(value.frames[0]!).equals(bytes))
})

test('a listener that throws ends the connection, and is the reason', async t => {
  const { near, far } = await pair(t)
  let heard = 0
  near.listen(() => {
    heard++
    throw new RangeError('of the listener')
  })
  far.write('one')
  far.write('two')
  t.match(await ending(near), { name: 'RangeError', message: 'of the listener' })
  t.equal(heard, 1)
})

test('nothing is told after this side has closed', async t => {
  const { near, far } = await pair(t)
  const heard: unknown[] = []
  near.listen(message => {
    heard.push(message)
    near.close()
  })
  for (const message of ['one', 'two', 'three']) far.write(message)
  t.match(await ending(far), { code: 'DASK_CONNECT' })
  t.strictSame(heard, ['one'])
})

test('an answer that does not come is an error, and the next one is not lost', async t => {
  const { near, far } = await pair(t)
  await t.rejects(near.read(20), { code: 'DASK_CONNECT', message: `${near.peer} has not answered in 20 ms.` })
  const next = near.read(10_000)
  far.write('here')
  t.equal(await next, 'here')
})

test('a peer whose messages nobody reads has to wait', async t => {
  const { near, far } = await pair(t)
  const chunk = Buffer.alloc(100_000)
  let written = 0
  while (!far.isFull && written < 1_000) far.write([written++, chunk])
  for (let full = far.isFull, idle = 0; full && idle < 50; idle++) {
    await turn()
    for (; !far.isFull && written < 1_000; written++) far.write([written, chunk])
    full = far.isFull
  }
  t.ok(written < 1_000, `${written} messages were taken in`)
  for (let index = 0; index < written; index++) {
    const [number] = (await near.read()) as [number]
    if (number !== index) t.fail(`message ${number} instead of ${index}`)
  }
  await far.drained()
  t.notOk(far.isFull)
})

test('who waits until it is drained is told when it is', async t => {
  const { near, far } = await pair(t)
  near.write({ value: Buffer.alloc(30_000_000) })
  t.ok(near.isFull)
  const waiting = Promise.all(Array.from({ length: 20 }, () => near.drained()))
  far.listen(() => {})
  await waiting
  t.notOk(near.isFull)
})

test('what is not a message of Dask names who sent it', async t => {
  const { near, far } = await pair(t)
  const address = await serve(t, socket => {
    socket.write(helloBytes)
    socket.once('data', () => void socket.write('GET / HTTP/1.1\r\nHost: example\r\n\r\n'))
  })
  const comm = await Comm.connect(address)
  const reading = comm.read()
  await t.rejects(reading, {
    code: 'DASK_PROTOCOL',
    message: /^tcp:\/\/.* sent what is not a message of Dask: it has \d+ frames/,
  })
  t.match(await ending(comm), { code: 'DASK_PROTOCOL', peer: address })
  near.write({ __Serialized__: 7 })
  await t.rejects(far.read(), { code: 'DASK_PROTOCOL', message: /refers to frame 7 of 1/ })
})

test('a peer that does not begin with a hello is refused', async t => {
  const address = await serve(t, socket => void socket.write(wireBytes(['not', 'a', 'hello'])))
  await t.rejects(Comm.connect(address), { code: 'DASK_PROTOCOL', message: /does not begin with a handshake/ })
})

test('a connection that is accepted must begin with a hello as well', async t => {
  const accepted: Promise<Comm>[] = []
  const address = await serve(t, socket => void accepted.push(Comm.accept(socket, 200)))
  const { default: net } = await import('node:net')
  const silent = net.connect(Number(address.split(':').at(-1)), '127.0.0.1')
  t.teardown(() => silent.destroy())
  await once(silent, 'data')
  await t.rejects(accepted[0]!, { code: 'DASK_CONNECT', message: /has not answered in 200 ms/ })
  await once(silent, 'close')
})

test('messages that cannot be sent leave the connection as it was', async t => {
  const { near, far } = await pair(t)
  t.throws(() => near.write({ f: () => 1 }), { code: 'INVALID_ARGUMENT' })
  near.write('fine')
  t.equal(await far.read(), 'fine')
})
