/** What the other tests of Dask stand on. */
import { test } from 'tap'
import { makeCertificates } from '../fixtures/dask/certificates.js'
import { daskEnvironments, newestDask } from '../fixtures/dask/environments.js'
import { startPythonWorker, startScheduler, validated } from '../fixtures/dask/scheduler.js'

test('there are the newest Dask, and one of 2024', async t => {
  const labels = daskEnvironments().map(({ label }) => label)
  t.strictSame(labels.slice(0, 2), ['newest', '2024.8.0'])
})

for (const environment of daskEnvironments()) {
  test(`a stock scheduler of ${environment.version} and a stock worker find each other`, async t => {
    const scheduler = await startScheduler(t, environment, { env: validated })
    t.match(scheduler.address, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    const worker = await startPythonWorker(t, scheduler.address, environment)
    t.match(worker.address, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    await worker.kill()
    await scheduler.said(/Remove worker/)
  })
}

test('they speak TLS with the certificates of tests', async t => {
  const tls = makeCertificates(t)
  const scheduler = await startScheduler(t, newestDask(), { tls })
  t.match(scheduler.address, /^tls:\/\/127\.0\.0\.1:\d+$/)
  const worker = await startPythonWorker(t, scheduler.address, newestDask(), { tls })
  t.match(worker.address, /^tls:\/\//)
})

test('a process on a tether ends when its stdin does', async t => {
  const scheduler = await startScheduler(t)
  scheduler.process.stdin?.end()
  await scheduler.said(/Stopped scheduler/)
})
