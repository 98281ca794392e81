import { readFileSync } from 'node:fs'
import { DaskExecutor, flow } from 'mintaka'
import tap, { test } from 'tap'
import { Bench } from './fixtures/bench.js'
import * as tasks from './fixtures/tasks.js'

tap.setTimeout(180_000)

test('a flow run on Dask is resumed: what came back is taken over, what had stayed on the cluster is computed again', async t => {
  const bench = await Bench.start(t)
  const { engine, folder } = bench
  const log = `${folder}/log`
  const night = flow(
    'night',
    async () => {
      const small = await tasks.noted(log, 'small')
      const length = await tasks.lengthOf(tasks.bytes(200_000))
      return [small, length, await tasks.flaky(`${folder}/failures`, 1)]
    },
    { executor: new DaskExecutor({ address: bench.scheduler.address }) },
  )
  const first = engine.run(night)
  t.equal((await first.wait())?.type, 'FAILED')
  const second = engine.resume(first.id, night)
  t.strictSame(await second, ['small', 200_000, 1])
  t.equal(readFileSync(log, 'utf8').match(/small/g)?.length, 1, 'it has run once')
  const ends = (await engine.taskRuns.list(second.id)).map(({ run }) => `${run.taskName} ${run.state.name}`)
  t.strictSame(ends, ['noted Cached', 'bytes Completed', 'length of Completed', 'flaky Completed'])
  const [flowRun] = (await engine.flowRuns.list()).filter(({ run }) => run.id === second.id)
  t.equal(flowRun?.run.continues, first.id)
})
