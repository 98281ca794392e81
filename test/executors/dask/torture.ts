/** A slice of `npm run torture -- dask`, from another seed each time. */
import tap from 'tap'
import { startScheduler, validated } from '../../fixtures/dask/scheduler.js'
import { seedFromEnvironment } from '../../fixtures/random.js'
import { MortalWorkers } from './fixtures/killed-workers.js'
import { torture } from './fixtures/torture.js'

tap.setTimeout(240_000)

const seed = seedFromEnvironment()
const count = Number(process.env['COUNT'] ?? 600)

/** A run is not given up because its worker was killed, however often. */
const patient = { DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES: '1000' }

tap.test(`a graph of ${count} runs ends as it must, while workers are killed (seed ${seed})`, async t => {
  const scheduler = await startScheduler(t, undefined, { env: { ...validated, ...patient } })
  const workers = new MortalWorkers(scheduler.address, seed, 3, 1_500)
  t.teardown(() => workers[Symbol.asyncDispose]())
  const { states, wrong } = await torture(scheduler.address, { seed, count })
  t.comment(`${[...states].map(([name, times]) => `${times} ${name}`).join(', ')}; ${workers.deaths} workers killed`)
  t.ok((states.get('Completed') ?? 0) > count / 4)
  t.strictSame(wrong.slice(0, 20), [])
  t.notMatch(scheduler.logText(), /AssertionError/)
})
