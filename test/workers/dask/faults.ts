/** What goes wrong in clusters, and that nothing is lost by it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { test } from 'tap'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { temporaryFolder } from '../../fixtures/dask/process.js'
import { startNodeWorker, startScheduler, validated } from '../../fixtures/dask/scheduler.js'
import { Dep, TestClient } from './fixtures/client.js'

t.setTimeout(300_000)

for (const environment of daskEnvironments()) {
  test(`workers of Dask ${environment.version} come and go`, async t => {
    const scheduler = await startScheduler(t, environment, { env: validated })
    const start = () => startNodeWorker(t, scheduler.address, { args: ['--nthreads', '1'] })
    const client = await TestClient.open(t, scheduler.address)

    await t.test('tasks wait for a worker, and one that joins takes some of them over', async t => {
      const early = client.call('give', ['early'])
      const one = await start()
      t.equal(await early.value(), 'early')
      const file = join(temporaryFolder(t), 'go on')
      const blocks = client.call('waitsFor', [file])
      await client.heard(event => event[0] === 'started' && event[1] === blocks.key)
      const behind = Array.from({ length: 20 }, () => client.call('where'))
      const two = await start()
      t.equal(await Promise.any(behind.map(({ value }) => value())), two.process.pid, 'it took one over')
      writeFileSync(file, '')
      await Promise.all([blocks, ...behind].map(({ done }) => done))
      // Else they would be computed again when their workers are gone.
      for (const { release } of [early, blocks, ...behind]) release()
      await two.kill()
      await one.kill()
    })

    await t.test('what a killed worker was doing is done by another, and what it kept is computed again', async t => {
      const [one, two] = await Promise.all([start(), start()])
      const preferred = { annotations: { workers: [one.address], allow_other_workers: true } } as const
      const kept = client.call('give', ['kept'], preferred)
      await kept.done
      const doing = client.call('sleeps', [1000, 'done'], preferred)
      await client.heard(event => event[0] === 'started' && event[1] === doing.key)
      await one.kill()
      t.equal(await doing.value(), 'done')
      t.equal(await client.call('give', [new Dep(kept.key)]).value(), 'kept')
      await two.kill()
    })

    t.notMatch(scheduler.logText(), /AssertionError/)
  })
}

test('a worker that is short of memory begins no tasks until it has some again', async t => {
  const scheduler = await startScheduler(t, newestDask(), { env: validated })
  const worker = await startNodeWorker(t, scheduler.address, { args: ['--nthreads', '1', '--memory-limit', '300MB'] })
  const client = await TestClient.open(t, scheduler.address)
  const large = client.call('bytes', [260_000_000])
  await large.done
  await worker.said(/of 286 MiB are in use: no tasks begin/)
  const waits = client.call('add', [1, 2])
  let isDone = false
  void waits.done.then(() => (isDone = true))
  const status = async () => {
    const { workers } = (await client.client.rpc.call(scheduler.address, 'identity')) as {
      workers: Record<string, { status: string }>
    }
    return workers[worker.address]?.status
  }
  while ((await status()) !== 'paused') await new Promise(setImmediate)
  t.notOk(isDone)
  large.release()
  await waits.done
  await worker.said(/in use: going on/)
})
