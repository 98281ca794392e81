import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

const flows = `
  import { flow } from 'mintaka'
  const spread = (mean, p50, p90, p99, max) => ({ count: 50_000, mean, p50, p90, p99, max })
  const stats = {
    threads: 2, calls: 50_000, utilisation: 0.93,
    queueWaitMs: spread(40, 35.1, 80.4, 98.9, 1200), runTimeMs: spread(0.012, 0.009, 0.021, 1.4, 210),
    dispatchMs: spread(0.0996, 0.1, 0, 0.9996, 9.97),
  }
  const session = { where: 'here', submit() {}, stats: () => stats, async [Symbol.asyncDispose]() {} }
  const executor = { name: 'telling', start: async () => session }
  export const told = flow('told', () => 1, { executor }).with({ name: 'told' })
`

test('inspect tells how the executor did, as a table and as data', async t => {
  const mintaka = mintakaIn(t.testdir({ 'told.mjs': flows }))
  t.equal((await mintaka('run', 'told.mjs:told')).code, 0)
  const { stdout } = await mintaka('flow-run', 'inspect', 'told')
  const [, part = ''] = stdout.split('\n\nExecutor\n')
  t.equal(
    part.trimEnd(),
    [
      '  telling: 2 threads, 93 % busy, 50000 calls',
      '              mean    p50     p90    p99     max',
      '  queue wait  40 ms   35 ms   80 ms  99 ms   1.2 s',
      '  run time    12 µs   9 µs    21 µs  1.4 ms  210 ms',
      '  dispatch    100 µs  100 µs  0 µs   1.0 ms  10 ms',
    ].join('\n'),
  )
  const tree = JSON.parse((await mintaka('flow-run', 'inspect', 'told', '--json')).stdout)
  t.match(tree.executorStats, { threads: 2, calls: 50_000, utilisation: 0.93, runTimeMs: { count: 50_000, p99: 1.4 } })
})
