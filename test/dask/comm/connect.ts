import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import tap, { type Test, test } from 'tap'
import { Comm } from '../../../lib/dask/comm/comm.js'
import { type Certificates, makeCertificates } from '../../fixtures/dask/certificates.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { serve } from '../../fixtures/dask/peer.js'
import { startScheduler } from '../../fixtures/dask/scheduler.js'

tap.setTimeout(240_000)

const prompt = { timeoutMs: 10_000 }

async function portNobodyHas(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('where nobody listens, the address, the reason and the fix are named', async t => {
  const address = `tcp://127.0.0.1:${await portNobodyHas()}`
  const message = `${address} cannot be reached: nothing listens there (ECONNREFUSED). Start the scheduler, or correct the address.`
  await t.rejects(Comm.connect(address), { code: 'DASK_CONNECT', message, address, cause: { code: 'ECONNREFUSED' } })
})

test('a host that does not exist is named', async t => {
  const wrong = { code: 'DASK_CONNECT', message: /no such host is known \((ENOTFOUND|EAI_AGAIN)\)\. Correct the name/ }
  await t.rejects(Comm.connect('tcp://no-such-host.invalid:8786'), wrong)
})

test('a peer that accepts and says nothing is given up', async t => {
  const address = await serve(t, () => {})
  const message = /has not answered in \d+ ms/
  await t.rejects(Comm.connect(address, { timeoutMs: 50 }), { code: 'DASK_CONNECT', message })
})

test('a peer that hangs up before its hello may speak TLS', async t => {
  const address = await serve(t, socket => socket.end())
  await t.rejects(Comm.connect(address), { code: 'DASK_CONNECT', message: /closed the connection.*begins with tls:/ })
})

test('an address that is none is refused', async t => {
  await t.rejects(Comm.connect('dask'), { code: 'INVALID_ARGUMENT' })
})

test('connecting can be called off at any time', async t => {
  const reason = new Error('called off')
  await t.rejects(Comm.connect('tcp://127.0.0.1:1', { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const address = await serve(t, () => controller.abort(reason))
  await t.rejects(Comm.connect(address, { signal: controller.signal }), reason)
  const before = new AbortController()
  const connecting = Comm.connect(address, { signal: before.signal })
  before.abort(reason)
  await t.rejects(connecting, reason)
})

async function serveTls(t: Test, { ca, cert, key }: Certificates): Promise<string> {
  const server = tls.createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, socket => {
    socket.on('error', () => {}) // the test is about the other end
    Comm.accept(socket).then(
      comm => comm.listen(message => comm.write(['heard', message])),
      () => {},
    )
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `tls://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('over TLS both sides know each other by certificates of one authority', async t => {
  const certificates = makeCertificates(t)
  const address = await serveTls(t, certificates)
  const comm = await Comm.connect(address, { tls: certificates, ...prompt })
  t.teardown(() => comm.abort())
  const bytes = Buffer.alloc(3_000_000, 5)
  comm.write(bytes)
  t.strictSame(await comm.read(), ['heard', bytes])

  const fix = /Give tls: \{ ca, cert, key \} with certificates that the authority of the cluster has signed/
  const { ca } = certificates
  const none = { code: 'DASK_CONNECT', message: /did not accept our certificate/ }
  await t.rejects(Comm.connect(address, { tls: { ca }, ...prompt }), none, 'without a certificate')
  await t.rejects(Comm.connect(address, { tls: { ca }, ...prompt }), { message: fix })

  const stranger = makeCertificates(t, 'stranger')
  const unknown = { code: 'DASK_CONNECT', message: /has a certificate that tls\.ca has not signed/ }
  await t.rejects(Comm.connect(address, { tls: stranger, ...prompt }), unknown, 'the authority of somebody else')
  const { cert, key } = stranger
  await t.rejects(Comm.connect(address, { tls: { ca, cert, key }, ...prompt }), none, 'a certificate of somebody else')
  await t.rejects(Comm.connect(address, prompt), { code: 'DASK_CONNECT', message: fix }, 'nothing at all')

  const plain = address.replace('tls', 'tcp')
  await t.rejects(Comm.connect(plain, prompt), { code: 'DASK_CONNECT', message: /begins with tls:/ })
})

test('a peer without TLS is named as such', async t => {
  const address = (await serve(t, socket => void socket.write('plain text, nothing else'))).replace('tcp', 'tls')
  await t.rejects(Comm.connect(address, prompt), { code: 'DASK_CONNECT', message: /does not speak TLS.*Use tcp:/ })
})

test('certificates that are none are refused before anything is sent', async t => {
  const bad = { ca: 'x', cert: 'not a certificate', key: 'not a key' }
  await t.rejects(Comm.connect('tls://127.0.0.1:1', { tls: bad }), {
    code: 'INVALID_OPTION',
    option: 'tls',
    message: /PEM/,
  })
})

for (const environment of daskEnvironments()) {
  test(`a scheduler of Dask ${environment.version} is spoken to over TLS`, async t => {
    const certificates = makeCertificates(t)
    const { address } = await startScheduler(t, environment, { tls: certificates })
    const comm = await Comm.connect(address, { tls: certificates, ...prompt })
    t.teardown(() => comm.abort())
    comm.write({ op: 'identity', reply: true })
    t.match(await comm.read(), { type: 'Scheduler', address })
    const { ca } = certificates
    await t.rejects(Comm.connect(address, { tls: { ca }, ...prompt }), { code: 'DASK_CONNECT', message: /certificate/ })
    await t.rejects(Comm.connect(address.replace('tls', 'tcp'), prompt), { code: 'DASK_CONNECT', message: /tls:/ })
  })
}
