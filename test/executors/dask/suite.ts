import { DaskExecutor } from 'mintaka'
import { executorSuite } from 'mintaka/testing'
import tap from 'tap'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { startNodeWorker, startScheduler } from '../../fixtures/dask/scheduler.js'

tap.setTimeout(240_000)
tap.jobs = 3 // mostly they wait

for (const environment of daskEnvironments()) {
  tap.test(`DaskExecutor, on Dask ${environment.version}`, { buffered: true }, async t => {
    const { address } = await startScheduler(t, environment)
    await Promise.all(
      ['a', 'b'].map(name => startNodeWorker(t, address, { args: ['--name', name, '--nthreads', '2'] })),
    )
    executorSuite(t, () => new DaskExecutor({ address }))
  })
}
