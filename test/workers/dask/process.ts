/** The process of a worker: how it begins, and how it ends. */
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import { nodeWorker, workersNamed } from '../../fixtures/dask/ask.js'
import { makeCertificates } from '../../fixtures/dask/certificates.js'
import { newestDask } from '../../fixtures/dask/environments.js'
import { type DaskProcess, startProcess, temporaryFolder } from '../../fixtures/dask/process.js'
import { aliveAfter, descendantsOf } from '../../fixtures/dask/processes.js'
import { startNodeWorker, startScheduler } from '../../fixtures/dask/scheduler.js'
import { TestClient } from './fixtures/client.js'

t.setTimeout(240_000)

const [node = '', program = ''] = nodeWorker

function start(t: Test, ...args: readonly string[]): DaskProcess {
  return startProcess(t, node, [program, ...args])
}

async function exitCode({ process }: DaskProcess): Promise<number | null> {
  if (process.exitCode !== null) return process.exitCode
  const [code] = await once(process, 'exit')
  return code as number | null
}

test('workers of one scheduler', async t => {
  const scheduler = await startScheduler(t, newestDask())

  t.test('SIGTERM and SIGINT end a worker, and nothing is left of it', async t => {
    const folder = temporaryFolder(t)
    for (const [signal, code] of [
      ['SIGTERM', 0],
      ['SIGINT', 130],
    ] as const) {
      const worker = await startNodeWorker(t, scheduler.address, { args: ['--local-directory', folder] })
      worker.process.kill(signal)
      t.equal(await exitCode(worker), code, signal)
    }
    t.strictSame(readdirSync(folder), [])
  })

  t.test('a worker that is asked to end has its values moved first', async t => {
    const client = await TestClient.open(t, scheduler.address)
    const leaves = await startNodeWorker(t, scheduler.address)
    const stays = await startNodeWorker(t, scheduler.address)
    const value = client.call('give', ['precious'], { annotations: { workers: [leaves.address] } })
    await value.done
    leaves.process.kill('SIGTERM')
    t.equal(await exitCode(leaves), 0)
    const keys = (await client.client.rpc.call(stays.address, 'keys')) as string[]
    t.ok(keys.includes(value.key))
    t.equal(await value.value(), 'precious')
    await stays.kill()
  })

  t.test('a second signal does not wait', async t => {
    const client = await TestClient.open(t, scheduler.address)
    const worker = await startNodeWorker(t, scheduler.address)
    const spins = client.call('spins', [], { annotations: { workers: [worker.address] } })
    await client.heard(event => event[1] === spins.key)
    worker.process.kill('SIGINT')
    await worker.said(/closing_gracefully|SIGINT/).catch(() => {})
    worker.process.kill('SIGINT')
    t.equal(await exitCode(worker), 130)
    spins.cancel()
  })

  t.test('it ends with its standard input, and with its parent', async t => {
    const tied = await startNodeWorker(t, scheduler.address)
    tied.process.stdin?.end()
    t.equal(await exitCode(tied), 0)
    const deaf = await startNodeWorker(t, scheduler.address)
    const client = await TestClient.open(t, scheduler.address)
    deaf.process.stdout?.destroy()
    await client.call('speaks').done
    t.equal(await client.call('add', [1, 2]).value(), 3, 'but not with its standard output')
    await deaf.kill()
    const parent = startProcess(t, node, ['-e', 'setInterval(() => {}, 1000)'])
    const child = start(t, scheduler.address, '--host', '127.0.0.1', '--parent-pid', String(parent.process.pid))
    await child.said(/Start worker at/)
    await parent.kill()
    t.equal(await exitCode(child), 0)
  })

  t.test('its name is a number if it looks like one, and nobody else may have it', async t => {
    const worker = await startNodeWorker(t, scheduler.address, {
      args: ['--name', '17', '--resources', 'GPU=2', '--memory-limit', '1GB', '--nthreads', '3'],
    })
    const [known] = await workersNamed(scheduler.address, [17])
    t.match(known, { name: 17, nthreads: 3, memory_limit: 1e9, resources: { GPU: 2, node: 1 } })
    const other = start(t, scheduler.address, '--name', '17', '--host', '127.0.0.1')
    t.equal(await exitCode(other), 1)
    t.match(other.logText(), /did not take worker '17': name taken, 17/)
    await worker.kill()
  })

  t.test('it listens where it is told', async t => {
    const worker = await startNodeWorker(t, scheduler.address, { args: ['--contact-address', 'localhost'] })
    t.match(worker.address, /^tcp:\/\/localhost:\d+$/)
    const port = worker.address.split(':').at(-1)
    const open = await startNodeWorker(t, scheduler.address, { args: ['--host', '0.0.0.0'] })
    t.match(open.address, /^tcp:\/\/127\.0\.0\.1:\d+$/, 'on all addresses: known by that which the scheduler can reach')
    await open.kill()
    const other = start(t, scheduler.address, '--host', '127.0.0.1', '--worker-port', `${port}`)
    t.equal(await exitCode(other), 1)
    t.match(other.logText(), /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*--worker-port/)
    await worker.kill()
  })

  t.test('the address may be in a file that is written later', async t => {
    const file = join(temporaryFolder(t), 'scheduler.json')
    const worker = start(t, '--scheduler-file', file, '--interface', 'lo')
    writeFileSync(file, '{"address": ')
    await new Promise(resolve => setTimeout(resolve, 50))
    writeFileSync(file, JSON.stringify({ address: scheduler.address }))
    await worker.said(/Start worker at: tcp:\/\/127\.0\.0\.1:/)
    await worker.kill()
  })

  t.test('several workers are one process each; one that is killed is started again, and all end together', async t => {
    const all = start(
      t,
      scheduler.address,
      '--nworkers',
      '2',
      '--name',
      'team',
      '--nthreads',
      '1',
      '--host',
      '127.0.0.1',
    )
    await workersNamed(scheduler.address, ['team-0', 'team-1'])
    const [first] = descendantsOf(all.process.pid ?? 0)
    process.kill(first as number, 'SIGKILL')
    await all.said(/(Start worker at[\s\S]*){3}/)
    const children = descendantsOf(all.process.pid ?? 0)
    all.process.kill('SIGTERM')
    t.equal(await exitCode(all), 0)
    t.strictSame(await aliveAfter(children, 5000), [])
  })

  t.test('workers end with whoever supervises them, however that ends', async t => {
    const all = start(t, scheduler.address, '--nworkers', '2', '--nthreads', '1', '--host', '127.0.0.1')
    await all.said(/(Start worker at[\s\S]*){2}/)
    const children = descendantsOf(all.process.pid ?? 0)
    await all.kill('SIGKILL')
    t.strictSame(await aliveAfter(children, 5000), [])
  })

  await t.test('a worker whose scheduler is lost ends, and says so', async t => {
    const worker = await startNodeWorker(t, scheduler.address)
    await scheduler.kill()
    t.equal(await exitCode(worker), 1)
    t.match(worker.logText(), /the scheduler is lost/)
  })
})

test('a worker that finds no scheduler waits as long as it may', async t => {
  const worker = start(t, 'tcp://127.0.0.1:9', '--host', '127.0.0.1', '--death-timeout', '0.5')
  await worker.said(/Waiting for the scheduler.*ECONNREFUSED/)
  t.equal(await exitCode(worker), 1)
  t.match(worker.logText(), /The scheduler at tcp:\/\/127\.0\.0\.1:9 could not be reached in 0\.5 s/)
  const file = start(t, '--scheduler-file', '/does/not/exist', '--death-timeout', '0.1')
  t.equal(await exitCode(file), 1)
  t.match(file.logText(), /scheduler file \/does\/not\/exist did not appear/)
  const waits = start(t, 'tcp://127.0.0.1:9')
  await waits.said(/Waiting for the scheduler/)
  waits.process.kill('SIGTERM')
  t.equal(await exitCode(waits), 0)
})

test('a command line that makes no sense is refused', async t => {
  const none = start(t)
  t.equal(await exitCode(none), 2)
  t.match(none.logText(), /needs a scheduler/)
  const wrong = start(t, 'a:1', '--nthreads', 'many')
  t.not(await exitCode(wrong), 0)
  const pem = start(t, 'tls://127.0.0.1:9', '--tls-ca-file', '/no/such.pem')
  t.equal(await exitCode(pem), 1)
  t.match(pem.logText(), /PEM file \/no\/such\.pem cannot be read/)
})

test('over TLS, and only with a certificate of the cluster', async t => {
  const tls = makeCertificates(t)
  const scheduler = await startScheduler(t, newestDask(), { tls })
  const [one, two] = await Promise.all([
    startNodeWorker(t, scheduler.address, { tls }),
    startNodeWorker(t, scheduler.address, { tls }),
  ])
  t.match(one.address, /^tls:\/\//)
  const client = await TestClient.open(t, scheduler.address, tls)
  const bytes = client.call('bytes', [100_000], { annotations: { workers: [one.address] } })
  await bytes.done
  t.equal(((await bytes.value()) as Buffer).length, 100_000)
  const stranger = makeCertificates(t, 'stranger')
  const refused = start(
    t,
    ...[scheduler.address, '--host', '127.0.0.1', '--death-timeout', '3', '--tls-ca-file', tls.caFile],
    ...['--tls-cert', stranger.certFile, '--tls-key', stranger.keyFile],
  )
  t.equal(await exitCode(refused), 1)
  t.match(refused.logText(), /certificate/)
  await t.rejects(
    TestClient.open(t, two.address, stranger),
    { code: 'DASK_CONNECT' },
    'nor is a stranger heard by a worker',
  )
})
